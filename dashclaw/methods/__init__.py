"""The methods of the clients, one module per category: readable tables of calls, without I/O."""
