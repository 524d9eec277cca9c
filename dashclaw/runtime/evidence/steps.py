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
_DECISION = ("decision", "reasons", "warnings", "risk_score", "risk_breakdown", "facts", "degraded")
_VOTE = ("by", "name", "role", "approver_roles", "at", "from", "how", "reason", "digest")
# What every change touches, and what is shown another way.
_UNTOLD = frozenset({"updated_at", "id", "approved_by", "approval", "row", "status", "resolution"})
_ERASED = {"erased": True}
_FINAL = frozenset({"completed", "failed", "cancelled", "blocked"})
_ENDS = {"completed": ("Completed", "good"), "failed": ("Failed", "bad"), "cancelled": ("Cancelled", "neutral")}
_NEVER_RAN = {"blocked": "the guard blocked it", "denied": "a person denied it", "expired": "nobody decided in time"}
_ANSWERS = {"approved": ("Approved", "good"), "denied": ("Denied", "bad")}
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
    return data if isinstance(data, dict) and data != _ERASED else {}


def decision_steps(event: Event, row: Mapping[str, Any], policies: Sequence[Mapping[str, Any]]) -> Iterator[Step]:
    """The policies that a decision rests on, and the decision; `row` is the stored decision or what the event says."""
    details: dict[str, Any] = {"policies": policies, "policy_set": row.get("policy_set")}
    count = len(policies)
    title = f"{count} {'policy' if count == 1 else 'policies'} matched" if count else "No policy matched"
    yield Step("policies", title, event, details)
    told = {"decision_id": event["resource_id"], **{name: row.get(name) for name in _DECISION}}
    if told["degraded"] is False:
        del told["degraded"]
    title, tone = _VERDICTS.get(str(row.get("decision")), ("Decided", "neutral"))
    yield Step("decision", title, event, told, tone)


def intent_step(event: Event, said: Mapping[str, Any]) -> Step:
    """What the agent said it was about to do; `said` is what the event says, or what is left of it in a later one."""
    title = str(said.get("declared_goal") or "The intent is not known")
    return Step("intent", title, event, {name: said.get(name) for name in _INTENT})


def signature_step(event: Event) -> Step:
    """The verified signature of one request about the action."""
    said = data_of(event)
    shown = ("operation", "agent_id", "fingerprint", "algorithm", "signed_at", "replay_protected", "digest")
    title = f"Signed by {event['agent_id'] or 'its agent'}"
    return Step("signature", title, event, {name: said.get(name) for name in shown}, "good")


def erasure_step(event: Event) -> Step:
    """Text about the action was erased on request."""
    said = data_of(event)
    by = said.get("by") or {}
    title = f"Text was erased by {by.get('name') or by.get('id') or event['actor_id']}"
    return Step("erasure", title, event, {name: said.get(name) for name in ("reason", "fields", "records")}, "wait")


def restated_step(event: Event) -> Step:
    """How the action stands, told once more because the text of the events before was erased."""
    said = data_of(event)
    status = label_of(said)
    details = {**{name: said.get(name) for name in _OUTCOME}, "approval": _approval(said)}
    tone = _ENDS.get(status, ("", "bad" if said.get("status") in _FINAL else "neutral"))[1]
    return Step("outcome", f"After the erasure: {status}", event, details, tone)


def label_of(said: Mapping[str, Any]) -> str:
    """How an action stands, in one word."""
    return str(said.get("resolution") or said.get("status") or "unknown")


def first_step(event: Event) -> Iterator[Step]:
    """How the action began: it waited, started, was blocked, or had ended already when it was recorded."""
    said = data_of(event)
    status, approval = said.get("status"), _approval(said)
    if not said:
        yield Step("action", "The text of this event was erased", event)
    elif status == "pending_approval":
        details = {"required": approval.get("required"), "expires_at": approval.get("expires_at")}
        yield Step("approval", "A person was asked", event, details, "wait")
    elif status == "blocked":
        yield _never_ran(event, said)
    elif status in _FINAL:
        yield _outcome(event, said)
    elif status:
        yield Step("action", "Started", event, {"timestamp_start": said.get("timestamp_start")})


def later_steps(event: Event, before: Mapping[str, Any], moved_to: Mapping[str, Any] | None = None) -> Iterator[Step]:
    """What one event changed of an action that was as `before` says.

    `moved_to` names the decision and the action that took over its approval with this event.
    """
    said = data_of(event)
    asked = [*_answers(event, before, said), *_use(event, before, said, moved_to)]
    yield from asked
    changed = changes(before, said, {*_UNTOLD, "reasoning"} if asked else _UNTOLD)
    if said.get("status") in _FINAL and before.get("status") not in _FINAL:
        ran = before.get("status") != "pending_approval" and moved_to is None
        yield _outcome(event, said) if ran else _never_ran(event, said, moved_to)
    elif not asked or [change for change in changed if change["field"] not in _OUTCOME]:
        yield Step(
            "action", "More was recorded" if said else "The text of this event was erased", event, changes=changed
        )


