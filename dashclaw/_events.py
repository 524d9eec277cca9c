"""The server's events, connection after connection, resumed where the last one broke."""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING, Any, Callable, Collection, Iterator, NamedTuple, Optional, Union

from ._failure import nobody_answered
from ._sse import Event, SseParser
from .errors import ConfigurationError, DashClawError, TransportError

if TYPE_CHECKING:
    from ._exchange import Exchange
    from ._transport import ByteStream
    from .types import ServerEvent

# A server sends a comment every 15 seconds; three missing ones mean that the connection is dead.
SILENCE_SECONDS = 45.0
TICK_SECONDS = 1.0
_FIRST_PAUSE = 0.2
_LONGEST_PAUSE = 10.0
_REFUSED_PAUSE = 30.0


class Mark(NamedTuple):
    """Something about the connection rather than an event."""

    name: str


CONNECTED = Mark("connected")
LOST = Mark("lost")
TICK = Mark("tick")

Item = Union[Event, Mark]


class EventSource:
    """Iterates over events and marks; one thread iterates, any thread may close.

    A mark comes at least every `tick` seconds. `patient`: a refusal of the server is a reason to try later,
    otherwise it is raised.
    """

    def __init__(
        self,
        exchange: Exchange,
        after: Optional[str] = None,
        *,
        patient: bool = False,
        nap: Callable[[float], Any] = time.sleep,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.tick = TICK_SECONDS
        self._exchange = exchange
        self._cursor = after
        self._patient = patient
        self._nap = nap
        self._now = now
        self._closed = False
        self._stream: Optional[ByteStream] = None
        self._pause = _FIRST_PAUSE

    def close(self) -> None:
        """End the iteration; closing twice is harmless."""
        self._closed = True
        stream = self._stream
        if stream is not None:
            stream.close()

    def __iter__(self) -> Iterator[Item]:
        try:
            while not self._closed:
                try:
                    self._stream = self._exchange.open_stream(self._cursor)
                except DashClawError as error:
                    refused = not nobody_answered(error)
                    if refused and not self._patient:
                        raise
                    yield from self._rest(_REFUSED_PAUSE if refused else self._next_pause())
                    continue
                yield CONNECTED
                yield from self._read(self._stream)
                self._stream.close()
                yield LOST
                yield from self._rest(self._next_pause())
        finally:
            self.close()

    def _read(self, stream: ByteStream) -> Iterator[Item]:
        parser = SseParser()
        heard = self._now()
        try:
            while not self._closed:
                data = stream.read(self.tick)
                if data is None:
                    if self._exchange.may_lose and self._now() - heard > SILENCE_SECONDS:
                        return
                    yield TICK
                    continue
                if not data:
                    return
                heard = self._now()
                self._pause = _FIRST_PAUSE
                for event in parser.feed(data):
                    self._cursor = event.id or self._cursor
                    yield event
                yield TICK
        except TransportError:
            return

    def _next_pause(self) -> float:
        # Spread out, so that many clients do not come back at once.
        pause = self._pause * (0.5 + os.urandom(1)[0] / 510)
        self._pause = min(self._pause * 2, _LONGEST_PAUSE)
        return pause

    def _rest(self, seconds: float) -> Iterator[Item]:
        until = self._now() + seconds
        while not self._closed:
            yield TICK
            left = until - self._now()
            if left <= 0:
                return
            self._nap(min(left, self.tick))


def events(
    exchange: Exchange,
    *,
    types: Union[str, Collection[str], None],
    after: Optional[str],
    timeout: Optional[float],
) -> Iterator[ServerEvent]:
    """Check the arguments and return the iterator behind `DashClaw.events`."""
    return Selection(types, timeout).of(EventSource(exchange, after))


class Selection:
    """Which events are wanted, and how long a silence ends the iteration."""

    def __init__(self, types: Union[str, Collection[str], None], timeout: Optional[float]) -> None:
        if timeout is not None and not timeout > 0:
            raise ConfigurationError(f"timeout is a positive number of seconds or None, not {timeout!r}")
        self._types = frozenset([types]) if isinstance(types, str) else frozenset(types or ())
        self._timeout = timeout

    def of(self, source: EventSource) -> Iterator[ServerEvent]:
        """Yield the wanted events of a source, and close it at the end."""
        last = time.monotonic()
        if self._timeout is not None:
            source.tick = min(TICK_SECONDS, self._timeout)
        try:
            for item in source:
                if isinstance(item, Event) and self._wants(item):
                    yield read_event(item)
                    last = time.monotonic()
                elif item is LOST and "disconnected" in self._types:
                    yield {"id": None, "event": "disconnected", "data": {}}
                elif self._timeout is not None and time.monotonic() - last >= self._timeout:
                    return
        finally:
            source.close()

    def _wants(self, event: Event) -> bool:
        # Unless asked for, the greeting of each connection is none of the organisation's events.
        return event.event in self._types if self._types else event.event != "connected"


def read_event(event: Event) -> ServerEvent:
    """Return an event with its data decoded."""
    try:
        data = json.loads(event.data)
    except ValueError:
        data = event.data
    return {"id": event.id, "event": event.event, "data": data}
