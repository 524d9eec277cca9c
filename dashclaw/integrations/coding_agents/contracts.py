"""What each coding agent sends to a hook and understands as an answer."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

Event = Mapping[str, Any]


class Contract(NamedTuple):
    """The names of one agent's events, its form of a denial, and where it is told of hooks.

    `folder_variable` names the environment variable that moves the folder of `settings`. `moment` is how many of its
    units of time make a second. `note` tells what else the user has to do.
    """

    name: str
    title: str
    before: str
    after: str
    failed: str | None
    ended: str
    denial: Callable[[str], dict[str, Any]]
    settings: str
    folder_variable: str | None = None
    moment: int = 1
    note: str | None = None

    def entry(self, event: str, command: str, seconds: float) -> dict[str, Any]:
        """Return what its settings hold for an event: the command for every tool, and how long it may take."""
        hook = {"type": "command", "command": command, "timeout": int(seconds * self.moment)}
        return (
            {"matcher": "*", "hooks": [hook]} if event in (self.before, self.after, self.failed) else {"hooks": [hook]}
        )


def _specific(reason: str) -> dict[str, Any]:
    said = {"hookEventName": "PreToolUse", "permissionDecision": "deny", "permissionDecisionReason": reason}
    return {"hookSpecificOutput": said}


def _decision(reason: str) -> dict[str, Any]:
    return {"decision": "deny", "reason": reason}


CONTRACTS = {
    found.name: found
    for found in (
        Contract(
            "claude-code",
            "Claude Code",
            "PreToolUse",
            "PostToolUse",
            "PostToolUseFailure",
            "SessionEnd",
            _specific,
            "~/.claude/settings.json",
            "CLAUDE_CONFIG_DIR",
        ),
        Contract(
            "codex",
            "Codex",
            "PreToolUse",
            "PostToolUse",
            None,
            "SessionEnd",
            _specific,
            "~/.codex/hooks.json",
            "CODEX_HOME",
            note="Codex runs a new hook only after you have trusted it: start codex and type /hooks",
        ),
        Contract(
            "gemini",
            "Gemini CLI",
            "BeforeTool",
            "AfterTool",
            None,
            "SessionEnd",
            _decision,
            "~/.gemini/settings.json",
            moment=1000,
        ),
    )
}


class Call(NamedTuple):
    """A call of a tool as an event tells it. `tool_use_id` is None where the agent names none."""

    tool: str
    arguments: Mapping[str, Any]
    session_id: str | None
    tool_use_id: str | None
    subagent: str | None
    folder: str | None


def call_in(event: Event) -> Call:
    """Read the call that an event is about; raises `ValueError` for one that names no tool."""
    tool, given = event.get("tool_name"), event.get("tool_input")
    if not isinstance(tool, str) or not tool.strip():
        raise ValueError("the event names no tool")
    if given is not None and not isinstance(given, Mapping):
        raise ValueError("the tool_input of the event is no object")
    arguments = dict(given or {})
    if "command" in arguments:
        # The model's words about a command differ when it tries the same again; an approval is of the command.
        arguments.pop("description", None)
    return Call(
        tool,
        arguments,
        _text(event, "session_id"),
        _text(event, "tool_use_id"),
        _text(event, "agent_type"),
        _text(event, "cwd"),
    )


def action_id_of(contract: Contract, call: Call) -> str | None:
    """Return the id of a call's action, the same before and after it ran; None where the agent does not name calls."""
    if call.tool_use_id is None:
        return None
    named = json.dumps([contract.name, call.session_id, call.tool_use_id])
    return f"act_{hashlib.sha256(named.encode('utf-8', 'surrogatepass')).hexdigest()[:32]}"


def failure_in(event: Event) -> str | None:
    """Return what an event says went wrong with a call that ran."""
    answer = event.get("tool_response")
    said = event.get("error") or (answer.get("error") if isinstance(answer, Mapping) else None)
    if not said:
        return None
    return said if isinstance(said, str) else json.dumps(said, default=str)


def _text(event: Event, name: str) -> str | None:
    found = event.get(name)
    return found[:128] if isinstance(found, str) and found else None
