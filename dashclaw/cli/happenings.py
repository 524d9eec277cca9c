"""What `dashclaw watch` tells of: decisions, approvals and signals, read out of events."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from .output import one_line
from .waiting import WAITS, outcome

DECISION, APPROVAL, SIGNAL = KINDS = ("decision", "approval", "signal")
DECISIONS = ("allow", "warn", "require_approval", "block")
_NAMES: Mapping[str, tuple[str, ...]] = {
    DECISION: ("guard.decision.created",),
    APPROVAL: ("action.created", "action.updated"),
    SIGNAL: ("signal.detected",),
}


class Happening(NamedTuple):
    """One thing that happened. `state` is the decision, what became of an approval, or the severity of a signal.

    `at` is when it was recorded where that is known, else when it was received; `id` is where to go on from.
    """

    id: str | None
    at: str
    kind: str
    state: str
    agent_id: str | None
    action_type: str | None
    risk: int | None
    text: str
    data: Mapping[str, Any]

    @property
    def document(self) -> dict[str, Any]:
        """What a program reads."""
        found = {name: value for name, value in self._asdict().items() if name != "data"}
        return {**found, "data": dict(self.data)}


def names_of(kinds: Iterable[str]) -> list[str]:
    """The events that some kinds are read out of."""
    return [name for kind in kinds for name in _NAMES[kind]]


def read(event: Mapping[str, Any], at: str) -> Happening | None:
    """What an event tells; None when it is none of the three."""
    data = event["data"]
    if not isinstance(data, Mapping):
        return None
    place = (None if event["id"] is None else str(event["id"]), at)
    if event["event"] in _NAMES[DECISION]:
        about = f"{data.get('action_id') or ''}  {data['decision_id']}".strip()
        return Happening(*place, DECISION, data["decision"], *_of(data), about, data)
    if event["event"] in _NAMES[SIGNAL]:
        text = f"{data['label']}: {data['detail']}"
        return Happening(*place, SIGNAL, data["severity"], data["agent_id"], None, None, text, data)
    if event["event"] in _NAMES[APPROVAL] and (state := _approval_state(event["event"], data)):
        return Happening(*place, APPROVAL, state, *_of(data), _approval_text(state, data), data)
    return None


def _of(data: Mapping[str, Any]) -> tuple[Any, Any, Any]:
    return data.get("agent_id"), data.get("action_type"), data.get("risk_score")


def _approval_state(name: str, action: Mapping[str, Any]) -> str | None:
    """What happened to the approval of an action; None when the event is about something else."""
    approval = action.get("approval")
    if not approval:
        return None
    if name == "action.created":
        return "waits" if action["status"] == WAITS else None
    if approval["status"] == "expired":
        return "expired"
    votes = approval.get("votes") or ()
    if action["status"] == WAITS:
        return "voted" if votes and votes[-1]["at"] == action["updated_at"] else None
    return approval["status"] if approval["at"] == action["updated_at"] else None


def _approval_text(state: str, action: Mapping[str, Any]) -> str:
    about = f"{one_line(action['declared_goal'])}  {action['action_id']}"
    return about if state in ("waits", "expired", "voted") else f"{about}  ({one_line(outcome(action))})"


class Wanted(NamedTuple):
    """Which happenings are wanted; names are exact or globs, a sequence that is empty means any."""

    kinds: tuple[str, ...] = KINDS
    agents: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    decisions: tuple[str, ...] = ()
    min_risk: int = 0

    def lets(self, found: Happening) -> bool:
        """Whether a happening is one of them; what has no risk or type passes only where none is asked for."""
        return (
            found.kind in self.kinds
            and (not self.decisions or (found.kind == DECISION and found.state in self.decisions))
            and _matches(self.agents, found.agent_id)
            and _matches(self.types, found.action_type)
            and (not self.min_risk or (found.risk or 0) >= self.min_risk)
        )


def _matches(patterns: tuple[str, ...], name: str | None) -> bool:
    return not patterns or (name is not None and any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns))
