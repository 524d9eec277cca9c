"""Assumptions: what an action takes for granted, and how far that has drifted."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from pydantic import StrictBool

from ..clock import ago, moment, stamp
from ..inputs import Flag, Goal, Input, Page, Short
from ..operations import Invocation, Operation
from ..problems import conflict, invalid, not_found
from ..redaction import redact_fields
from ..store import loops as rows
from ..store.tables import assumptions
from .loops import answer_with_warnings, filters_of, paging, parent_of

if TYPE_CHECKING:
    from ..store.engine import Tx

STALE_DAYS = 7


DRIFT_DAYS = 30  # the age at which an unsettled assumption has drifted completely


AT_RISK = 50


class AssumptionInput(Input):
    """A new assumption."""

    action_id: Short
    assumption: Goal
    basis: Goal | None = None
    assumption_id: Short | None = None
    validated: Flag = False
    invalidated: Flag = False
    invalidated_reason: Goal | None = None


class AssumptionVerdict(Input):
    """Whether an assumption holds."""

    validated: StrictBool
    invalidated_reason: Goal | None = None


class AssumptionPage(Page):
    """Filters of the drift report."""

    drift: Flag | None = None
    agent_id: Short | None = None
    action_id: Short | None = None
    validated: Flag | None = None
    stale: Flag | None = None


def assumption_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """An assumption on the wire; `id` equals `assumption_id`."""
    return {**row, "id": row["assumption_id"], "metadata": row["metadata"] or {}}


def assumptions_of(tx: Tx, org_id: str, action_id: str) -> list[dict[str, Any]]:
    """The assumptions of an action, newest first."""
    return [assumption_row(row) for row in rows.of_action(tx, assumptions, org_id, action_id)]


def assume(tx: Tx, call: Invocation) -> dict[str, Any]:
    """Register what an action takes for granted."""
    body: AssumptionInput = call.body
    parent = parent_of(tx, call, body.action_id)
    assumption_id = body.assumption_id or f"asm_{uuid.uuid4()}"
    if rows.find(tx, assumptions, call.caller.org_id, assumption_id) is not None:
        raise conflict(f"The assumption_id {assumption_id!r} is taken")
    given = {
        "assumption": body.assumption,
        "basis": body.basis,
        "invalidated_reason": body.invalidated_reason,
        "metadata": body.unknown or None,
    }
    text, security = redact_fields(given, given)
    row = {
        "org_id": call.caller.org_id,
        "assumption_id": assumption_id,
        "action_id": body.action_id,
        "validated": body.validated,
        "validated_at": tx.stamp if body.validated else None,
        "invalidated": body.invalidated,
        "invalidated_at": tx.stamp if body.invalidated else None,
        "created_at": tx.stamp,
        **text,
    }
    rows.insert(tx, assumptions, row)
    wire = assumption_row({**row, **parent})
    tx.emit(call.caller, "assumption.created", "assumption", assumption_id, wire, parent["agent_id"])
    return answer_with_warnings({"assumption": wire, "assumption_id": assumption_id, "security": security}, body)


def show_assumption(tx: Tx, call: Invocation) -> dict[str, Any]:
    """One assumption with what matters of its action."""
    return {"assumption": assumption_row(_assumption(tx, call))}


def settle_assumption(tx: Tx, call: Invocation) -> dict[str, Any]:
    """Say whether an assumption holds; an invalidated one stays so."""
    body: AssumptionVerdict = call.body
    row = _assumption(tx, call)
    if row["invalidated"]:
        raise conflict("The assumption was invalidated already")
    answer: dict[str, Any] = {}
    changes: dict[str, Any]
    if body.validated:
        changes = {"validated": True, "validated_at": tx.stamp}
    else:
        if not (body.invalidated_reason or "").strip():
            raise invalid("invalidated_reason", "is required to invalidate an assumption: say why it does not hold")
        text, answer["security"] = redact_fields({"reason": body.invalidated_reason}, ("reason",))
        changes = {"invalidated": True, "invalidated_reason": text["reason"], "invalidated_at": tx.stamp}
    rows.change(tx, assumptions, call.caller.org_id, row["assumption_id"], changes)
    wire = assumption_row({**row, **changes})
    tx.emit(call.caller, "assumption.updated", "assumption", row["assumption_id"], wire, row["agent_id"])
    return answer_with_warnings({"assumption": wire, "assumption_id": row["assumption_id"], **answer}, body)


def drift_report(tx: Tx, call: Invocation) -> dict[str, Any]:
    """All assumptions, the invalidated first, each with its age as a drift score; counts over the whole filter."""
    query: AssumptionPage = call.query
    filters = filters_of(query, ("agent_id", "action_id"))
    if query.validated is not None:
        filters["validated"] = int(query.validated)
    stale = ago(tx.now, days=STALE_DAYS) if query.stale else None
    found, total = rows.assumption_page(tx, call.caller.org_id, filters, stale, query.size, query.offset)
    # round(age / 30 * 100) reaches 50 at 49.5 % of 30 days.
    risky = stamp(tx.now - timedelta(days=DRIFT_DAYS * (AT_RISK - 0.5) / 100))
    return {
        "assumptions": [{**assumption_row(row), "drift_score": _drift(tx, row)} for row in found],
        "drift_summary": rows.assumption_counts(tx, call.caller.org_id, filters, stale, risky),
        **paging(tx, query, len(found), total),
    }


def _drift(tx: Tx, row: Mapping[str, Any]) -> int | None:
    if row["invalidated"]:
        return None
    if row["validated"]:
        return 0
    age = (tx.now - moment(row["created_at"])).total_seconds() / 86400
    return min(100, max(0, round(age / DRIFT_DAYS * 100)))


def _assumption(tx: Tx, call: Invocation) -> dict[str, Any]:
    row = rows.find(tx, assumptions, call.caller.org_id, call.params["assumption_id"])
    if row is None:
        raise not_found("assumption", call.params["assumption_id"])
    return row


OPERATIONS = (
    Operation(
        "register_assumption",
        "POST",
        "/api/actions/assumptions",
        assume,
        "Register an assumption",
        "loops",
        body=AssumptionInput,
        status=201,
        also=("/api/assumptions",),
    ),
    Operation(
        "get_drift_report",
        "GET",
        "/api/actions/assumptions",
        drift_report,
        "Report on assumptions",
        "loops",
        query=AssumptionPage,
        role="readonly",
        also=("/api/assumptions",),
    ),
    Operation(
        "get_assumption",
        "GET",
        "/api/actions/assumptions/{assumption_id}",
        show_assumption,
        "Show an assumption",
        "loops",
        role="readonly",
        also=("/api/assumptions/{assumption_id}",),
    ),
    Operation(
        "validate_assumption",
        "PATCH",
        "/api/actions/assumptions/{assumption_id}",
        settle_assumption,
        "Validate or invalidate an assumption",
        "loops",
        body=AssumptionVerdict,
        also=("/api/assumptions/{assumption_id}",),
    ),
)
