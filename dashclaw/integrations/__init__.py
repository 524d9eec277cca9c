"""Adapters for agent frameworks, one module each; nothing here is imported unless asked for."""
