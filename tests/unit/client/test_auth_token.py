"""Bearer tokens: sent with every request, asked for anew where a function gives them, shown nowhere."""

from __future__ import annotations

import asyncio
import logging
import threading
from typing import Any

import pytest

from dashclaw import AsyncDashClaw, ConfigurationError, DashClaw, GuardUnavailableError, NotSentError
from dashclaw.testing import FakeTransport

from .support import Scripted, answer, client, patient

TOKEN = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJtZSJ9.c2lnbmF0dXJl"
OK = answer({"decision": "allow"})


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("API_KEY", "AUTH_TOKEN", "BASE_URL"):
        monkeypatch.delenv(f"DASHCLAW_{name}", raising=False)


def test_a_token_goes_beside_the_key_or_alone() -> None:
    claw, wire = client(OK, api_key="k", auth_token=TOKEN)
    claw.guard({"action_type": "a"})
    claw.get_org()
    for request in wire.requests:
        assert (request.headers["Authorization"], request.headers["x-api-key"]) == (f"Bearer {TOKEN}", "k")
    claw, wire = client(OK, auth_token=TOKEN)
    claw.get_org()
    assert "x-api-key" not in wire.requests[0].headers
    claw, wire = client(OK, api_key="k")
    claw.get_org()
    assert "Authorization" not in wire.requests[0].headers


@pytest.mark.parametrize("kind", [DashClaw, AsyncDashClaw])
def test_a_token_is_enough_for_a_server(kind: type[DashClaw], monkeypatch: pytest.MonkeyPatch) -> None:
    kind("http://localhost:3000", auth_token=TOKEN).close()
    kind("http://localhost:3000", auth_token=lambda: TOKEN).close()
    monkeypatch.setenv("DASHCLAW_AUTH_TOKEN", TOKEN)
    assert "auth_token='***'" in repr(kind("http://localhost:3000"))


def test_a_function_is_asked_before_each_request_and_each_repetition() -> None:
    tokens = iter(["one", "two", "three"])
    claw, wire = client(answer({}, 503), OK, auth_token=lambda: next(tokens))
    claw.guard({"action_type": "a"})
    claw.get_org()
    assert [request.headers["Authorization"] for request in wire.requests] == [
        "Bearer one",
        "Bearer two",
        "Bearer three",
    ]
    assert wire.requests[0].headers["Idempotency-Key"] == wire.requests[1].headers["Idempotency-Key"]


def test_the_event_stream_carries_the_token_too() -> None:
    found: list[str] = []

    class Streaming(FakeTransport):
        def stream(self, request: Any, timeout: float) -> Any:
            found.append(request.headers["Authorization"])
            return super().stream(request, timeout)

    with DashClaw(transport=Streaming(), auth_token=lambda: TOKEN) as claw:
        assert list(claw.events(timeout=0.01)) == []
    assert found == [f"Bearer {TOKEN}"]


WRONG = ["", " ", "a b", "a\nb", "a\r\nX-Admin: 1", "tok\u00e9n", "\x00", f"Bearer {TOKEN}", f"bearer {TOKEN}", 5, b"x"]


@pytest.mark.parametrize("token", WRONG)
def test_a_wrong_token_is_refused_without_being_shown(token: Any) -> None:
    with pytest.raises(ConfigurationError, match="auth_token") as caught:
        DashClaw("http://localhost:3000", auth_token=token)
    assert TOKEN not in str(caught.value)
    claw, wire = client(OK, auth_token=lambda: token)
    with pytest.raises(ConfigurationError, match="auth_token"):
        claw.get_org()
    assert wire.requests == []


def test_a_function_that_fails_means_that_nothing_was_sent() -> None:
    def away() -> str:
        raise ConnectionError("secret-detail")

    claw, wire = client(OK, auth_token=away)
    with pytest.raises(NotSentError, match="ConnectionError") as caught:
        claw.get_org()
    assert "secret-detail" not in str(caught.value)
    assert isinstance(caught.value.__cause__, ConnectionError)
    with pytest.raises(GuardUnavailableError), claw.track("a", "b"):
        raise AssertionError("it ran")
    assert wire.requests == []


def test_a_function_that_recovers_is_asked_again() -> None:
    answers: list[Any] = [OSError("away"), TOKEN]

    def source() -> str:
        found = answers.pop(0)
        if isinstance(found, Exception):
            raise found
        return str(found)

    claw, wire = client(OK, auth_token=source)
    claw.get_org()
    assert len(wire.requests) == 1


def test_the_asynchronous_client_asks_off_the_event_loop() -> None:
    threads = []

    def source() -> str:
        threads.append(threading.current_thread())
        return TOKEN

    async def main() -> Scripted:
        transport = Scripted(OK)
        async with AsyncDashClaw(transport=transport, auth_token=source, retry=patient()) as claw:
            await asyncio.gather(*(claw.get_org() for _ in range(3)))
        return transport

    transport = asyncio.run(main())
    assert [request.headers["Authorization"] for request in transport.requests] == [f"Bearer {TOKEN}"] * 3
    assert threading.main_thread() not in threads


def test_the_token_shows_nowhere(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    claw, wire = client(NotSentError("refused"), api_key="key-text", auth_token=TOKEN)
    with pytest.raises(NotSentError) as caught:
        claw.get_org()
    shown = [
        repr(claw),
        repr(vars(claw)),
        repr(wire.requests),
        repr(caught.value),
        repr(vars(caught.value)),
        caplog.text,
    ]
    assert [text for text in shown if TOKEN in text or "key-text" in text] == []
