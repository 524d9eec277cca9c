"""Routing: which agent gets a task, what becomes of it, and who is told."""
