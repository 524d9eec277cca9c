"""How risky a coding agent's calls are, beyond what the tool's name says."""

from __future__ import annotations

import re
from typing import Any

from dashclaw._regex import regex
from dashclaw._tool_calls import ToolCall

_COMMANDS = ("command", "cmd", "script")
# A longer command cannot be looked through in the time there is.
_LONGEST = 200_000
# What cannot be taken back, wherever it stands in a line of a shell.
_DESTRUCTIVE = regex(
    r"(?:^|[\s;&|(`/])(?:rm|rmdir|shred|unlink|wipefs|mkfs[.\w]*|dd|truncate)\s"
    r"|\bfind\b.{0,500}\s-delete\b"
    r"|\bgit\b.{0,200}\b(?:push\s.{0,200}(?:--force|-f\b|--delete|\s\+)|reset\s+--hard|clean\s+-\w*[fdx])"
    r"|\b(?:curl|wget)\b[^;&]{0,500}\|\s*(?:sudo\s+)?\w*sh\b"
    r"|\b(?:drop|truncate)\s+(?:table|database|schema)\b"
    r"|\b(?:terraform|pulumi)\s+destroy\b|\bkubectl\s+delete\b",
    re.IGNORECASE | re.DOTALL,
)
# An agent that loosens what governs it.
_OWN_RULES = regex(
    r"\bdashclaw\b.{0,200}\b(?:approve|uninstall|install|policies|keys|evidence\s+erase)\b"
    r"|\.(?:claude|gemini)[\\/]+settings|\.codex[\\/]+(?:hooks|config)|managed-settings",
    re.IGNORECASE | re.DOTALL,
)
_READS = frozenset({"read", "read_file", "grep", "glob", "ls"})


def risk_of(call: ToolCall) -> dict[str, Any] | None:
    """Return the risk of commands that destroy something and of calls that loosen the governing; None for others."""
    if call.tool.lower() in _READS:
        return None
    if any(_OWN_RULES.search(text) for text in _texts(call)):
        return {"risk_score": 95, "reversible": False, "systems_touched": ["dashclaw"]}
    commands = [_command(call.arguments.get(name)) for name in _COMMANDS]
    if any(len(command) > _LONGEST or _DESTRUCTIVE.search(command) for command in commands):
        return {"risk_score": 85, "reversible": False}
    return None


def _command(given: Any) -> str:
    """Return a command line as text; some agents send it as a list."""
    text = " ".join(map(str, given)) if isinstance(given, list) else str(given or "")
    return text[: _LONGEST + 1]


def _texts(call: ToolCall) -> list[str]:
    return [_command(value) for name, value in call.arguments.items() if name in _COMMANDS or "path" in name.lower()]
