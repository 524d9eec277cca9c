"""What the events of an action mean, step by step: events in, steps out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

Event = Mapping[str, Any]

_INTENT = (
    "declared_goal",
    "action_type",
    "agent_id",
    "agent_name",
    "systems_touched",
    "risk_score",
    "reversible",
    "confidence",
    "reasoning",
    "authorization_scope",
    "trigger",
    "input_summary",
    "parent_action_id",
    "session_id",
    "swarm_id",
    "recommendation_id",
    "metadata",
)
_OUTCOME = (
    "status",
    "resolution",
    "output_summary",
    "error_message",
    "duration_ms",
    "cost_estimate",
    "model",
    "tokens_in",
    "tokens_out",
    "side_effects",
    "artifacts_created",
    "timestamp_end",
)
# What every change touches, and what is shown another way.
_UNTOLD = frozenset({"updated_at", "id", "approved_by", "approval", "status", "resolution"})
_FINAL = frozenset({"completed", "failed", "cancelled", "blocked"})
_ENDS = {"completed": ("Completed", "good"), "failed": ("Failed", "bad"), "cancelled": ("Cancelled", "neutral")}
_NEVER_RAN = {"blocked": "the guard blocked it", "denied": "a person denied it", "expired": "nobody decided in time"}
_VERDICTS = {
    "allow": ("Allowed", "good"),
    "warn": ("Allowed with a warning", "wait"),
    "require_approval": ("A person has to approve", "wait"),
    "block": ("Blocked", "bad"),
}


class Step(NamedTuple):
    """One step of the chain.

    `tone` is good, bad, wait or neutral. `changes` are `{field, before, after}`.
    """

    kind: str
    title: str
    event: Event
    details: Mapping[str, Any] = {}
    tone: str = "neutral"
    changes: Sequence[Mapping[str, Any]] = ()


def data_of(event: Event) -> Mapping[str, Any]:
    """What an event says; nothing when its text was erased."""
    data = event["data"]
    return data if isinstance(data, dict) else {}


def decision_steps(event: Event, row: Mapping[str, Any], names: Mapping[str, str]) -> Iterator[Step]:
    """The policies that a decision rests on, and the decision; `row` is the stored decision or what the event says."""
    matched = list(row.get("matched_policies") or ())
    details: dict[str, Any] = {
        "policies": [{"id": policy_id, "name": names.get(policy_id)} for policy_id in matched],
        "policy_set": row.get("policy_set"),
    }
    count = len(matched)
    title = f"{count} {'policy' if count == 1 else 'policies'} matched" if count else "No policy matched"
    yield Step("policies", title, event, details)
    shown = ("decision", "reasons", "warnings", "risk_score", "risk_breakdown", "degraded", "approvals")
    told = {name: row[name] for name in shown if row.get(name) is not None}
    title, tone = _VERDICTS.get(str(row.get("decision")), ("Decided", "neutral"))
    yield Step("decision", title, event, {"decision_id": event["resource_id"], **told}, tone)


def intent_step(event: Event) -> Step:
    """What the agent said it was about to do."""
    said = data_of(event)
    details = {name: said.get(name) for name in _INTENT}
    if said.get("signature"):
        details["signature"] = "verified" if said.get("verified") else "not verified"
    return Step("intent", str(said.get("declared_goal") or "The intent is not known"), event, details)


def first_step(event: Event) -> Iterator[Step]:
    """How the action began: it waited, started, was blocked, or had ended already when it was recorded."""
    said = data_of(event)
    status, approval = said.get("status"), _approval(said)
    if status == "pending_approval":
        details = {"required": approval.get("required"), "expires_at": approval.get("expires_at")}
        yield Step("approval", "A person was asked", event, details, "wait")
    elif status == "blocked":
        yield _never_ran(event, said)
    elif status in _FINAL:
        yield _outcome(event, said)
    elif status:
        yield Step("action", "Started", event, {"timestamp_start": said.get("timestamp_start")})


def later_steps(event: Event, before: Mapping[str, Any]) -> Iterator[Step]:
    """What one event changed of an action that was as `before` says."""
    said = data_of(event)
    asked = _asked(event, before, said)
    yield from asked
    changed = changes(before, said, {*_UNTOLD, "reasoning"} if asked else _UNTOLD)
    if said.get("status") in _FINAL and before.get("status") not in _FINAL:
        waited = before.get("status") == "pending_approval" or bool(_approval(said).get("used_at"))
        yield _never_ran(event, said) if waited else _outcome(event, said)
    elif not asked or [change for change in changed if change["field"] not in _OUTCOME]:
        yield Step("action", "More was recorded" if said else "The event's text was erased", event, changes=changed)


def _asked(event: Event, before: Mapping[str, Any], said: Mapping[str, Any]) -> list[Step]:
    """The steps of an approval: each new vote, then how it ended or that it was used."""
    was, now = _approval(before), _approval(said)
    votes = list(now.get("votes") or ())[len(was.get("votes") or ()) :]
    found = [_vote(event, vote) for vote in votes if isinstance(vote, Mapping)]
    status = now.get("status")
    if status != was.get("status"):
        told = {name: now.get(name) for name in ("by", "at", "reason", "self_approved", "expires_at")}
        if status == "approved":
            found.append(Step("approval", f"Approved by {now.get('by')}", event, told, "good"))
        elif status == "denied":
            found.append(Step("approval", f"Denied by {now.get('by')}", event, told, "bad"))
        elif status == "expired":
            told = {"expires_at": now.get("expires_at")}
            found.append(Step("approval", "Nobody decided in time", event, told, "bad"))
    elif votes and status == "pending":
        told = {"remaining": now.get("remaining")}
        found.append(Step("approval", "More approvals are needed", event, told, "wait"))
    if now.get("used_at") and not was.get("used_at"):
        told = {"used_at": now["used_at"]}
        found.append(Step("approval", "The approval was used by an identical request", event, told))
    return found


def _vote(event: Event, vote: Mapping[str, Any]) -> Step:
    allowed = vote.get("decision") in ("allow", "approve", "approved")
    who = vote.get("name") or vote.get("by")
    return Step(
        "approval", f"{who} voted to {'allow' if allowed else 'deny'}", event, vote, "good" if allowed else "bad"
    )


def _approval(said: Mapping[str, Any]) -> Mapping[str, Any]:
    found = said.get("approval")
    return found if isinstance(found, Mapping) else {}


def _outcome(event: Event, said: Mapping[str, Any]) -> Step:
    title, tone = _ENDS.get(str(said.get("status")), ("Ended", "neutral"))
    return Step("outcome", title, event, {name: said.get(name) for name in _OUTCOME}, tone)


def _never_ran(event: Event, said: Mapping[str, Any]) -> Step:
    if _approval(said).get("used_at"):
        why = "its approval moved to another request"
    else:
        why = _NEVER_RAN.get(str(said.get("resolution")), f"it was {said.get('status')} while it waited")
    tone = "neutral" if said.get("status") == "cancelled" else "bad"
    return Step("outcome", f"Never ran: {why}", event, {name: said.get(name) for name in _OUTCOME}, tone)


def changes(before: Mapping[str, Any], after: Mapping[str, Any], but: Iterable[str] = _UNTOLD) -> list[dict[str, Any]]:
    """The fields in which two states differ, as `{field, before, after}`."""
    untold = frozenset(but)
    return [
        {"field": name, "before": before.get(name), "after": value}
        for name, value in after.items()
        if name not in untold and (before.get(name) or None) != (value or None)
    ]


def loop_step(event: Event) -> Step:
    """A loop that was opened, resolved or cancelled."""
    said = data_of(event)
    shown = ("description", "loop_type", "priority", "owner", "resolution")
    details = {name: said.get(name) for name in shown}
    status = said.get("status")
    if status in ("resolved", "cancelled"):
        return Step("loop", f"Loop {status}", event, details, "good" if status == "resolved" else "neutral")
    return Step("loop", "Loop opened", event, details, "wait")


def assumption_step(event: Event) -> Step:
    """An assumption that was made, or turned out to hold or not."""
    said = data_of(event)
    details = {name: said.get(name) for name in ("assumption", "basis", "invalidated_reason")}
    if said.get("invalidated"):
        return Step("assumption", "Assumption invalidated", event, details, "bad")
    if said.get("validated"):
        return Step("assumption", "Assumption validated", event, details, "good")
    return Step("assumption", "Assumption made", event, details)


def relative_step(kind: str, event: Event, *, began: bool) -> Step:
    """The beginning or the end of the parent (`parent`) or of a sub-action (`sub_action`)."""
    said = data_of(event)
    what = "Parent action" if kind == "parent" else "Sub-action"
    shown = ("declared_goal", "agent_id", "action_type", "status", "resolution")
    details = {name: said.get(name) for name in shown if not (began and name == "resolution")}
    if began:
        return Step(kind, f"{what} recorded", event, details)
    status = str(said.get("resolution") or said.get("status"))
    return Step(kind, f"{what} {status}", event, details, _ENDS.get(status, ("", "bad"))[1])


def other_step(event: Event) -> Step:
    """An event of the action that is none of the above."""
    return Step("other", str(event["event"]), event, data_of(event))
