"""Evidence: a chain over the events that shows whether anybody changed the record."""
