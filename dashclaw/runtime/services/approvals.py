"""Approvals: a person decides about an action that waits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from ..action_rows import action_row
from ..inputs import Input, Prose
from ..lifecycle import expire, expired_problem, publish
from ..operations import Answer, Invocation, Operation
from ..problems import conflict, forbidden, not_found
from ..redaction import redact_fields
from ..store import actions as rows

if TYPE_CHECKING:
    from ..store.engine import Tx


class ApprovalInput(Input):
    """The decision of a person."""

    decision: Literal["allow", "deny"]
    reasoning: Prose | None = None


def decide(tx: Tx, call: Invocation) -> dict[str, Any] | Answer:
    """Release or refuse a waiting action, once; the approver is recorded."""
    body: ApprovalInput = call.body
    row = rows.lock(tx, call.caller.org_id, call.params["action_id"])
    if row is None:
        raise not_found("action", call.params["action_id"])
    own = row["created_by"] == call.caller.actor_id
    _check_approver(tx, call, row, own)
    if row["status"] != "pending_approval":
        if row["approval_status"] == "expired":
            raise expired_problem(row)
        raise conflict(
            f"The action does not wait for approval: it is {row['resolution'] or row['status']}", "NOT_PENDING"
        )
    if row["approval_expires_at"] <= tx.stamp:
        problem = expired_problem(expire(tx, row))
        return Answer(problem.body(), problem.status)
    given, security = redact_fields({"reasoning": body.reasoning}, ("reasoning",))
    after = rows.change(tx, row, _decided(tx, call, row, body.decision, given["reasoning"], own))
    publish(tx, call.caller, "action.updated", after)
    return {"success": True, "action": action_row(after), "action_id": after["action_id"], "security": security}


def _check_approver(tx: Tx, call: Invocation, row: Mapping[str, Any], own: bool) -> None:
    settings = call.runtime.policies.get(tx, call.caller.org_id).settings
    allowed = settings.get("self_approval", call.caller.self_approval)
    if call.caller.may("admin") and (not own or allowed):
        return
    raise forbidden(
        "An agent cannot approve its own action: an operator's key has to",
        "APPROVER_IDENTITY_REQUIRED",
        command=f"dashclaw approvals approve {row['action_id']}",
    )


def _decided(
    tx: Tx, call: Invocation, row: Mapping[str, Any], decision: str, reason: str | None, own: bool
) -> dict[str, Any]:
    allowed = decision == "allow"
    note = f"[{'Approved' if allowed else 'Denied'} by {call.caller.actor_id}{': ' + reason if reason else ''}]"
    changes: dict[str, Any] = {
        "status": "running" if allowed else "failed",
        "resolution": None if allowed else "denied",
        "approval_status": "approved" if allowed else "denied",
        "decided_by": call.caller.actor_id,
        "approval_at": tx.stamp,
        "approval_reason": reason,
        "self_approved": own,
        "reasoning": f"{row['reasoning']}\n{note}" if row["reasoning"] else note,
        "updated_at": tx.stamp,
    }
    if not allowed:
        changes |= {"error_message": reason or "A person denied the action", "timestamp_end": tx.stamp}
    return changes


OPERATIONS = (
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
