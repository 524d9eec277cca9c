"""Loops: what an action leaves open."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from ..inputs import Goal, Input, Name, Page, Short
from ..operations import Invocation, Operation
from ..problems import conflict, invalid, not_found
from ..redaction import redact_fields
from ..store import actions as action_rows
from ..store import loops as rows
from ..store.tables import loops

if TYPE_CHECKING:
    from ..store.engine import Tx

LoopType = Literal["followup", "question", "dependency", "approval", "review", "handoff", "other"]
LoopStatus = Literal["open", "resolved", "cancelled"]
Priority = Literal["low", "medium", "high", "critical"]


class LoopInput(Input):
    """A new loop."""

    action_id: Short
    loop_type: LoopType
    description: Goal
    loop_id: Short | None = None
    status: LoopStatus = "open"
    priority: Priority = "medium"
    owner: Name | None = None
    resolution: Goal | None = None


class LoopEnd(Input):
    """How a loop ends."""

    status: Literal["resolved", "cancelled"]
    resolution: Goal | None = None


class LoopPage(Page):
    """Filters of the list of loops."""

    status: Short | None = None
    agent_id: Short | None = None
    action_id: Short | None = None
    loop_type: Short | None = None
    priority: Short | None = None


def loop_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """A loop on the wire; `id` equals `loop_id`."""
    return {**row, "id": row["loop_id"], "metadata": row["metadata"] or {}}


def loops_of(tx: Tx, org_id: str, action_id: str) -> list[dict[str, Any]]:
    """The loops of an action, newest first."""
    return [loop_row(row) for row in rows.of_action(tx, loops, org_id, action_id)]


def open_loop(tx: Tx, call: Invocation) -> dict[str, Any]:
    """Register something that an action leaves open."""
    body: LoopInput = call.body
    parent = parent_of(tx, call, body.action_id)
    loop_id = body.loop_id or f"loop_{uuid.uuid4()}"
    if rows.find(tx, loops, call.caller.org_id, loop_id) is not None:
        raise conflict(f"The loop_id {loop_id!r} is taken")
    text, security = redact_fields(
        {"description": body.description, "resolution": body.resolution, "metadata": body.unknown or None},
        ("description", "resolution", "metadata"),
    )
    row = {
        "org_id": call.caller.org_id,
        "loop_id": loop_id,
        "action_id": body.action_id,
        "loop_type": body.loop_type,
        "status": body.status,
        "priority": body.priority,
        "owner": body.owner,
        "created_at": tx.stamp,
        "resolved_at": None if body.status == "open" else tx.stamp,
        **text,
    }
    rows.insert(tx, loops, row)
    wire = loop_row({**row, **parent})
    tx.emit(call.caller, "loop.created", "loop", loop_id, wire, parent["agent_id"])
    return answer_with_warnings({"loop": wire, "loop_id": loop_id, "security": security}, body)


def close_loop(tx: Tx, call: Invocation) -> dict[str, Any]:
    """Resolve or cancel an open loop, once."""
    body: LoopEnd = call.body
    row = rows.find(tx, loops, call.caller.org_id, call.params["loop_id"])
    if row is None:
        raise not_found("loop", call.params["loop_id"])
    if row["status"] != "open":
        raise conflict(f"The loop is {row['status']} already")
    if body.status == "resolved" and not (body.resolution or "").strip():
        raise invalid("resolution", "is required to resolve a loop: say how it was resolved")
    text, security = redact_fields({"resolution": body.resolution}, ("resolution",))
    changes = {"status": body.status, "resolution": text["resolution"], "resolved_at": tx.stamp}
    rows.change(tx, loops, call.caller.org_id, row["loop_id"], changes)
    wire = loop_row({**row, **changes})
    tx.emit(call.caller, "loop.updated", "loop", row["loop_id"], wire, row["agent_id"])
    return answer_with_warnings({"loop": wire, "loop_id": row["loop_id"], "security": security}, body)


def list_loops(tx: Tx, call: Invocation) -> dict[str, Any]:
    """Loops, the most urgent first; the stats are those of the organisation."""
    query: LoopPage = call.query
    filters = filters_of(query, ("status", "agent_id", "action_id", "loop_type", "priority"))
    found, total = rows.loop_page(tx, call.caller.org_id, filters, query.size, query.offset)
    answer = {"loops": [loop_row(row) for row in found], "stats": rows.loop_stats(tx, call.caller.org_id)}
    return {**answer, **paging(tx, query, len(found), total)}


def parent_of(tx: Tx, call: Invocation, action_id: str) -> dict[str, Any]:
    """What a loop or assumption shows of its action; raises `Problem` 404."""
    row = action_rows.find(tx, call.caller.org_id, action_id)
    if row is None:
        raise not_found("action", action_id)
    return {name: row[name] for name in ("agent_id", "agent_name", "declared_goal", "action_type")}


def filters_of(query: Page, names: tuple[str, ...]) -> dict[str, Any]:
    """The named filters that were given."""
    return {name: value for name in names if (value := getattr(query, name)) is not None}


def paging(tx: Tx, query: Page, found: int, total: int) -> dict[str, Any]:
    """What every list says of itself."""
    more = query.offset + found < total
    return {"total": total, "limit": query.size, "offset": query.offset, "has_more": more, "lastUpdated": tx.stamp}


def answer_with_warnings(answer: dict[str, Any], body: Input) -> dict[str, Any]:
    """The answer, with a warning per unknown field."""
    return {**answer, "warnings": body.warnings()} if body.unknown else answer


OPERATIONS = (
    Operation(
        "register_open_loop",
        "POST",
        "/api/actions/loops",
        open_loop,
        "Register an open loop",
        "loops",
        body=LoopInput,
        status=201,
        also=("/api/loops",),
    ),
    Operation(
        "get_open_loops",
        "GET",
        "/api/actions/loops",
        list_loops,
        "List loops",
        "loops",
        query=LoopPage,
        role="readonly",
        also=("/api/loops",),
    ),
    Operation(
        "resolve_open_loop",
        "PATCH",
        "/api/actions/loops/{loop_id}",
        close_loop,
        "Resolve or cancel a loop",
        "loops",
        body=LoopEnd,
        also=("/api/loops/{loop_id}",),
    ),
)
