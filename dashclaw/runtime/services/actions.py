"""Actions: record what an agent is about to do, how it ended, and what it hangs together with."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from ..action_rows import action_row
from ..approvers import AGENTS_WISH
from ..clock import stamp
from ..decisions import body_digest, decide_and_record
from ..inputs import Flag, Goal, Line, Name, Page, Prose, Score, Short, Systems, normal_time
from ..lifecycle import publish
from ..operations import Answer, Invocation, Operation
from ..problems import conflict, invalid, not_found
from ..redaction import redact_fields
from ..store import actions as rows
from ..store.connect import DuplicateError, translated
from .agents import touch
from .guard import ActionType, WaitSeconds, prepare_decision
from .outcomes import FINAL_FROM_AGENT, TEXTS, OutcomeFields, estimated_cost, expire_first

if TYPE_CHECKING:
    from ..store.engine import Tx

Status = Literal["running", "completed", "failed", "cancelled", "pending", "pending_approval"]
RESERVED = frozenset({"signals", "loops", "assumptions"})


class ActionInput(OutcomeFields):
    """A new action."""

    agent_id: Short | None = None
    agent_name: Name | None = None
    swarm_id: Short | None = None
    action_type: ActionType
    declared_goal: Goal
    action_id: Short | None = None
    parent_action_id: Short | None = None
    reasoning: Prose | None = None
    authorization_scope: Line | None = None
    trigger: Line | None = None
    systems_touched: Systems | None = None
    input_summary: Prose | None = None
    status: Status | None = None
    reversible: Flag | None = None
    risk_score: Score | None = None
    confidence: Score | None = None
    recommendation_id: Short | None = None
    recommendation_applied: Flag | None = None
    recommendation_override_reason: str | None = Field(default=None, max_length=500)
    timestamp_start: str | None = Field(default=None, max_length=64)
    session_id: Short | None = None
    idempotency_key: Name | None = None
    metadata: dict[str, Any] | None = None
    approval_wait_seconds: WaitSeconds | None = None
    decision_id: Short | None = None


class ActionPage(Page):
    """Filters of the list of actions."""

    status: Short | None = None
    resolution: Short | None = None
    agent_id: Short | None = None
    swarm_id: Short | None = None
    action_type: Short | None = None
    risk_min: int | None = Field(default=None, ge=-(2**31), le=2**31)


def create(tx: Tx, call: Invocation) -> Answer:
    """Decide, and record the attempt with the decision: 201, 202 when it waits, 403 when it is blocked."""
    body: ActionInput = call.body
    agent_id = body.agent_id or call.caller.agent_id
    if not agent_id:
        raise invalid("agent_id", "is required: name the agent that acts")
    if replayed := _replay(tx, call, body):
        return replayed
    action_id = _new_id(body)
    context = {**body.given(), **body.unknown}
    decision = decide_and_record(tx, call, context, agent_id, action_id)
    row, security = _new_row(tx, call, body, agent_id, action_id, decision)
    _insert(tx, row)
    touch(tx, call.caller, agent_id, body.agent_name)
    shown = publish(tx, call.caller, "action.created", row)
    return _created(row, shown, decision, security, body.warnings())


def _insert(tx: Tx, row: Mapping[str, Any]) -> None:
    try:
        with translated():
            rows.insert(tx, row)
    except DuplicateError:
        raise conflict(f"The action_id {row['action_id']!r} is taken") from None


def _replay(tx: Tx, call: Invocation, body: ActionInput) -> Answer | None:
    if body.idempotency_key is None:
        return None
    found = rows.open_with_key(tx, call.caller.org_id, body.idempotency_key, body_digest(call.raw))
    if found is None:
        return None
    answer = {"action": action_row(found), "action_id": found["action_id"], "idempotent_replay": True}
    decision = {
        "decision": "allow" if found["status"] == "running" else "require_approval",
        "decision_id": found["decision_id"],
        "reasons": [],
        "risk_score": found["risk_score"],
    }
    return Answer({**answer, "decision": decision}, 200)


def _new_id(body: ActionInput) -> str:
    if body.action_id is None:
        return f"act_{uuid.uuid4()}"
    if not body.action_id.strip() or body.action_id in RESERVED:
        raise invalid("action_id", f"{body.action_id!r} is reserved; choose another or leave it out")
    return body.action_id


def _new_row(
    tx: Tx, call: Invocation, body: ActionInput, agent_id: str, action_id: str, decision: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    given, security = redact_fields(body.given(), TEXTS)
    proof = call.proof
    metadata = {**call.trace, **(given.get("metadata") or {}), **body.unknown}
    row: dict[str, Any] = dict.fromkeys(_PLAIN)
    row |= {name: given[name] for name in _PLAIN if name in given}
    row |= estimated_cost(call, row)
    row |= {
        "org_id": call.caller.org_id,
        "action_id": action_id,
        "agent_id": agent_id,
        "reversible": True if body.reversible is None else body.reversible,
        "recommendation_applied": bool(body.recommendation_applied),
        "confidence": 50 if body.confidence is None else body.confidence,
        "risk_score": decision["risk_score"],
        "timestamp_start": normal_time("timestamp_start", body.timestamp_start) or tx.stamp,
        "timestamp_end": normal_time("timestamp_end", body.timestamp_end),
        "metadata": metadata or None,
        "signature": proof.signature if proof else None,
        "verified": proof is not None and proof.verified and proof.agent_id == agent_id,
        "created_by": call.caller.actor_id,
        "decision_id": decision["decision_id"],
        "digest": decision["digest"],
        "created_at": tx.stamp,
        "updated_at": tx.stamp,
    }
    return {**row, **_state(tx, call, body, decision)}, security


_PLAIN = (
    "agent_name",
    "swarm_id",
    "parent_action_id",
    "action_type",
    "declared_goal",
    "reasoning",
    "authorization_scope",
    "trigger",
    "systems_touched",
    "input_summary",
    "recommendation_id",
    "recommendation_override_reason",
    "output_summary",
    "side_effects",
    "artifacts_created",
    "error_message",
    "duration_ms",
    "cost_estimate",
    "tokens_in",
    "tokens_out",
    "model",
    "session_id",
    "idempotency_key",
)


def _state(tx: Tx, call: Invocation, body: ActionInput, decision: Mapping[str, Any]) -> dict[str, Any]:
    """The state a new action starts in: the guard's word, never milder for what the caller says."""
    state: dict[str, Any] = dict.fromkeys(
        (
            "resolution",
            "approval_status",
            "decided_by",
            "approval_at",
            "approval_reason",
            "approval_expires_at",
            "approval_consumed_at",
            "approval_needs",
        )
    )
    state["self_approved"] = False
    asked = "pending_approval" if body.status == "pending" else body.status
    if decision["decision"] == "block":
        state |= {"status": "blocked", "resolution": "blocked", "timestamp_end": tx.stamp}
        if body.error_message is None:
            state["error_message"] = "; ".join(decision["reasons"])[:4000] or None
    elif decision["decision"] == "require_approval" or asked == "pending_approval":
        seconds = body.approval_wait_seconds or _approval_seconds(tx, call)
        expires = stamp(tx.now + timedelta(seconds=seconds))
        state |= {"status": "pending_approval", "approval_status": "pending", "approval_expires_at": expires}
        state["approval_needs"] = decision.get("approvals") or AGENTS_WISH
    else:
        state["status"] = asked or "running"
        if state["status"] in FINAL_FROM_AGENT and body.timestamp_end is None:
            state["timestamp_end"] = tx.stamp
    return state


