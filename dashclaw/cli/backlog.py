"""Events of before a command began, a page at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from .happenings import Happening, read

if TYPE_CHECKING:
    from dashclaw import DashClaw

_PAGE = 200


class Backlog:
    """The happenings from a moment (`since`) or an event (`after`) on; none when neither is given.

    `cursor` is where the stream goes on, once all of them were iterated: nothing is lost in between. It is None for a
    server that does not tell. Raises `DashClawError` at once when the server refuses or does not answer.
    """

    def __init__(self, client: DashClaw, *, since: str | None, after: int | None) -> None:
        self._client = client
        self._first = {name: value for name, value in (("since", since), ("after", after)) if value is not None}
        newest = client.request("GET", "/api/events", query={"limit": 1}).get("newest_event_id")
        self.cursor = None if newest is None else str(newest)

    def __iter__(self) -> Iterator[Happening]:
        query: Mapping[str, Any] = self._first
        while query:
            page = self._client.request("GET", "/api/events", query={**query, "limit": _PAGE})
            for event in page["events"]:
                if found := read(event, event["created_at"]):
                    yield found
            self.cursor = str(page["last_event_id"])
            query = {"after": page["last_event_id"]} if page["has_more"] else {}
