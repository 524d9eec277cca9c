"""A call of a tool, as every framework makes it, and the action that stands for it."""

from __future__ import annotations

import contextlib
import json
from typing import Any, Dict, Mapping, NamedTuple, Optional

_LONGEST_VALUE = 2000
_LONGEST_SUMMARY = 4000
_DEEPEST = 6
_MOST_ITEMS = 50


class ToolCall(NamedTuple):
    """What an agent is about to do.

    `arguments` are the tool's; what is no mapping stands under "input". `description` is the tool's own. `agent_id` is
    the agent's when it is not the client's. `parent_action_id` names the
    action that it is a part of, without it the governed call around it. `fields` are further ones of `create_action`.
    `action_id` is for a call that a framework makes again after an interruption, in any process: under the same id it
    goes on with the approval that it asked for, and runs on it once. `call_id` is the model's own name of the call; it
    is no part of what is decided about.
    """

    tool: str
    arguments: Mapping[str, Any]
    description: Optional[str] = None
    agent_id: Optional[str] = None
    agent_name: Optional[str] = None
    session_id: Optional[str] = None
    parent_action_id: Optional[str] = None
    fields: Mapping[str, Any] = {}
    action_id: Optional[str] = None
    call_id: Optional[str] = None


def arguments_of(given: Any) -> Dict[str, Any]:
    """Return arguments as a mapping: an object, JSON text of one, or anything else under the name "input"."""
    if isinstance(given, str) and given.lstrip().startswith("{"):
        with contextlib.suppress(ValueError):
            given = json.loads(given)
    if isinstance(given, Mapping):
        return {str(name): value for name, value in given.items()}
    return {} if given is None else {"input": given}


def plain(value: Any, depth: int = 0) -> Any:
    """Return a value as JSON can carry it, whatever it is: unknown objects by their type and text.

    Never raises. Lists and objects keep fifty items, and six levels.
    """
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if depth >= _DEEPEST:
        return "…"
    if isinstance(value, Mapping):
        items = list(value.items())[:_MOST_ITEMS]
        return {str(name): plain(item, depth + 1) for name, item in items}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(item, depth + 1) for item in list(value)[:_MOST_ITEMS]]
    dumped = _dumped(value)
    return text_of(value) if dumped is None else plain(dumped, depth + 1)


def text_of(value: Any) -> str:
    """Return the text of anything, cut; never raises."""
    try:
        return str(value)[:_LONGEST_VALUE]
    except Exception:  # noqa: BLE001 - what cannot be shown is still part of a call
        return f"({type(value).__name__})"


def summary(value: Any) -> str:
    """Return JSON text of a value for people, secrets masked and cut."""
    from ._redact import redact_text

    shown = value if isinstance(value, str) else json.dumps(plain(value), ensure_ascii=False, default=text_of)
    if len(shown) > 4 * _LONGEST_SUMMARY:
        shown = shown[: 4 * _LONGEST_SUMMARY]
    shown = redact_text(shown)
    return shown if len(shown) <= _LONGEST_SUMMARY else shown[: _LONGEST_SUMMARY - 1] + "…"


def fingerprint(arguments: Mapping[str, Any]) -> str:
    """Return the SHA-256 of all arguments, uncut, in hex: what an approval of the call is bound to."""
    from hashlib import sha256

    text = json.dumps(arguments, sort_keys=True, separators=(",", ":"), default=_spelt)
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _spelt(value: Any) -> Any:
    dumped = _dumped(value)
    if dumped is not None:
        return dumped
    if isinstance(value, (set, frozenset)):
        return sorted(map(str, value))
    # The address in a default repr would make equal calls differ.
    shown = repr(value)
    return f"{type(value).__module__}.{type(value).__qualname__}" if " at 0x" in shown else shown


def _dumped(value: Any) -> Any:
    """Return what a pydantic model holds; None for anything else."""
    dump = getattr(value, "model_dump", None)
    with contextlib.suppress(Exception):
        return dump() if callable(dump) and not isinstance(value, type) else None
    return None
