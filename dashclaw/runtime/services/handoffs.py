"""Session handoffs: what one session leaves for the next."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from ..inputs import Flag, Short
from ..operations import Invocation, Operation
from ..store.tables import handoffs
from .kinds import AgentPage, Kind, stamped
from .loops import filters_of

if TYPE_CHECKING:
    from ..store.engine import Tx

DAY = 10

HANDOFFS = Kind("handoff", "ho", handoffs, fill=stamped("session_date", DAY))


class HandoffPage(AgentPage):
    """Filters of the list; `date` is the session's, `latest` asks for the newest alone."""

    cap: ClassVar[int] = 1000

    date: Short | None = None
    latest: Flag = False


def listing(tx: Tx, call: Invocation) -> dict[str, Any]:
    """Handoffs, newest first; or the newest as `handoff`, null where there is none."""
    query: HandoffPage = call.query
    filters = filters_of(query, ("agent_id",))
    if query.date is not None:
        filters["session_date"] = query.date
    if not query.latest:
        return HANDOFFS.page(tx, call.caller, query, filters)
    found, _ = HANDOFFS.top(tx, call.caller.org_id, filters, 1)
    return {"handoff": found[0] if found else None}


OPERATIONS = (
    HANDOFFS.creating("create_handoff", "/api/handoffs", "Leave a handoff", "handoffs"),
    Operation(
        "get_handoffs",
        "GET",
        "/api/handoffs",
        listing,
        "List handoffs",
        "handoffs",
        query=HandoffPage,
        role="readonly",
    ),
)
