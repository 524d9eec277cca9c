"""Activity: who changed what, read from the log of events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..inputs import Page, Short, normal_time
from ..operations import Invocation, Operation
from ..problems import invalid
from ..store import activity as rows
from ..store.tables import DECISION_MADE

if TYPE_CHECKING:
    from ..store.engine import Tx


class ActivityPage(Page):
    """Filters of the log; `type` is another word for `resource_type`, `action` the name of the event."""

    action: Short | None = None
    actor_id: Short | None = None
    agent_id: Short | None = None
    resource_type: Short | None = None
    type: Short | None = None
    before: Short | None = None
    after: Short | None = None


def listing(tx: Tx, call: Invocation) -> dict[str, Any]:
    """Changes, newest first; guard decisions have a list of their own.

    Counts stop at 5,000; `total` is then the least there are.
    """
    query: ActivityPage = call.query
    org_id = call.caller.org_id
    filters = _filters(query)
    found = rows.page(tx, org_id, filters, query.size, query.offset)
    stats = rows.stats(tx, org_id, filters, tx.stamp[:10])
    total = stats["total"]
    more = query.offset + len(found) < total or len(found) == query.size
    return {
        "logs": [_wire(row) for row in found],
        "stats": stats,
        "pagination": {"limit": query.size, "offset": query.offset, "total": total, "has_more": more},
    }


def _filters(query: ActivityPage) -> dict[str, Any]:
    if query.action == DECISION_MADE:
        raise invalid("action", "guard decisions are listed by GET /api/guard")
    found: dict[str, Any] = {"event": query.action, "actor_id": query.actor_id, "agent_id": query.agent_id}
    found["resource_type"] = query.resource_type or query.type
    for name in ("before", "after"):
        if (text := getattr(query, name)) is not None:
            found[name] = normal_time(name, text)
    return {name: value for name, value in found.items() if value is not None}


def _wire(row: dict[str, Any]) -> dict[str, Any]:
    found = {name: value for name, value in row.items() if name not in ("event", "data", "id")}
    return {
        **found,
        "id": f"al_{row['id']}",
        "action": row["event"],
        "details": row["data"],
        "actor_name": row["actor_id"],
    }


OPERATIONS = (
    Operation(
        "get_activity_logs",
        "GET",
        "/api/activity",
        listing,
        "List changes",
        "activity",
        query=ActivityPage,
        role="readonly",
    ),
)
