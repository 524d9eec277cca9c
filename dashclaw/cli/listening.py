"""Listens or asks in a thread of its own, for a command that waits for keys meanwhile."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, NamedTuple

from dashclaw.errors import DashClawError

if TYPE_CHECKING:
    from dashclaw import DashClaw
    from dashclaw.types import ServerEvent

CONNECTED = "connected"
DISCONNECTED = "disconnected"


class Bell:
    """Wakes who waits for keys: `wakes` is readable once it rang."""

    def __init__(self) -> None:
        self.wakes, self._bell = os.pipe()
        os.set_blocking(self.wakes, False)
        os.set_blocking(self._bell, False)
        self._come: SimpleQueue[Any] = SimpleQueue()
        self._closed = threading.Event()

    def ring(self) -> None:
        """Make `wakes` readable; a signal handler may do so too."""
        # A full pipe wakes as well as another byte would.
        with suppress(BlockingIOError, OSError):
            os.write(self._bell, b"!")

    def take(self) -> list[Any]:
        """What came since the last time; never waits. Raises the error that came."""
        with suppress(BlockingIOError):
            os.read(self.wakes, 4096)
        found: list[Any] = []
        while True:
            try:
                item = self._come.get_nowait()
            except Empty:
                return found
            if isinstance(item, DashClawError):
                raise item
            found.append(item)

    def _put(self, found: Any) -> None:
        self._come.put(found)
        self.ring()

    def _begin(self, run: Callable[[], None]) -> None:
        threading.Thread(target=self._run, args=(run,), name="dashclaw-cli", daemon=True).start()

    def _run(self, run: Callable[[], None]) -> None:
        try:
            run()
        except DashClawError as error:
            if not self._closed.is_set():
                self._put(error)

    def close(self) -> None:
        """Take no more."""
        self._closed.set()


class Listener(Bell):
    """The events of some names, and of the connection, as they come.

    To be closed before its client, which ends the thread. Taking raises the error of a server that refuses the stream.
    """

    def __init__(self, client: DashClaw, names: Collection[str], after: str | None = None) -> None:
        super().__init__()
        # The greeting and the farewell of each connection let the thread see that it is to end.
        events = client.events(types=[*names, CONNECTED, DISCONNECTED], after=after)
        self._begin(lambda: self._read(events))

    def _read(self, events: Iterator[ServerEvent]) -> None:
        for event in events:
            if self._closed.is_set():
                return
            self._put(event)


class Poller(Bell):
    """Asks again and again, every so many seconds from one answer to the next question; an error is an answer too."""

    def __init__(self, ask: Callable[[], Any], seconds: float) -> None:
        super().__init__()
        self._ask = ask
        self._seconds = seconds
        self._begin(self._poll)

    def _poll(self) -> None:
        while not self._closed.is_set():
            try:
                found = self._ask()
            except DashClawError as error:
                found = Failed(error.message)
            if not self._closed.is_set():
                self._put(found)
            self._closed.wait(self._seconds)


class Failed(NamedTuple):
    """A question that had no answer, and why."""

    message: str
