"""The requests of an MCP client that its server has yet to answer, and until when it may."""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

Message = Mapping[str, Any]

# Requests that nobody answers are forgotten, oldest first, when so many are open.
_MOST = 10_000


class Request:
    """A request on its way: `due` is None while it is being decided about, `taken` once the server has read it."""

    def __init__(self, message: Message) -> None:
        self.message = message
        self.due: float | None = None
        self.taken = False
        self.wanted = True


class Unanswered:
    """Keeps requests by id, each until it is answered or given up. Threads may share one; `clock` counts seconds."""

    def __init__(self, seconds: float, clock: Callable[[], float]) -> None:
        self._seconds = seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._open: dict[str, Request] = {}
        self._given_up: deque[str] = deque(maxlen=_MOST)

    def came(self, message: Message) -> None:
        """Remember a request of the client; a second one with the id of an open one is no request of its own."""
        if "method" in message and is_id(message.get("id")):
            with self._lock:
                self._open.setdefault(key_of(message["id"]), Request(message))
                if len(self._open) > _MOST:
                    self._open.pop(next(iter(self._open)))

    def passed_on(self, message: Message) -> None:
        """Let the time of a request begin."""
        with self._lock:
            found = self._of(message)
            if found is not None:
                found.due = self._clock() + self._seconds

    def taken(self, message: Message) -> None:
        """Note that the server has read a request."""
        with self._lock:
            found = self._of(message)
            if found is not None:
                found.taken = True

    def cancelled(self, message: Message) -> None:
        """Remember that the client wants no answer any more to what a notification names."""
        params = message.get("params")
        asked = params.get("requestId") if isinstance(params, Mapping) else None
        with self._lock:
            found = self._open.get(key_of(asked)) if is_id(asked) else None
            if found is not None:
                found.wanted = False

    def late(self, message: Message) -> bool:
        """Forget what a message of the server answers; true when the client has an answer, since it was given up."""
        if "method" in message or not is_id(message.get("id")):
            return False
        key = key_of(message["id"])
        with self._lock:
            return self._open.pop(key, None) is None and key in self._given_up

    def settled(self, message: Message) -> bool:
        """Forget a request that is not passed on; false when the client has an answer to it, since it was given up."""
        if not is_id(message.get("id")):
            return True
        key = key_of(message["id"])
        with self._lock:
            if self._of(message) is not None:
                del self._open[key]
                return True
            return key not in self._given_up

    def overdue(self) -> list[Request]:
        """Give up what should have been answered by now, and return it."""
        now = self._clock()
        return self._give_up(lambda request: request.due is not None and request.due <= now)

    def rest(self) -> list[Request]:
        """Give up everything, and return it."""
        return self._give_up(lambda _: True)

    def _give_up(self, when: Callable[[Request], bool]) -> list[Request]:
        with self._lock:
            found = {key: request for key, request in self._open.items() if when(request)}
            for key in found:
                del self._open[key]
            self._given_up.extend(found)
        return list(found.values())

    def _of(self, message: Message) -> Request | None:
        found = self._open.get(key_of(message["id"])) if is_id(message.get("id")) else None
        return found if found is not None and found.message is message else None


def is_id(found: Any) -> bool:
    """Whether a request can have this as its id."""
    return isinstance(found, (str, int, float)) and not isinstance(found, bool)


def key_of(message_id: Any, channel: str = "") -> str:
    """Return what stands for an id among those of a channel: 1 and "1" are two."""
    return json.dumps([channel, message_id])
