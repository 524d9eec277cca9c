"""Events as pages, for those who cannot hold a stream open."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from ..feed import cursor_before, events_after, last_event
from ..inputs import Page, Short, normal_time
from ..operations import Invocation, Operation

if TYPE_CHECKING:
    from ..store.engine import Tx


class EventPage(Page):
    """`after` is the id of the last event seen; `since` is a time instead, of which the first events are wanted."""

    default: ClassVar[int] = 100

    after: Annotated[int, Field(ge=0, le=2**62)] = 0
    since: Short | None = None


def listing(tx: Tx, call: Invocation) -> dict[str, Any]:
    """The events after a cursor, oldest first."""
    query: EventPage = call.query
    after = query.after
    since = normal_time("since", query.since)
    if since is not None:
        after = max(after, cursor_before(tx, call.caller.org_id, since))
    found = events_after(tx, call.caller.org_id, after, query.size)
    cursor = found[-1]["id"] if found else after
    newest = last_event(tx, call.caller.org_id)
    return {
        "events": found,
        "last_event_id": cursor,
        "newest_event_id": newest,
        "limit": query.size,
        "has_more": cursor < newest,
    }


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
