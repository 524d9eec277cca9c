"""Events as pages, for those who cannot hold a stream open."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from ..feed import events_after, last_event
from ..inputs import Page
from ..operations import Invocation, Operation

if TYPE_CHECKING:
    from ..store.engine import Tx


class EventPage(Page):
    """`after` is the id of the last event seen."""

    default: ClassVar[int] = 100

    after: Annotated[int, Field(ge=0, le=2**62)] = 0


def listing(tx: Tx, call: Invocation) -> dict[str, Any]:
    """The events after a cursor, oldest first."""
    query: EventPage = call.query
    found = events_after(tx, call.caller.org_id, query.after, query.size)
    cursor = found[-1]["id"] if found else query.after
    newest = last_event(tx, call.caller.org_id)
    return {"events": found, "last_event_id": cursor, "limit": query.size, "has_more": cursor < newest}


OPERATIONS = (
    Operation(
        "get_events",
        "GET",
        "/api/events",
        listing,
        "List events after a cursor",
        "events",
        query=EventPage,
        role="readonly",
    ),
)
