from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from dashclaw import AuthenticationError, ConfigurationError, DashClaw, UnknownOutcomeError
from dashclaw._events import SILENCE_SECONDS, TICK, EventSource
from dashclaw._transport import Request
from dashclaw.testing import FakeTransport


class Stream:
    """Plays chunks: bytes, None for silence, an error to raise; then it ends."""

    def __init__(self, *chunks: Any, status: int = 200) -> None:
        self.chunks = list(chunks)
        self.status = status
        self.headers: dict[str, str] = {}
        self.closed = False

    def read(self, timeout: float) -> bytes | None:
        chunk = self.chunks.pop(0) if self.chunks else b""
        if isinstance(chunk, Exception):
            raise chunk
        return chunk

    def close(self) -> None:
        self.closed = True


class Streams:
    """Hands out streams one after another."""

    def __init__(self, *streams: Any) -> None:
        self.streams = list(streams)
        self.requests: list[Request] = []

    def send(self, request: Request, timeout: float) -> Any:
        raise AssertionError

    def stream(self, request: Request, timeout: float) -> Any:
        self.requests.append(request)
        found = self.streams.pop(0)
        if isinstance(found, Exception):
            raise found
        return found

    def close(self) -> None: ...


def frame(number: int, name: str = "action.updated", data: Any = None) -> bytes:
    return f"id: {number}\nevent: {name}\ndata: {json.dumps(data or {'n': number})}\n\n".encode()


def reading(*streams: Any, **options: Any) -> tuple[Iterator[Any], Streams]:
    wire = Streams(*streams)
    claw = DashClaw(transport=wire, api_key="k")
    return claw.events(**options), wire


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dashclaw._events._FIRST_PAUSE", 0.0)


def test_events_come_decoded_and_the_greeting_is_skipped() -> None:
    frames = [frame(1, "connected"), frame(2) + frame(3, "x.y", ["a"]), b"event: t\ndata: no json\n\n"]
    found, wire = reading(Stream(*frames))
    assert next(found) == {"id": "2", "event": "action.updated", "data": {"n": 2}}
    assert next(found) == {"id": "3", "event": "x.y", "data": ["a"]}
    assert next(found)["data"] == "no json"
    assert wire.requests[0].headers["Accept"] == "text/event-stream"
    assert "Last-Event-ID" not in wire.requests[0].headers
    assert wire.requests[0].headers["x-api-key"] == "k"


def test_types_select_and_after_names_where_to_begin() -> None:
    wanted = "guard.decision.created"
    found, wire = reading(Stream(frame(8), frame(9, wanted)), types=wanted, after="7")
    assert next(found)["id"] == "9"
    assert wire.requests[0].headers["Last-Event-ID"] == "7"


def test_who_asks_is_told_of_a_connection_that_came_and_broke() -> None:
    types = ("connected", "disconnected", "action.updated")
    found, _ = reading(Stream(frame(1, "connected"), frame(2)), Stream(frame(3)), types=types)
    names = [next(found)["event"] for _ in range(4)]
    assert names == ["connected", "action.updated", "disconnected", "action.updated"]


@pytest.mark.parametrize("end", [[], [UnknownOutcomeError("reset")]])
def test_a_connection_that_breaks_is_resumed(end: list[Any]) -> None:
    found, wire = reading(Stream(frame(1), *end), UnknownOutcomeError("down"), Stream(status=503), Stream(frame(2)))
    assert [next(found)["id"], next(found)["id"]] == ["1", "2"]
    assert [request.headers.get("Last-Event-ID") for request in wire.requests] == [None, "1", "1", "1"]


def test_a_refused_stream_is_an_error_with_its_reason() -> None:
    stream = Stream(b'{"error": "bad key", "code": "UNAUTHORIZED"}', status=401)
    found, _ = reading(stream)
    with pytest.raises(AuthenticationError, match="bad key"):
        next(found)
    assert stream.closed


def test_closing_the_iterator_closes_its_stream() -> None:
    stream = Stream(frame(1), frame(2))
    found, _ = reading(stream)
    next(found)
    found.close()  # type: ignore[attr-defined]
    assert stream.closed


def test_silence_ends_the_iterator_when_asked_to() -> None:
    claw = DashClaw(agent_id="me", transport=FakeTransport())
    assert list(claw.events(timeout=0.05)) == []


def test_events_of_the_fake_and_a_resumed_iterator() -> None:
    claw = DashClaw(agent_id="me", transport=FakeTransport())
    found = claw.events(timeout=1, after="0")
    action_id = claw.create_action("research", "look")["action_id"]
    claw.update_outcome(action_id, "completed")
    first = next(found)
    assert (first["event"], first["data"]["action_id"]) == ("action.created", action_id)
    assert next(found)["data"]["status"] == "completed"
    again = list(claw.events(after=first["id"], timeout=0.05))
    assert [event["event"] for event in again] == ["action.updated"]


@pytest.mark.parametrize("timeout", [0, -1])
def test_a_timeout_is_positive(timeout: float) -> None:
    with pytest.raises(ConfigurationError, match="timeout"):
        DashClaw(transport=FakeTransport()).events(timeout=timeout)


def source(*streams: Any, **options: Any) -> tuple[EventSource, list[float], list[float]]:
    """A source with a clock of its own, which only its naps and silences move."""
    clock = [0.0]
    naps: list[float] = []

    def nap(seconds: float) -> None:
        naps.append(seconds)
        clock[0] += seconds

    claw = DashClaw(transport=Streams(*streams))
    return EventSource(claw._exchange, nap=nap, now=lambda: clock[0], **options), clock, naps


def test_a_silent_connection_is_taken_for_dead() -> None:
    silent = Stream(*[None] * 100)
    found, clock, _ = source(silent, Stream(frame(1)))
    for item in found:
        clock[0] += 1
        if item is not TICK and getattr(item, "id", None) == "1":
            break
    assert silent.closed
    assert SILENCE_SECONDS <= clock[0] < SILENCE_SECONDS + 20


def test_pauses_grow_up_to_a_limit_and_start_again_after_data(monkeypatch: pytest.MonkeyPatch) -> None:
    down = [UnknownOutcomeError("down")] * 12
    found, _, naps = source(*down, Stream(frame(1)), UnknownOutcomeError("down"), Stream(frame(2)))
    found.tick = 1000.0
    found._pause = 0.2
    for item in found:
        if getattr(item, "id", None) == "2":
            break
    assert naps[0] <= 0.2
    assert 5 <= max(naps) <= 10


def test_a_patient_source_tries_again_after_a_refusal() -> None:
    found, clock, _ = source(Stream(b"{}", status=404), Stream(frame(1)), patient=True)
    assert any(getattr(item, "id", None) == "1" for item in found if item is not TICK)
    assert clock[0] >= 30
