"""Learns of committed events, whichever process committed them."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, func, select

from dashclaw._json import compact

from .store.engine import Hot, decode
from .store.tables import events

if TYPE_CHECKING:
    from .store.engine import Store, Tx
    from .store.watch import Watch

# A person does not notice 10 ms; PRAGMA data_version costs about 2 µs.
POLL_SECONDS = 0.01

_AFTER = Hot(
    select(events)
    .where(events.c.org_id == bindparam("org"), events.c.id > bindparam("after"))
    .order_by(events.c.id)
    .limit(bindparam("most"))
)
_NEXT = Hot(
    select(events.c.id, events.c.created_at)
    .where(events.c.org_id == bindparam("org"), events.c.id > bindparam("after"))
    .order_by(events.c.id)
    .limit(1)
)
_LAST = Hot(select(func.max(events.c.id)).where(events.c.org_id == bindparam("org")))


def events_after(tx: Tx, org_id: str, after: int, most: int = 200) -> list[dict[str, Any]]:
    """The organisation's next events after the cursor `after`, oldest first."""
    return [decode(events, row) for row in tx.all(_AFTER, org=org_id, after=after, most=most)]


def last_event(tx: Tx, org_id: str) -> int:
    """The cursor of the organisation's newest event, 0 when there is none."""
    return tx.scalar(_LAST, org=org_id) or 0


def cursor_before(tx: Tx, org_id: str, since: str) -> int:
    """The cursor after which the organisation's events of a moment and later come.

    Ids are given in the order of time, so it is found by halving: a look-up per bit of the newest id.
    """
    before, newest = 0, last_event(tx, org_id)
    while before < newest:
        middle = (before + newest) // 2
        found = tx.one(_NEXT, org=org_id, after=middle)
        if found is None or found["created_at"] >= since:
            newest = middle
        else:
            before = found["id"]
    return before


def frame(event: dict[str, Any]) -> bytes:
    """One event as a server-sent event: one `data:` line, a space after each colon."""
    data = compact(event["data"])
    return f"id: {event['id']}\nevent: {event['event']}\ndata: {data}\n\n".encode()


class Feed:
    """Waits for commits; the events themselves are always read from the table by cursor."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._closed = threading.Event()

    def follow(self, org_id: str, after: int) -> Follower:
        """A reader of one organisation's events after a cursor."""
        return Follower(self._store, self._closed, org_id, after)

    def watch(self) -> Watch:
        """Something that tells of commits, for one that serves many readers."""
        return self._store.watch()

    def close(self) -> None:
        """Wake every follower; it then ends."""
        self._closed.set()


class Follower:
    """Reads on from a cursor; one thread reads, any thread may close."""

    def __init__(self, store: Store, closed: threading.Event, org_id: str, after: int) -> None:
        self._store = store
        self._feed_closed = closed
        self._closed = False
        self._org_id = org_id
        self._watch = store.watch()
        self._watch.moved()
        # SQLite crashes when a connection is closed while another thread uses it.
        self._lock = threading.Lock()
        self._behind = True
        self.after = after

    @property
    def closed(self) -> bool:
        """Whether nothing will come any more."""
        return self._closed or self._feed_closed.is_set()

    def next(self, timeout: float, most: int = 200) -> list[dict[str, Any]]:
        """The next events, waiting up to `timeout` seconds for the first; empty when there are none."""
        deadline = time.monotonic() + timeout
        while not self.closed:
            if self._behind or self._moved():
                with self._store.read() as tx:
                    found = events_after(tx, self._org_id, self.after, most)
                self._behind = len(found) == most
                if found:
                    self.after = found[-1]["id"]
                    return found
            left = deadline - time.monotonic()
            if left <= 0:
                break
            self._feed_closed.wait(min(POLL_SECONDS, left))
        return []

    def _moved(self) -> bool:
        with self._lock:
            return not self._closed and self._watch.moved()

    def close(self) -> None:
        """End the reading; closing twice is harmless."""
        with self._lock:
            self._closed = True
            self._watch.close()
