"""Coding agents that ask a program before each tool call: what they send, what they expect, where they are told."""
