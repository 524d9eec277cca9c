"""Approvals: people decide about an action that waits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from ..action_rows import action_row
from ..approvers import folded, needs_of, origin_row, person_of, progress, remaining, roles_of, wanted_roles
from ..inputs import Input, Prose, Short
from ..lifecycle import expire, expired_problem, publish
from ..operations import Answer, Invocation, Operation
from ..problems import conflict, forbidden, not_found
from ..redaction import redact_fields
from ..store import actions as rows
from ..store import approvals as votes
from ..store import orgs, people, waiting

if TYPE_CHECKING:
    from ..identity import Caller
    from ..problems import Problem
    from ..store.engine import Tx


class ApprovalInput(Input):
    """The decision of a person.

    `if_updated_at` is the `updated_at` of the action as the person saw it: a decision about anything newer is refused.
    """

    decision: Literal["allow", "deny"]
    reasoning: Prose | None = None
    if_updated_at: Short | None = None


def decide(tx: Tx, call: Invocation) -> dict[str, Any] | Answer:
    """Keep one person's decision about a waiting action.

    The approval that completes what the policies ask for releases the action; a denial refuses it at once.
    """
    body: ApprovalInput = call.body
    row = rows.lock(tx, call.caller.org_id, call.params["action_id"])
    if row is None:
        raise not_found("action", call.params["action_id"])
    own = _is_own(tx, call.caller, row)
    if refused := _approver_refused(tx, call, row, own, body.decision):
        raise refused
    if refused := _state_refused(row):
        raise refused
    if row["approval_expires_at"] <= tx.stamp:
        problem = expired_problem(expire(tx, row))
        return Answer(problem.body(), problem.status)
    if body.if_updated_at not in (None, row["updated_at"]):
        raise conflict(f"The action changed at {row['updated_at']}: look at it again, then decide", "ACTION_CHANGED")
    given, security = redact_fields({"reasoning": body.reasoning}, ("reasoning",))
    if not _voted(row, call.caller, body.decision):
        row = _vote(tx, call.caller, row, body.decision, given["reasoning"], own)
    return {"success": True, "action": action_row(row), "action_id": row["action_id"], "security": security}


def _is_own(tx: Tx, caller: Caller, row: Mapping[str, Any]) -> bool:
    """Whether the caller created the action: by this key, as the same person in another way, or as its agent."""
    if row["created_by"] == caller.actor_id or (caller.agent_verified and caller.agent_id == row["agent_id"]):
        return True
    maker = _operator(tx, caller.org_id, row["created_by"]) if caller.operator else None
    return maker is not None and folded(maker) == folded(caller.operator or "")


def _operator(tx: Tx, org_id: str, actor_id: str) -> str | None:
    """The person behind a key, or who signed in; None when nobody is known."""
    found = orgs.find_key(tx, org_id, actor_id)
    if found is not None:
        name: str | None = found["operator"]
        return name
    person = people.PEOPLE.find(tx, org_id, actor_id)
    return None if person is None else str(person["email"])


def refusal(tx: Tx, call: Invocation, row: Mapping[str, Any], decision: str) -> Problem | None:
    """Why the caller's decision about an action would be refused now; None when it would be taken."""
    if not call.caller.may("member"):
        return forbidden("You may only look: deciding takes the role member or admin")
    refused = _approver_refused(tx, call, row, _is_own(tx, call.caller, row), decision) or _state_refused(row)
    if refused is None and row["approval_expires_at"] <= tx.stamp:
        return expired_problem(row)
    if refused is None and any(vote["person"] == person_of(call.caller) for vote in row["votes"]):
        return conflict("You have decided about the action already; other people have to", "ALREADY_VOTED")
    return refused


def _state_refused(row: Mapping[str, Any]) -> Problem | None:
    if row["status"] == "pending_approval":
        return None
    if row["approval_status"] == "expired":
        return expired_problem(row)
    return conflict(f"The action does not wait for approval: it is {row['resolution'] or row['status']}", "NOT_PENDING")


