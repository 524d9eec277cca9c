"""Wakes those who wait for news of an action or a pairing: one event stream per client serves all of them.

The stream is read by a daemon thread that starts with the first waiter and ends a few seconds after the last.
"""

from __future__ import annotations

import json
import os
import threading
import time
from typing import TYPE_CHECKING, Any, Dict, List, Optional, Set

from ._call import Ticket, Wait
from ._events import CONNECTED, LOST, EventSource
from ._log import logger
from ._sse import Event

if TYPE_CHECKING:
    from ._exchange import Exchange

LINGER_SECONDS = 5.0


class Seat(Ticket):
    """A ticket for one topic."""

    def __init__(self, watcher: Watcher, topic: str) -> None:
        self.watcher = watcher
        self.topic = topic

    def close(self) -> None:
        """Give up the place."""
        self.watcher.leave(self)


class ThreadSeat(Seat):
    """A ticket for a waiting thread."""

    def __init__(self, watcher: Watcher, topic: str) -> None:
        super().__init__(watcher, topic)
        self._news = threading.Event()

    def wake(self) -> None:
        """Tell the waiting thread."""
        self._news.set()

    def rest(self, seconds: float) -> None:
        """Wait for news at most some seconds."""
        self._news.wait(seconds)
        self._news.clear()


class Watcher:
    """The waiters of one client."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._seats: Dict[str, Set[Seat]] = {}
        self._source: Optional[EventSource] = None
        self._stop = threading.Event()
        self.connected = False

    def usable(self) -> bool:
        """Whether this watcher still works: not in a forked child, whose threads are gone."""
        return self._pid == os.getpid()

    def join(self, topic: str) -> ThreadSeat:
        """Return a ticket for a thread that waits for news of an action or a pairing."""
        seat = ThreadSeat(self, topic)
        self.admit(seat)
        return seat

    def admit(self, seat: Seat) -> None:
        """Let a ticket be woken from now on."""
        with self._lock:
            self._seats.setdefault(seat.topic, set()).add(seat)
            if self._source is not None or self._stop.is_set() or not self._exchange.streams:
                return
            self._source = source = EventSource(self._exchange, patient=True, nap=self._stop.wait)
        threading.Thread(target=self._run, args=(source,), name="dashclaw-events", daemon=True).start()

    def leave(self, seat: Seat) -> None:
        """Forget a ticket; leaving twice is harmless."""
        with self._lock:
            seats = self._seats.get(seat.topic)
            if seats is not None:
                seats.discard(seat)
                if not seats:
                    del self._seats[seat.topic]

    def wait(self, step: Wait) -> None:
        """Let this thread wait as a step says."""
        assert isinstance(step.ticket, ThreadSeat)
        step.ticket.rest(self.patience(step))

    def patience(self, step: Wait) -> float:
        """How long to wait without news: long while events arrive, short while they do not."""
        return step.live if self.connected else step.polling

    def close(self) -> None:
        """End the stream; who still waits goes on by asking."""
        self._stop.set()
        with self._lock:
            source = self._source
        if source is not None:
            source.close()

    def _run(self, source: EventSource) -> None:
        try:
            self._follow(source)
        except Exception:  # noqa: BLE001 - the thread's edge: waiters go on by asking
            logger().exception("The event stream failed; waiting goes on by asking")
        finally:
            source.close()
            with self._lock:
                current = self._source is source
                if current:
                    self._source = None
            if current:
                self._mark(False)

    def _follow(self, source: EventSource) -> None:
        needed = time.monotonic()
        for item in source:
            if isinstance(item, Event):
                self._tell(item)
            elif item is CONNECTED or item is LOST:
                self._mark(item is CONNECTED)
            if self._seats:
                needed = time.monotonic()
            elif time.monotonic() - needed > LINGER_SECONDS and self._retire():
                return

    def _retire(self) -> bool:
        # Decided under the lock, so that whoever joins next starts a new stream.
        with self._lock:
            if self._seats:
                return False
            self._source = None
            self.connected = False
            return True

    def _tell(self, event: Event) -> None:
        topic = _topic(event)
        if topic is not None:
            with self._lock:
                seats: List[Seat] = list(self._seats.get(topic, ()))
            for seat in seats:
                seat.wake()

    def _mark(self, connected: bool) -> None:
        """Note the connection's state; what happened before it is learnt by asking, so everybody wakes."""
        with self._lock:
            self.connected = connected
            seats = [seat for found in self._seats.values() for seat in found]
        for seat in seats:
            seat.wake()


def _topic(event: Event) -> Optional[str]:
    if '"action_id"' not in event.data and '"pairing_id"' not in event.data:
        return None
    try:
        found: Any = json.loads(event.data)
    except ValueError:
        return None
    topic = (found.get("action_id") or found.get("pairing_id")) if isinstance(found, dict) else None
    return topic if isinstance(topic, str) else None