def _approval_seconds(tx: Tx, call: Invocation) -> int:
    settings = call.runtime.policies.get(tx, call.caller.org_id).settings
    return int(settings.get("approval_seconds") or call.runtime.settings.approval_seconds)


def _created(
    row: Mapping[str, Any],
    shown: Mapping[str, Any],
    decision: Mapping[str, Any],
    security: Mapping[str, Any],
    warnings: list[str],
) -> Answer:
    wire = {name: value for name, value in decision.items() if name != "digest"}
    answer = {"action": shown, "action_id": row["action_id"], "decision": wire, "security": security}
    if warnings:
        answer["warnings"] = warnings
    if row["status"] == "blocked":
        reasons = "; ".join(decision["reasons"]) or "a policy forbids it"
        return Answer({"error": f"Blocked: {reasons}", "code": "GUARD_BLOCKED", **answer}, 403)
    return Answer(answer, 202 if row["status"] == "pending_approval" else 201)


def listing(tx: Tx, call: Invocation) -> dict[str, Any]:
    """Actions, newest start first, with totals over the whole filter."""
    query: ActionPage = call.query
    filters = {
        name: value for name, value in query.given().items() if name not in ("limit", "offset") and value is not None
    }
    if filters.get("status") == "pending":
        filters["status"] = "pending_approval"
    stats = rows.stats(tx, call.caller.org_id, filters)
    # Looking for more than there are would read everything.
    size = min(query.size, stats["total"] - query.offset)
    found = rows.page(tx, call.caller.org_id, filters, size, query.offset) if size > 0 else []
    return {
        "actions": [action_row(row) for row in found],
        "total": stats["total"],
        "stats": stats,
        "limit": query.size,
        "offset": query.offset,
        "has_more": query.offset + len(found) < stats["total"],
        "lastUpdated": tx.stamp,
    }


def show(tx: Tx, call: Invocation) -> dict[str, Any]:
    """One action with its loops and assumptions."""
    from .assumptions import assumptions_of
    from .loops import loops_of

    row = _found(tx, call)
    return {
        "action": action_row(row),
        "action_id": row["action_id"],
        "open_loops": loops_of(tx, call.caller.org_id, row["action_id"]),
        "assumptions": assumptions_of(tx, call.caller.org_id, row["action_id"]),
    }


def show_trace(tx: Tx, call: Invocation) -> dict[str, Any]:
    """One action with everything it hangs together with."""
    from .trace import trace

    row = _found(tx, call)
    return {"action": action_row(row), "trace": trace(tx, row)}


def _found(tx: Tx, call: Invocation) -> dict[str, Any]:
    row = rows.find(tx, call.caller.org_id, call.params["action_id"])
    if row is None:
        raise not_found("action", call.params["action_id"])
    return row


OPERATIONS = (
    Operation(
        "create_action",
        "POST",
        "/api/actions",
        create,
        "Record an action; the guard decides first",
        "actions",
        body=ActionInput,
        status=201,
        prepare=prepare_decision,
        signing="required",
        speaker="agent_id",
    ),
    Operation(
        "get_actions",
        "GET",
        "/api/actions",
        listing,
        "List actions",
        "actions",
        query=ActionPage,
        role="readonly",
        prepare=expire_first,
    ),
    Operation(
        "get_action",
        "GET",
        "/api/actions/{action_id}",
        show,
        "Show an action",
        "actions",
        role="readonly",
        prepare=expire_first,
    ),
    Operation(
        "get_action_trace",
        "GET",
        "/api/actions/{action_id}/trace",
        show_trace,
        "Show what an action hangs together with",
        "actions",
        role="readonly",
        prepare=expire_first,
    ),
)
