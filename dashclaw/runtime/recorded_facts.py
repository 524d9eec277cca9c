"""The facts that a decision rested on, as its row keeps them: enough to decide again, and no more."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from .guard import Facts, RemoteAnswer
from .guard.facts import MAX_TEXT, MAX_TEXTS

_LONGEST_DECISION = 80


class Settings(NamedTuple):
    """The organisation's settings that the guard looks at, as a policy set holds them."""

    guard_degradation: str
    kill_switch: bool


class Recorded(NamedTuple):
    """What a row keeps beside the action: the facts, the approval that was used, and which texts were masked."""

    facts: Facts
    approval: Mapping[str, Any] | None
    redacted: tuple[str, ...]


def pack(facts: Facts, approval: Mapping[str, Any] | None, redacted: Iterable[str]) -> dict[str, Any] | None:
    """Return what to store; None when the decision rested on the action and the policies alone.

    Answers of remote checks are cut to what the guard reads of them.
    """
    found: dict[str, Any] = {}
    if facts.counts:
        found["counts"] = dict(facts.counts)
    if facts.spent:
        found["spent"] = dict(facts.spent)
    if facts.remotes:
        found["remotes"] = {policy_id: _packed(answer) for policy_id, answer in facts.remotes.items()}
    if approval is not None:
        found["approval"] = {"action_id": approval["action_id"], "decided_by": approval["decided_by"]}
    if names := list(redacted):
        found["redacted"] = names
    return found or None


def _packed(answer: RemoteAnswer) -> dict[str, Any]:
    found = {
        "decision": None if answer.decision is None else answer.decision[:_LONGEST_DECISION],
        "reasons": _cut(answer.reasons),
        "warnings": _cut(answer.warnings),
        "failure": None if answer.failure is None else answer.failure[:MAX_TEXT],
    }
    return {name: value for name, value in found.items() if value not in (None, [])}


def _cut(texts: Iterable[str]) -> list[str]:
    return [text[:MAX_TEXT] for text in list(texts)[:MAX_TEXTS]]


def unpack(stored: Mapping[str, Any] | None, settings: Settings) -> Recorded:
    """Return what `pack` stored, with the settings of the policy set."""
    known = stored or {}
    remotes = {
        policy_id: RemoteAnswer(
            answer.get("decision"),
            tuple(answer.get("reasons", ())),
            tuple(answer.get("warnings", ())),
            answer.get("failure"),
        )
        for policy_id, answer in known.get("remotes", {}).items()
    }
    facts = Facts(
        known.get("counts", {}), remotes, settings.guard_degradation, settings.kill_switch, known.get("spent", {})
    )
    return Recorded(facts, known.get("approval"), tuple(known.get("redacted", ())))


def approved_by(approval: Mapping[str, Any]) -> str:
    """The reason that a used approval adds; the action's row says it, and so does what is recorded of it."""
    return f"Approved by {approval['decided_by']} as {approval['action_id']}"
