"""Hands events from the thread that reads them to a task, a bounded number at a time."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from typing import TYPE_CHECKING, AsyncIterator, Deque, Optional, Tuple

if TYPE_CHECKING:
    from ._events import EventSource, Selection
    from .types import ServerEvent

BUFFERED = 256
_LOOK_SECONDS = 0.5


async def relay(selection: Selection, source: EventSource) -> AsyncIterator[ServerEvent]:
    """Yield the selected events; closing the iterator closes the source."""
    pump = _Pump(selection, source)
    threading.Thread(target=pump.run, name="dashclaw-relay", daemon=True).start()
    try:
        while True:
            event, ended = await pump.next()
            if ended:
                return
            assert event is not None
            yield event
    finally:
        pump.close()


class _Pump:
    def __init__(self, selection: Selection, source: EventSource) -> None:
        self._selection = selection
        self._source = source
        self._loop = asyncio.get_running_loop()
        self._news = asyncio.Event()
        self._events: Deque[ServerEvent] = deque()
        self._room = threading.Semaphore(BUFFERED)
        self._ended = False
        self._closed = False
        self._error: Optional[BaseException] = None

    def run(self) -> None:
        """Read until the end; the source waits while the task lags behind."""
        try:
            for event in self._selection.of(self._source):
                while not self._room.acquire(timeout=_LOOK_SECONDS):
                    if self._closed:
                        return
                self._events.append(event)
                self._tell()
        except BaseException as error:  # noqa: BLE001 - raised in the task that iterates
            self._error = error
        finally:
            self._ended = True
            self._tell()

    def _tell(self) -> None:
        try:
            self._loop.call_soon_threadsafe(self._news.set)
        except RuntimeError:
            self.close()  # the loop is closed, nobody iterates any more

    async def next(self) -> Tuple[Optional[ServerEvent], bool]:
        """The next event, or None and True at the end; raises what ended the reading."""
        while not self._events:
            if self._ended:
                if self._error is not None and not self._events:
                    raise self._error
                if not self._events:
                    return None, True
                break
            await self._news.wait()
            self._news.clear()
        event = self._events.popleft()
        self._room.release()
        return event, False

    def close(self) -> None:
        """Stop reading."""
        self._closed = True
        self._source.close()
