"""What is text in a record, and what is left when it is taken out: values in, values out."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any, Literal, get_args

from ..store.erasure import ERASED

# The columns of an action that hold what somebody wrote, then what hangs on an action and is erased with it.
FieldName = Literal[
    "agent_name",
    "declared_goal",
    "reasoning",
    "authorization_scope",
    "trigger",
    "input_summary",
    "output_summary",
    "side_effects",
    "artifacts_created",
    "error_message",
    "recommendation_override_reason",
    "metadata",
    "approvals",
    "loops",
    "assumptions",
    "messages",
]
FIELDS: tuple[str, ...] = get_args(FieldName)
ACTION_TEXTS = FIELDS[: FIELDS.index("approvals")]
LOOP_TEXTS = ("description", "owner", "resolution", "metadata")
ASSUMPTION_TEXTS = ("assumption", "basis", "invalidated_reason", "metadata")
MESSAGE_TEXTS = ("subject", "body", "metadata")
_OF_PARENT = ("agent_name", "declared_goal")


def widened(fields: Iterable[str]) -> frozenset[str]:
    """The fields with those that repeat what people said when they decided."""
    found = frozenset(fields)
    return found | {"reasoning", "error_message"} if "approvals" in found else found


def scrubbed(value: Any) -> Any:
    """A value without its text: lists keep that they held something, objects the names of their fields.

    What is empty stays as it is; scrubbing twice changes nothing.
    """
    if value is None or value in ("", [], {}):
        return value
    if isinstance(value, dict):
        return dict.fromkeys(value, ERASED)
    return [ERASED] if isinstance(value, (list, tuple)) else ERASED


def changes(row: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """The columns of a row that hold text, each with what it becomes."""
    return {name: clean for name in names if (clean := scrubbed(row.get(name))) != row.get(name)}


def holds_text(kind: str, data: Any, fields: Collection[str]) -> bool:
    """Whether the data of an event about an action, or about what hangs on it, holds any of these fields."""
    if not isinstance(data, dict):
        return True
    if kind == "action":
        given = bool(data.get("signature")) or bool(changes(data, [name for name in ACTION_TEXTS if name in fields]))
        return given or ("approvals" in fields and _vote_texts(data.get("approval")))
    parts = {"loop": ("loops", LOOP_TEXTS), "assumption": ("assumptions", ASSUMPTION_TEXTS)}
    if kind in parts:
        name, texts = parts[kind]
        wanted = [text for text in _OF_PARENT if text in fields] + list(texts if name in fields else ())
        return bool(changes(data, wanted))
    return True


def _vote_texts(approval: Any) -> bool:
    if not isinstance(approval, dict):
        return False
    votes = approval.get("votes") or ()
    return bool(changes(approval, ["reason"])) or any(changes(vote, ["reason"]) or vote.get("digest") for vote in votes)


def decision_changes(row: Mapping[str, Any]) -> dict[str, Any]:
    """The columns of a decision that hold, or commit to, what was asked and what others answered to it.

    The reasons that our policies gave stay, those of remote checks go.
    """
    found: dict[str, Any] = {}
    if row["context"] is not None:
        found["context"] = None
    if row["digest"]:
        found["digest"] = ""
    facts = row["facts"]
    if not isinstance(facts, dict) or not facts.get("remotes"):
        return found
    answers = facts["remotes"].values()
    said = [text for answer in answers for name in ("reasons", "warnings") for text in answer.get(name, ())]
    said += [answer["failure"] for answer in answers if answer.get("failure")]
    remotes = {
        policy: answer | changes(answer, ("reasons", "warnings", "failure"))
        for policy, answer in facts["remotes"].items()
    }
    clean = {
        "facts": {**facts, "remotes": remotes},
        "reasons": _without(row["reasons"], said),
        "warnings": _without(row["warnings"], said),
    }
    return found | {name: value for name, value in clean.items() if value != row[name]}


def _without(lines: Iterable[str] | None, said: Collection[str]) -> list[str] | None:
    """Lines `<policy>: <text>` with the texts that were said taken out."""
    return None if lines is None else [_line(line, said) for line in lines]


def _line(line: str, said: Collection[str]) -> str:
    end = max((text for text in said if line.endswith(text)), key=len, default="")
    return line[: len(line) - len(end)] + ERASED if end and end != ERASED else line
