"""Approvals in chats: a message with buttons for each action that waits, and what a press of one decides."""
