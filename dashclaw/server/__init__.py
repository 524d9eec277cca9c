"""HTTP over the runtime: a thin shell, whose routes are derived from the runtime's operations."""
