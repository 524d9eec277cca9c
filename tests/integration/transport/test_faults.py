"""Whatever a server does, a call ends in time with the right error, and the action is recorded once or not at all."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from dashclaw import AsyncDashClaw, DashClaw, errors

from ...unit.client.support import patient
from .conftest import Behind
from .faulty import (
    Faulty,
    Play,
    after_commit,
    answered,
    complete,
    dripped,
    faulty,
    head,
    hung_up,
    passed_on,
    raw,
    reset,
    silence,
)

# What a late end may take on a busy machine, beyond the time limit.
GRACE = 5.0
LIMIT = 0.5
CUT_OFF = raw(head(201, "Content-Type: application/json", "Content-Length: 5000") + b'{"action": {"action_id"')
CUT_OFF_CHUNKED = raw(head(201, "Transfer-Encoding: chunked") + b"400\r\n" + b'{"action": {')
HALF_A_HEAD = raw(b"HTTP/1.1 201 Created\r\nContent-Le")

BEFORE = {
    "429 without a hint": answered(429, {"error": "Slow down"}),
    "429 with a hint": answered(429, {"error": "Slow down"}, Retry_After="0"),
    "502": answered(502, b"<html>Bad Gateway</html>", content_type="text/html"),
    "503": answered(503, b""),
    "504": answered(504, {"error": "Late"}),
    "closed before the commit": hung_up,
    "reset before the commit": reset,
}

AFTER = {
    "closed after the commit": after_commit(hung_up),
    "reset after the commit": after_commit(reset),
    "closed within the head": after_commit(HALF_A_HEAD),
    "closed within the body": after_commit(CUT_OFF),
    "closed within a chunk": after_commit(CUT_OFF_CHUNKED),
    "503 after the commit": after_commit(answered(503, b"")),
}

PASSING = {**BEFORE, **AFTER}

UNREADABLE = {
    "bad JSON": answered(201, b'{"action": {'),
    "HTML": answered(201, b"<html><body>Welcome to the hotel network</body></html>", content_type="text/html"),
    "an empty body": answered(201, b""),
    "a list": answered(201, [{"action_id": "act_1"}]),
    "no action in it": answered(201, {"status": "fine"}),
    "not UTF-8": answered(201, b'{"action": "\xff\xfe"}'),
    "brackets without end": answered(201, b"[" * 200_000),
}

NOT_HTTP = {
    "another protocol": raw(b"SSH-2.0-OpenSSH_9.6\r\n\r\n"),
    "a head without a status": raw(b"HTTP/1.1 fine\r\n\r\n"),
    "a status that is no number": raw("HTTP/1.1 ²²² x\r\nContent-Length: 2\r\n\r\n{}".encode("latin-1")),
    "a malformed header": raw(b"HTTP/1.1 200 OK\r\nno colon here\r\n\r\n"),
    "a length that is no number": raw(b"HTTP/1.1 200 OK\r\nContent-Length: two\r\n\r\n{}"),
    "a length in another script": raw("HTTP/1.1 200 OK\r\nContent-Length: ²\r\n\r\n{}".encode("latin-1")),
    "a length without end": raw(b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n{}"),
    "two lengths": raw(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{} "),
    "a head without end": raw(b"HTTP/1.1 200 OK\r\nX-Long: " + b"a" * 200_000),
    "a body over the limit": raw(head(200, "Content-Length: 99999999999")),
}

ENDLESS = {
    "silence": silence,
    "a dripping head": dripped(b"HTTP/1.1 201 Created\r\nX-Drip: ", b"a"),
    "a dripping body": dripped(head(201, "Content-Length: 1000000"), b" "),
    "a dripping chunk": dripped(head(201, "Transfer-Encoding: chunked"), b"1\r\n \r\n"),
    "a dripping body without a length": dripped(head(201, "Connection: close"), b" "),
    "interim answers": dripped(b"", head(100)),
}


def connect(server: Faulty, key: str = "oc_live_" + "0" * 32, **settings: Any) -> DashClaw:
    return DashClaw(server.url, key, **{"agent_id": "me", "retry": patient(), **settings})


@pytest.mark.parametrize("fault", PASSING.values(), ids=PASSING)
def test_a_passing_fault_is_ridden_out_and_records_once(behind: Behind, agent: str, fault: Play) -> None:
    with faulty(fault, passed_on, upstream=behind.url) as server, connect(server, behind.key, agent_id=agent) as claw:
        created = claw.create_action("research", "Read the report")
        assert [row["action_id"] for row in behind.recorded(agent)] == [created["action_id"]]
        keys = {request.headers["idempotency-key"] for request in server.seen}
        assert len(server.seen) == 2 and len(keys) == 1


@pytest.mark.parametrize("name", PASSING)
def test_a_fault_that_stays_ends_after_three_tries(behind: Behind, agent: str, name: str) -> None:
    with faulty(PASSING[name], upstream=behind.url) as server, connect(server, behind.key, agent_id=agent) as claw:
        with pytest.raises((errors.UnknownOutcomeError, errors.ServerError, errors.RateLimitedError)) as caught:
            claw.create_action("research", "Read the report")
        assert len(server.seen) == 3
        assert len(behind.recorded(agent)) == (1 if name in AFTER else 0)
        assert isinstance(caught.value, errors.UnknownOutcomeError) == (caught.value.status is None)


@pytest.mark.parametrize("status", [500, 501, 505])
def test_a_server_error_that_may_have_acted_is_not_repeated(behind: Behind, agent: str, status: int) -> None:
    fault = after_commit(answered(status, {"error": "Broken", "code": "INTERNAL", "request_id": "r-1"}))
    with faulty(fault, upstream=behind.url) as server, connect(server, behind.key, agent_id=agent) as claw:
        with pytest.raises(errors.ServerError, match="Broken") as caught:
            claw.create_action("research", "Read the report")
        assert (caught.value.status, caught.value.code, caught.value.request_id) == (status, "INTERNAL", "r-1")
        assert len(server.seen) == len(behind.recorded(agent)) == 1


@pytest.mark.parametrize("fault", UNREADABLE.values(), ids=UNREADABLE)
def test_an_answer_outside_the_contract_is_an_error_of_its_own(behind: Behind, agent: str, fault: Play) -> None:
    with faulty(after_commit(fault), upstream=behind.url) as server:
        with connect(server, behind.key, agent_id=agent) as claw, pytest.raises(errors.UnreadableAnswerError) as caught:
            claw.create_action("research", "Read the report")
        assert len(server.seen) == len(behind.recorded(agent)) == 1
        assert len(str(caught.value)) < 400


@pytest.mark.parametrize("fault", NOT_HTTP.values(), ids=NOT_HTTP)
def test_an_answer_that_is_not_http_is_unreadable(fault: Play) -> None:
    with faulty(fault) as server, connect(server) as claw, pytest.raises(errors.UnreadableAnswerError):
        claw.guard({"action_type": "research"})


@pytest.mark.parametrize("fault", ENDLESS.values(), ids=ENDLESS)
def test_an_answer_without_end_is_given_up_in_time(behind: Behind, agent: str, fault: Play) -> None:
    with faulty(after_commit(fault), upstream=behind.url) as server:
        with connect(server, behind.key, agent_id=agent, timeout=LIMIT) as claw:
            started = time.monotonic()
            with pytest.raises(errors.DeadlineExceededError) as caught:
                claw.create_action("research", "Read the report")
            assert LIMIT * 0.9 <= time.monotonic() - started < LIMIT + GRACE
        assert caught.value.sent
        assert len(server.seen) == len(behind.recorded(agent)) == 1


def test_the_time_limit_covers_the_repetitions() -> None:
    with faulty(answered(503, b""), silence) as server, connect(server, timeout=LIMIT) as claw:
        started = time.monotonic()
        with pytest.raises(errors.DeadlineExceededError):
            claw.guard({"action_type": "research"})
        assert time.monotonic() - started < LIMIT + GRACE
        assert len(server.seen) == 2


def test_a_hint_is_waited_for() -> None:
    plays = (answered(429, {"error": "Slow"}, Retry_After="0.3"), answered(200, {"decision": "allow"}))
    with faulty(*plays) as server, connect(server) as claw:
        started = time.monotonic()
        assert claw.guard({"action_type": "research"})["decision"] == "allow"
        assert time.monotonic() - started >= 0.3


@pytest.mark.parametrize("hint", ["3600", "20"])
def test_a_hint_beyond_the_time_that_is_left_ends_the_call_at_once(hint: str) -> None:
    with faulty(answered(429, {"error": "Slow"}, Retry_After=hint)) as server, connect(server, timeout=15) as claw:
        started = time.monotonic()
        with pytest.raises(errors.RateLimitedError) as caught:
            claw.guard({"action_type": "research"})
        assert caught.value.retry_after == float(hint)
        assert time.monotonic() - started < 10
        assert len(server.seen) == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed_and_no_credentials_leave(status: int) -> None:
    with faulty(answered(200, {"decision": "allow"})) as other:
        moved = answered(status, b"", Location=f"{other.url}/api/guard?ticket=secret")
        with faulty(moved) as server, connect(server) as claw:
            with pytest.raises(errors.ApiError, match="Redirects are not followed") as caught:
                claw.guard({"action_type": "research"})
            assert (caught.value.status, caught.value.code) == (status, "REDIRECT")
            assert "secret" not in str(caught.value)
            with pytest.raises(errors.ApiError):
                claw.get_actions()
        assert other.connections == 0


def test_nobody_listening_is_not_sent() -> None:
    with faulty(hung_up) as server:
        pass
    with connect(server) as claw, pytest.raises(errors.NotSentError):
        claw.guard({"action_type": "research"})


def test_work_does_not_run_when_no_decision_came_and_the_record_is_taken_back(behind: Behind, agent: str) -> None:
    ran = []
    with (
        faulty(after_commit(silence), passed_on, upstream=behind.url) as server,
        connect(server, behind.key, agent_id=agent, timeout=LIMIT) as claw,
        pytest.raises(errors.GuardUnavailableError),
        claw.track("research", "Read the report"),
    ):
        ran.append(1)
    assert ran == []
    assert [row["status"] for row in behind.recorded(agent)] == ["cancelled"]


def test_an_outcome_whose_answer_is_lost_is_recorded(behind: Behind, agent: str) -> None:
    plays = (passed_on, after_commit(reset), passed_on)
    with (
        faulty(*plays, upstream=behind.url) as server,
        connect(server, behind.key, agent_id=agent) as claw,
        claw.track("research", "Read the report") as run,
    ):
        run.set(output_summary="done")
    rows = behind.recorded(agent)
    assert [(row["status"], row["output_summary"]) for row in rows] == [("completed", "done")]


def test_the_asynchronous_client_records_once_and_ends_in_time(behind: Behind, agent: str) -> None:
    async def act(server: Faulty) -> None:
        async with AsyncDashClaw(server.url, behind.key, agent, retry=patient(), timeout=LIMIT + GRACE) as claw:
            await claw.create_action("research", "Read the report")
        async with AsyncDashClaw(server.url, behind.key, agent, retry=patient(), timeout=LIMIT) as claw:
            with pytest.raises(errors.DeadlineExceededError):
                await claw.create_action("research", "Read another")

    plays = (after_commit(reset), passed_on, silence)
    with faulty(*plays, upstream=behind.url) as server:
        asyncio.run(act(server))
    assert [row["declared_goal"] for row in behind.recorded(agent)] == ["Read the report"]


def test_a_refused_event_stream_says_why() -> None:
    refused = answered(401, {"error": "No such key", "code": "UNAUTHORIZED"})
    with (
        faulty(refused) as server,
        connect(server) as claw,
        pytest.raises(errors.AuthenticationError, match="No such key"),
    ):
        next(iter(claw.events(timeout=5)))


def test_an_event_stream_that_breaks_is_resumed_where_it_was() -> None:
    start = head(200, "Content-Type: text/event-stream", "Transfer-Encoding: chunked")
    first = b'id: 7\nevent: action.created\ndata: {"n": 1}\n\n'
    second = b'id: 8\nevent: action.created\ndata: {"n": 2}\n\n'
    plays = (raw(start, b"%x\r\n" % len(first) + first + b"\r\n"), raw(start, b"%x\r\n%s\r\n" % (len(second), second)))
    with faulty(*plays, silence) as server, connect(server) as claw:
        events = claw.events(timeout=20)
        assert [next(events)["data"]["n"], next(events)["data"]["n"]] == [1, 2]
        events.close()
        assert "last-event-id" not in server.seen[0].headers
        assert server.seen[1].headers["last-event-id"] == "7"


def test_a_decision_in_an_answer_of_another_status_counts() -> None:
    blocked = raw(complete(403, {"decision": "block", "reasons": ["No"]}), keep=True)
    with faulty(blocked) as server, connect(server) as claw:
        assert claw.guard({"action_type": "deploy"})["decision"] == "block"


@pytest.mark.parametrize("megabytes", [3, 10])
def test_a_body_over_the_servers_limit_is_refused_although_it_was_not_read_to_its_end(
    behind: Behind, agent: str, megabytes: int
) -> None:
    with DashClaw(behind.url, behind.key, agent) as claw, pytest.raises(errors.PayloadTooLargeError):
        claw.create_action("research", "x" * megabytes * 1_000_000)
    assert behind.recorded(agent) == []
