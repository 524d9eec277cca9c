"""Use cases, one module per category; each lists its operations. `table` has all of them."""