def _answers(event: Event, before: Mapping[str, Any], said: Mapping[str, Any]) -> list[Step]:
    """A step per new vote, the last of which may end the approval; or that nobody voted in time."""
    was, now = _approval(before), _approval(said)
    status, ended = now.get("status"), now.get("status") != was.get("status")
    found = []
    for vote in list(now.get("votes") or ())[len(was.get("votes") or ()) :]:
        allows = vote.get("decision") == "allow"
        told = {**{name: vote.get(name) for name in _VOTE}, "self_approved": vote.get("self") or None}
        title = f"{vote.get('name') or vote.get('by')} voted to {'allow' if allows else 'deny'}"
        found.append(Step("approval", title, event, told, "good" if allows else "bad"))
    if ended and status in _ANSWERS:
        verb, tone = _ANSWERS[status]
        told = {"by": now.get("by"), "at": now.get("at"), "reason": now.get("reason")}
        last = found.pop() if found else Step("approval", "", event, told)
        who = last.details.get("name") or now.get("by")
        found.append(last._replace(title=f"{verb} by {who}", tone=tone))
    elif ended and status == "expired":
        told = {"expires_at": now.get("expires_at"), "required": now.get("required")}
        found.append(Step("approval", "Nobody decided in time", event, told, "bad"))
    elif found and status == "pending":
        still = {**found[-1].details, "required": now.get("required"), "remaining": now.get("remaining")}
        found[-1] = found[-1]._replace(details=still)
    return found


def _use(
    event: Event, before: Mapping[str, Any], said: Mapping[str, Any], moved_to: Mapping[str, Any] | None
) -> Iterator[Step]:
    """That the approval was used up."""
    used = _approval(said).get("used_at")
    if used and not _approval(before).get("used_at"):
        title = "The approval was used: the action has begun"
        if moved_to is not None:
            title = "The approval moved to an identical request"
        yield Step("approval", title, event, {"used_at": used, **(moved_to or {})})


def _approval(said: Mapping[str, Any]) -> Mapping[str, Any]:
    found = said.get("approval")
    return found if isinstance(found, Mapping) else {}


def _outcome(event: Event, said: Mapping[str, Any]) -> Step:
    title, tone = _ENDS.get(str(said.get("status")), ("Ended", "neutral"))
    return Step("outcome", title, event, {name: said.get(name) for name in _OUTCOME}, tone)


def _never_ran(event: Event, said: Mapping[str, Any], moved_to: Mapping[str, Any] | None = None) -> Step:
    why = _NEVER_RAN.get(str(said.get("resolution")), f"it was {said.get('status')} while it waited")
    if moved_to is not None:
        why = "its approval moved to another request"
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
    shown = ("loop_id", "description", "loop_type", "priority", "owner", "resolution")
    details = {name: said.get(name) for name in shown}
    status = said.get("status")
    if not said:
        return Step("loop", "A loop whose text was erased", event, {"loop_id": event["resource_id"]})
    if status in ("resolved", "cancelled"):
        return Step("loop", f"Loop {status}", event, details, "good" if status == "resolved" else "neutral")
    return Step("loop", "Loop opened", event, details, "wait")


def assumption_step(event: Event) -> Step:
    """An assumption that was made, or turned out to hold or not."""
    said = data_of(event)
    details = {name: said.get(name) for name in ("assumption_id", "assumption", "basis", "invalidated_reason")}
    if not said:
        told = {"assumption_id": event["resource_id"]}
        return Step("assumption", "An assumption whose text was erased", event, told)
    if said.get("invalidated"):
        return Step("assumption", "Assumption invalidated", event, details, "bad")
    if said.get("validated"):
        return Step("assumption", "Assumption validated", event, details, "good")
    return Step("assumption", "Assumption made", event, details)


def relative_step(kind: str, event: Event, *, began: bool) -> Step:
    """The beginning or the end of the parent (`parent`) or of a sub-action (`sub_action`)."""
    said = data_of(event)
    what = "Parent action" if kind == "parent" else "Sub-action"
    shown = ("declared_goal", "action_id", "agent_id", "action_type", "status")
    details = {**{name: said.get(name) for name in shown}, "action_id": event["resource_id"]}
    if began:
        return Step(kind, f"{what} recorded", event, details)
    status = label_of(said)
    return Step(kind, f"{what} {status}", event, details, _ENDS.get(status, ("", "bad"))[1])


def other_step(event: Event) -> Step:
    """An event of the action that is none of the above."""
    return Step("other", str(event["event"]), event, data_of(event))
