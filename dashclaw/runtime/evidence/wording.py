"""How a replay reads: the words that its text and its page share. The standard library is enough."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

KINDS = {
    "parent": "Parent",
    "intent": "Intent",
    "signature": "Signature",
    "policies": "Policies",
    "decision": "Decision",
    "approval": "Approval",
    "action": "Action",
    "outcome": "Outcome",
    "assumption": "Assumption",
    "loop": "Loop",
    "sub_action": "Sub-action",
    "erasure": "Erasure",
    "other": "Event",
}
_STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
_HASH = re.compile("[0-9a-f]{64}")
_UNITS = ((86_400, "d", 3_600, "h"), (3_600, "h", 60, "min"), (60, "min", 1, "s"))


def label(name: str) -> str:
    """A field's name as a person reads it."""
    return name.replace("_", " ")


def shown(value: Any) -> str:
    """A value as one text; an object as `name: value, …`."""
    if value in (None, "", [], {}):
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return _object(value)
    if isinstance(value, (list, tuple)):
        return ("; " if _has_sentences(value) else ", ").join(map(shown, value))
    text = str(value)
    return moment(text) if _STAMP.fullmatch(text) else text


def _object(value: Mapping[str, Any]) -> str:
    if value.keys() <= {"id", "name", "hash"}:
        return f"{value['name']} ({value['id']})" if value.get("name") else str(value.get("id"))
    if {"policy", "approvals_required", "approver_roles", "given"} <= value.keys():
        who = " or ".join(map(str, value["approver_roles"]))
        return f"{value['policy'] or 'the agent'}: {value['given']} of {value['approvals_required']} by {who}"
    given = (f"{label(str(name))}: {_part(part)}" for name, part in value.items() if part not in (None, "", [], {}))
    return ", ".join(given)


def _part(value: Any) -> str:
    return f"({shown(value)})" if isinstance(value, (Mapping, list, tuple)) else shown(value)


def _has_sentences(items: Sequence[Any]) -> bool:
    return any(isinstance(item, Mapping) or " " in str(item) for item in items)


def details(step: Mapping[str, Any]) -> dict[str, str]:
    """The details of a step that its title does not say already, as text by label; sentences have a line each."""
    found = {}
    for name, value in step["details"].items():
        lines = isinstance(value, list) and _has_sentences(value)
        text = "\n".join(map(shown, value)) if lines else shown(value)
        if text != step["title"]:
            found[label(name)] = text
    return found


def is_hash(text: str) -> bool:
    """Whether a text is a SHA-256 in hex."""
    return _HASH.fullmatch(text) is not None


def elapsed(milliseconds: float | None) -> str:
    """How long after the step before; empty for the first one."""
    if milliseconds is None:
        return ""
    if milliseconds == 0:
        return "at the same moment"
    return f"{duration(abs(milliseconds))} {'later' if milliseconds > 0 else 'earlier'}"


def duration(milliseconds: float) -> str:
    """A span of time in at most two units."""
    if milliseconds < 999.5:
        return f"{milliseconds:.3g} ms"
    seconds = milliseconds / 1000
    if seconds < 59.95:
        return f"{seconds:.3g} s"
    whole = round(seconds)
    size, unit, part, smaller = next(found for found in _UNITS if whole >= found[0])
    rest = whole % size // part
    return f"{whole // size} {unit}" + (f" {rest} {smaller}" if rest else "")


def moment(at: str) -> str:
    """A moment with its milliseconds."""
    return f"{at[:10]} {at[11:23]} UTC" if len(at) > 23 else at


def place(step: Mapping[str, Any]) -> str:
    """Where the event of a step stands in the log."""
    event = step["event"]
    return f"event {event['id']}, {event['name']}"


def link(step: Mapping[str, Any]) -> str:
    """Where the event of a step stands in the chain of evidence, without its hash."""
    entry = step["entry"]
    if entry is None:
        return "not linked yet"
    return f"entry {entry['seq']}" + (", text erased" if entry["erased"] else "")


def reach(found: Mapping[str, Any]) -> str:
    """How much of a replay the chain of evidence covers."""
    told = found["evidence"]
    text = f"{told['linked']} of {told['events']} events are linked into the chain"
    if told["unlinked"]:
        text += f", {told['unlinked']} not yet"
    return text + (f"; the text of {told['erased']} was erased" if told["erased"] else "")


def difference(found: Mapping[str, Any]) -> str:
    """One place where the tables do not hold what the log says."""
    record = f"{label(found['record']['type'])} {found['record']['id']}"
    if found["problem"] == "missing":
        return f"The log knows the {record}, but it is not stored any more"
    names = ", ".join(label(field["name"]) for field in found["fields"])
    return f"The stored {record} differs from its last event in: {names}"


def state(found: Mapping[str, Any]) -> str:
    """How the action stands, by the log."""
    action = found["action"]
    return label(str(action.get("resolution") or action.get("status") or "unknown"))
