"""Outcomes: what can be said of an action when or after it ran."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from ..clock import moment
from ..episodes import learn
from ..inputs import Amount, Count, Flag, Input, Items50, Items100, Prose, Short, normal_time
from ..lifecycle import check_outcome, expire, expire_due, publish
from ..operations import Answer, Invocation, Operation
from ..prices import dollars
from ..problems import Problem, conflict, invalid, not_found
from ..redaction import redact_fields
from ..store import actions as rows

if TYPE_CHECKING:
    from ..runtime import Runtime
    from ..store.engine import Tx

TEXTS = (
    "declared_goal",
    "reasoning",
    "authorization_scope",
    "trigger",
    "input_summary",
    "output_summary",
    "side_effects",
    "artifacts_created",
    "error_message",
    "metadata",
)


FINAL_FROM_AGENT = frozenset({"completed", "failed", "cancelled"})


class OutcomeFields(Input):
    """What can be said of an action when or after it ran."""

    output_summary: Prose | None = None
    side_effects: Items50 | None = None
    artifacts_created: Items100 | None = None
    error_message: Prose | None = None
    timestamp_end: str | None = Field(default=None, max_length=64)
    duration_ms: Count | None = None
    cost_estimate: Amount | None = None
    tokens_in: Count | None = None
    tokens_out: Count | None = None
    model: Short | None = None


class OutcomeInput(OutcomeFields):
    """How an action ended; without a status only the fields change."""

    status: Literal["running", "completed", "failed", "cancelled"] | None = None
    metadata: dict[str, Any] | None = None
    start_once: Flag | None = None


def record_outcome(tx: Tx, call: Invocation) -> dict[str, Any] | Answer:
    """Change fields and, where the lifecycle allows, the status; a final action only takes what was empty.

    With `start_once` the approval of the action must be unused: of several who start it, one succeeds.
    """
    row = rows.lock(tx, call.caller.org_id, call.params["action_id"])
    if row is None:
        raise not_found("action", call.params["action_id"])
    if row["approval_status"] != "pending" or row["approval_expires_at"] > tx.stamp:
        return _change(tx, call, row)
    try:
        return _change(tx, call, expire(tx, row))
    except Problem as problem:
        # Raised on, it would undo that the approval expired.
        return Answer(problem.body(), problem.status)


def _change(tx: Tx, call: Invocation, row: Mapping[str, Any]) -> dict[str, Any]:
    body: OutcomeInput = call.body
    given, security = redact_fields(body.given(), TEXTS)
    given |= _extra(row, given.pop("metadata", None), body.unknown)
    if given.pop("start_once", None) and row["approval_consumed_at"] is not None:
        raise conflict(f"The action was started at {row['approval_consumed_at']}, which happens once", "APPROVAL_USED")
    if not given:
        raise invalid("body", "names no outcome field: status, output_summary, error_message, duration_ms, …")
    if "timestamp_end" in given:
        given["timestamp_end"] = normal_time("timestamp_end", given["timestamp_end"])
    if body.status is not None:
        check_outcome(row, body.status)
    given |= estimated_cost(call, {**row, **given})
    after = rows.change(tx, row, _outcome(tx, row, given))
    learn(tx, after)
    shown = publish(tx, call.caller, "action.updated", after)
    answer = {"action": shown, "action_id": after["action_id"], "security": security}
    return {**answer, "warnings": body.warnings()} if body.unknown else answer


def estimated_cost(call: Invocation, fields: Mapping[str, Any]) -> dict[str, Any]:
    """The cost of an action whose tokens and model are told and whose cost is not; nothing for an unknown model."""
    if fields["cost_estimate"] is not None or not fields["model"]:
        return {}
    used = [fields["tokens_in"] or 0, fields["tokens_out"] or 0]
    prices = call.runtime.prices
    if not any(used) or prices.find(fields["model"]) is None:
        return {}
    return {"cost_estimate": round(dollars(prices.cost(fields["model"], *used).nano), 6)}


def _extra(row: Mapping[str, Any], metadata: Mapping[str, Any] | None, unknown: Mapping[str, Any]) -> dict[str, Any]:
    added = {**(metadata or {}), **unknown}
    return {"metadata": {**(row["metadata"] or {}), **added}} if added else {}


def _outcome(tx: Tx, row: Mapping[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    if row["status"] not in ("running", "pending_approval"):
        return {name: value for name, value in given.items() if row[name] in (None, [], {})} | {"updated_at": tx.stamp}
    changes = {**given, "updated_at": tx.stamp}
    status = given.get("status")
    if status in FINAL_FROM_AGENT:
        changes.setdefault("timestamp_end", tx.stamp)
        if row["duration_ms"] is None and "duration_ms" not in given:
            begun = moment(row["timestamp_start"])
            changes["duration_ms"] = max(0, round((tx.now - begun).total_seconds() * 1000))
        if row["approval_status"] == "pending":
            changes["approval_status"] = None
    if row["approval_status"] == "approved" and row["approval_consumed_at"] is None:
        # Whatever the agent reports about it, the approved action has started: its approval is used.
        changes["approval_consumed_at"] = tx.stamp
    return changes


def expire_first(runtime: Runtime, call: Invocation) -> None:
    """Expire what is due before an answer shows it."""
    expire_due(runtime, call.caller.org_id)


OPERATIONS = (
    Operation(
        "update_outcome",
        "PATCH",
        "/api/actions/{action_id}",
        record_outcome,
        "Record how an action ended",
        "actions",
        body=OutcomeInput,
    ),
)
