"""Calls of tools as MCP carries them: what one asks for, how one ended, and what is answered in its place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dashclaw._governor import Gate
from dashclaw._tool_calls import ToolCall, text_of

CALL = "tools/call"
REFUSED = -32001


class ToolFailed(Exception):
    """What is recorded of a tool that answered with an error."""


def call_in(params: Any) -> ToolCall:
    """Read what `tools/call` asks for; raises `ValueError` for what names no tool."""
    name = params.get("name") if isinstance(params, Mapping) else None
    arguments = params.get("arguments") if isinstance(params, Mapping) else None
    if not isinstance(name, str) or not name.strip():
        raise ValueError("the call names no tool")
    if arguments is not None and not isinstance(arguments, Mapping):
        raise ValueError("the arguments of the call are no object")
    return ToolCall(name, arguments or {})


def name_in(params: Any) -> str:
    """Return the tool's name for a message, whatever was sent."""
    name = params.get("name") if isinstance(params, Mapping) else None
    return name if isinstance(name, str) else "(unnamed)"


def refusal(gate: Gate) -> dict[str, Any]:
    """Return the result of a call that was not run, with the reason for the model."""
    # Clients of the protocol of 2026 need `resultType`; older ones ignore it.
    return {"resultType": "complete", "content": [{"type": "text", "text": gate.message}], "isError": True}


def ended(result: Any) -> tuple[Any, Exception | None]:
    """Return what to record of a result, and the error that it stands for."""
    if hasattr(result, "model_dump"):
        result = result.model_dump(by_alias=True, mode="json", exclude_none=True)
    if not isinstance(result, Mapping):
        return text_of(result), None
    parts = result.get("content")
    texts = [
        str(part.get("text") or f"({part.get('type')})")
        for part in (parts if isinstance(parts, list) else [])
        if isinstance(part, Mapping)
    ]
    output = "\n".join(texts) or result.get("structuredContent")
    return output, ToolFailed(str(output)) if result.get("isError") else None
