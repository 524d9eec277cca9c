"""A transport for tests of programs that use DashClaw: scripted decisions, recorded calls, assertions."""

from __future__ import annotations

import json
import threading
from typing import Any, Mapping, NamedTuple, Union
from urllib.parse import parse_qsl, unquote

from dashclaw._transport import Request, Response
from dashclaw.errors import ClientClosedError

from ._memory import Decide, Memory
from ._rows import RefusedError, text

_JSON = {"content-type": "application/json"}
_SIGNATURE = frozenset({"_signed_at", "_nonce", "_signature"})
_RAN = frozenset({"running", "completed", "failed", "cancelled"})
Decisions = Union[Mapping[str, Any], Decide]


class RecordedCall(NamedTuple):
    """One request as the program sent it."""

    verb: str
    path: str
    query: Mapping[str, str]
    body: Mapping[str, Any]


class FakeTransport:
    """Answers like a server, from memory.

    `decisions` maps an action type to its decision ("allow", "warn", "require_approval", "block", or a mapping with
    `decision` and more), or is a function of the context; other types get `default`. `approve` ("allow" or "deny")
    decides at once about what waits for a person, so that a test needs no second thread.

    >>> from dashclaw import DashClaw, GuardBlockedError
    >>> fake = FakeTransport(decisions={"deploy": "block"})
    >>> claw = DashClaw(agent_id="me", transport=fake)
    >>> with claw.track("research", "Look it up") as run:
    ...     run.set(output_summary="found")
    >>> fake.assert_recorded(action_type="research", status="completed")["output_summary"]
    'found'
    >>> try:
    ...     with claw.track("deploy", "Ship it"):
    ...         print("never printed")
    ... except GuardBlockedError as error:
    ...     print(error)
    Blocked: Scripted: the test says so
    >>> fake.assert_not_run("deploy")
    """

    exactly_once = True

    def __init__(
        self, decisions: Decisions | None = None, *, default: str = "allow", approve: str | None = None
    ) -> None:
        self._decisions = decisions or {}
        self._default = default
        self.calls: list[RecordedCall] = []
        self._failures: list[Exception | Response] = []
        self._events: list[bytes] = []
        self._news = threading.Condition()
        self._closed = False
        self.memory = Memory(self._decide, self._announce, approve)

    @property
    def actions(self) -> list[dict[str, Any]]:
        """The recorded actions, oldest first."""
        return list(self.memory.actions.values())

    def fail_next(self, failure: Exception | int, times: int = 1) -> None:
        """Let the next calls fail: with an error of `dashclaw` that is raised, or with an HTTP status."""
        if isinstance(failure, int):
            answer = Response(failure, _JSON, text({"error": f"Scripted {failure}"}).encode())
            self._failures.extend([answer] * times)
        else:
            self._failures.extend([failure] * times)

    def send(self, request: Request, timeout: float) -> Response:
        """Record the call and answer it."""
        if self._closed:
            raise ClientClosedError("This client was closed")
        path, _, query = request.target.partition("?")
        asked = dict(parse_qsl(query, keep_blank_values=True))
        body = json.loads(request.body) if request.body else {}
        with self._news:
            self.calls.append(RecordedCall(request.method, path, asked, body))
            if self._failures:
                failure = self._failures.pop(0)
                if isinstance(failure, Exception):
                    raise failure
                return failure
            try:
                unsigned = {name: value for name, value in body.items() if name not in _SIGNATURE}
                status, found = self.memory.answer(request.method, unquote(path), asked, unsigned)
            except RefusedError as refused:
                status, found = refused.status, refused.body
            return Response(status, _JSON, text(found).encode())

    def stream(self, request: Request, timeout: float) -> FakeStream:
        """Follow the events from now on, or from the id that the request names."""
        if self._closed:
            raise ClientClosedError("This client was closed")
        after = request.headers.get("Last-Event-ID")
        return FakeStream(self, int(after) if after else len(self._events))

    def close(self) -> None:
        """Refuse further calls and end the streams."""
        with self._news:
            self._closed = True
            self._news.notify_all()

    def assert_called(self, verb: str, path: str) -> RecordedCall:
        """Return the last call of a route; raises `AssertionError` when there was none."""
        for call in self.calls[::-1]:
            if (call.verb, call.path) == (verb, path):
                return call
        made = ", ".join(f"{call.verb} {call.path}" for call in self.calls) or "none"
        raise AssertionError(f"No call {verb} {path}; calls: {made}")

    def assert_recorded(self, **fields: Any) -> dict[str, Any]:
        """Return the last action with these fields; raises `AssertionError` when there is none."""
        for row in self.actions[::-1]:
            if all(row.get(name) == value for name, value in fields.items()):
                return row
        raise AssertionError(f"No action with {fields}; recorded: {self._shown(fields)}")

    def assert_not_recorded(self, **fields: Any) -> None:
        """Raise `AssertionError` when an action with these fields was recorded."""
        found = [row for row in self.actions if all(row.get(name) == value for name, value in fields.items())]
        if found:
            raise AssertionError(f"Recorded {len(found)} with {fields}: {self._shown(fields)}")

    def assert_not_run(self, action_type: str) -> None:
        """Raise `AssertionError` when an action of this type was allowed to run."""
        ran = [
            row
            for row in self.actions
            if row["action_type"] == action_type
            and row["status"] in _RAN
            and row["resolution"] is None
            and not (row["status"] == "cancelled" and row["duration_ms"] is None)
        ]
        if ran:
            raise AssertionError(f"{action_type} ran {len(ran)} times: {self._shown({})}")

    def _shown(self, fields: Mapping[str, Any]) -> str:
        names = ["action_type", "status", *(name for name in fields if name not in ("action_type", "status"))]
        return text([{name: row.get(name) for name in names} for row in self.actions])

    def _decide(self, context: Mapping[str, Any]) -> Any:
        if callable(self._decisions):
            return self._decisions(context)
        return self._decisions.get(context["action_type"], self._default)

    def _announce(self, name: str, row: Mapping[str, Any]) -> None:
        with self._news:
            number = len(self._events) + 1
            self._events.append(f"id: {number}\nevent: {name}\ndata: {text(row)}\n\n".encode())
            self._news.notify_all()

    def __repr__(self) -> str:
        return f"FakeTransport({len(self.calls)} calls, {len(self.memory.actions)} actions)"


class FakeStream:
    """The events of a `FakeTransport`, as a server sends them."""

    status = 200
    headers: Mapping[str, str] = {"content-type": "text/event-stream"}

    def __init__(self, fake: FakeTransport, after: int) -> None:
        self._fake = fake
        self._after = after
        self._closed = False

    def read(self, timeout: float) -> bytes | None:
        """The next events; None when none came within `timeout` seconds, `b""` once closed."""
        fake = self._fake
        with fake._news:
            if not self._ended() and self._after >= len(fake._events):
                fake._news.wait(timeout)
            if self._ended():
                return b""
            found, self._after = fake._events[self._after :], len(fake._events)
            return b"".join(found) or None

    def _ended(self) -> bool:
        return self._closed or self._fake._closed

    def close(self) -> None:
        """End the stream."""
        with self._fake._news:
            self._closed = True
            self._fake._news.notify_all()