def _approver_refused(tx: Tx, call: Invocation, row: Mapping[str, Any], own: bool, decision: str) -> Problem | None:
    settings = call.runtime.policies.get(tx, call.caller.org_id).settings
    allowed = settings.get("self_approval", call.caller.self_approval)
    roles, wanted = roles_of(call.caller), wanted_roles(needs_of(row))
    command = f"dashclaw approvals approve {row['action_id']}"
    if not roles or (own and not allowed):
        return forbidden(
            "An agent cannot approve its own action: an operator's key has to",
            "APPROVER_IDENTITY_REQUIRED",
            command=command,
        )
    # Any operator may stop an action; releasing it takes the people whom the policies name.
    stops = decision == "deny" and call.caller.may("admin")
    if wanted and not stops and roles.isdisjoint(wanted):
        return forbidden(
            f"This action needs an approver with the role {' or '.join(wanted)}",
            "APPROVER_ROLE_REQUIRED",
            approver_roles=wanted,
            command=command,
        )
    return None


def _voted(row: Mapping[str, Any], caller: Caller, decision: str) -> bool:
    """Whether the same person has said the same before; raises `Problem` 409 when that person said otherwise."""
    person = person_of(caller)
    before = next((vote for vote in row["votes"] if vote["person"] == person), None)
    if before is not None and before["decision"] != decision:
        raise conflict("This person has decided about the action before, and that does not change", "ALREADY_VOTED")
    return before is not None


def _vote(
    tx: Tx, caller: Caller, row: Mapping[str, Any], decision: str, reason: str | None, own: bool
) -> dict[str, Any]:
    """Keep the vote and what follows from it; returns the action as it is now."""
    vote = {
        "org_id": row["org_id"],
        "action_id": row["action_id"],
        "number": len(row["votes"]) + 1,
        "person": person_of(caller),
        "actor_type": caller.actor_type,
        "actor_id": caller.actor_id,
        "name": caller.operator or caller.label or caller.origin.user,
        "role": caller.role,
        "approver_roles": sorted(roles_of(caller)),
        "own": own,
        "decision": decision,
        "reason": reason,
        "origin": origin_row(caller.origin),
        "digest": row["digest"],
        "created_at": tx.stamp,
    }
    votes.add(tx, vote)
    said = [*row["votes"], vote]
    missing = remaining(progress(needs_of(row), said)) if decision == "allow" else 0
    after = {**rows.change(tx, row, _changes(tx, row, vote, missing)), "votes": said}
    publish(tx, caller, "action.updated", after)
    return after


def _changes(tx: Tx, row: Mapping[str, Any], vote: Mapping[str, Any], missing: int) -> dict[str, Any]:
    allowed, by, reason = vote["decision"] == "allow", vote["actor_id"], vote["reason"]
    note = f"[{'Approved' if allowed else 'Denied'} by {by}{': ' + reason if reason else ''}]"
    changes: dict[str, Any] = {
        "self_approved": row["self_approved"] or vote["own"],
        "reasoning": f"{row['reasoning']}\n{note}" if row["reasoning"] else note,
        "updated_at": tx.stamp,
    }
    if missing:
        return changes
    changes |= {
        "status": "running" if allowed else "failed",
        "resolution": None if allowed else "denied",
        "approval_status": "approved" if allowed else "denied",
        "decided_by": by,
        "approval_at": tx.stamp,
        "approval_reason": reason,
    }
    if not allowed:
        changes |= {"error_message": reason or "A person denied the action", "timestamp_end": tx.stamp}
    return changes


def count_waiting(tx: Tx, call: Invocation) -> dict[str, Any]:
    """How much waits for people, as a number that is cheap to ask for."""
    return {"approvals": waiting.approvals(tx, call.caller.org_id)}


OPERATIONS = (
    Operation(
        "count_waiting",
        "GET",
        "/api/waiting",
        count_waiting,
        "Count what waits for people",
        "approvals",
        role="readonly",
    ),
    Operation(
        "approve_action",
        "POST",
        "/api/actions/{action_id}/approve",
        decide,
        "Approve or deny a waiting action",
        "approvals",
        body=ApprovalInput,
        also=("/api/approvals/{action_id}",),
    ),
)
