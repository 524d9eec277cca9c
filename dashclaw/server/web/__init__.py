"""The dashboard: pages rendered by the server over the runtime's operations."""
