"""Server-sent events, parsed from bytes as they arrive (WHATWG HTML, section 9.2.6)."""

from __future__ import annotations

from typing import List, NamedTuple, Optional

from .errors import UnreadableAnswerError

LONGEST = 4 * 1024 * 1024
_LONGEST_NUMBER = 10


class Event(NamedTuple):
    """One event: the cursor to go on from, the name (`message` when none was given), the data."""

    id: Optional[str]
    event: str
    data: str


class SseParser:
    """Feed it bytes, get events. `last_event_id` is where to resume, `retry` the server's wish in milliseconds."""

    def __init__(self, longest: int = LONGEST) -> None:
        self._longest = longest
        self.last_event_id: Optional[str] = None
        self.retry: Optional[int] = None
        self._bytes = b""
        self._begun = False
        self._name = ""
        self._data: List[str] = []
        self._size = 0

    def feed(self, chunk: bytes) -> List[Event]:
        """Return the events that these bytes complete; raises `UnreadableAnswerError` for one that is too long."""
        found: List[Event] = []
        self._bytes += chunk
        if not self._begun and len(self._bytes) >= 3:
            self._begun = True
            if self._bytes.startswith(b"\xef\xbb\xbf"):
                self._bytes = self._bytes[3:]
        for line in self._lines():
            event = self._line(line)
            if event is not None:
                found.append(event)
        if len(self._bytes) + self._size > self._longest:
            raise UnreadableAnswerError("The event stream holds an event longer than %d bytes" % self._longest)
        return found

    def _lines(self) -> List[str]:
        text = self._bytes
        # A final CR may be the first half of a CRLF: it waits for the next byte.
        held = text.endswith(b"\r")
        parts = (text[:-1] if held else text).replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        self._bytes = parts.pop() + (b"\r" if held else b"")
        return [part.decode("utf-8", "replace") for part in parts]

    def _line(self, line: str) -> Optional[Event]:
        if not line:
            return self._dispatch()
        field, _, value = line.partition(":")
        if value.startswith(" "):
            value = value[1:]
        if field == "data":
            self._data.append(value)
            self._size += len(value)
        elif field == "event":
            self._name = value
        elif field == "id" and "\0" not in value:
            self.last_event_id = value
        elif field == "retry" and value.isascii() and value.isdigit() and len(value) < _LONGEST_NUMBER:
            self.retry = int(value)
        return None

    def _dispatch(self) -> Optional[Event]:
        name, data = self._name, self._data
        self._name, self._data, self._size = "", [], 0
        if not data:
            return None
        return Event(self.last_event_id, name or "message", "\n".join(data))
