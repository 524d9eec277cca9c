"""`RequestsTransport` over real sockets: time limits, broken answers, events, and exactly one record."""

from __future__ import annotations

import socket
import ssl
import time
from contextlib import closing

import pytest
import requests
import trustme

from dashclaw import DashClaw, errors
from dashclaw._transport import Request
from dashclaw.requests_transport import RequestsTransport

from ...unit.client.support import eventually, patient
from .conftest import Behind
from .faulty import (
    Faulty,
    Play,
    Wire,
    after_commit,
    answered,
    dripped,
    echoed,
    faulty,
    head,
    hung_up,
    passed_on,
    raw,
    reset,
    silence,
)

GET = Request("GET", "/x", {})
LIMIT = 0.5
GRACE = 5.0
KEY = "oc_live_" + "4" * 32


def connect(server: Faulty, key: str = KEY, agent: str = "me", **settings: float) -> DashClaw:
    transport = RequestsTransport(server.url)
    return DashClaw(api_key=key, agent_id=agent, transport=transport, retry=patient(), **settings)  # type: ignore[arg-type]


def test_calls_one_after_another_share_a_connection() -> None:
    with faulty(echoed) as server, connect(server) as claw:
        for n in range(10):
            assert claw.guard({"action_type": "research", "n": n})["body"]["n"] == n
        assert server.connections == 1
    eventually(lambda: server.open_connections == 0)


LOST = {
    "closed": hung_up,
    "reset": reset,
    "closed within the body": raw(head(201, "Content-Length: 5000") + b'{"action"'),
    "closed within a chunk": raw(head(201, "Transfer-Encoding: chunked") + b'400\r\n{"action"'),
}


@pytest.mark.parametrize("fault", LOST.values(), ids=LOST)
def test_a_lost_answer_is_asked_for_again_and_the_action_recorded_once(behind: Behind, agent: str, fault: Play) -> None:
    plays = (fault, after_commit(fault), passed_on)
    with faulty(*plays, upstream=behind.url) as server, connect(server, behind.key, agent) as claw:
        created = claw.create_action("research", "Read the report")
        assert [row["action_id"] for row in behind.recorded(agent)] == [created["action_id"]]
        assert len({request.headers["idempotency-key"] for request in server.seen}) == 1


@pytest.mark.parametrize("fault", LOST.values(), ids=LOST)
def test_a_lost_answer_is_an_unknown_outcome(fault: Play) -> None:
    with (
        faulty(fault) as server,
        closing(RequestsTransport(server.url)) as transport,
        pytest.raises(errors.UnknownOutcomeError),
    ):
        transport.send(GET, 20)


ENDLESS = {
    "silence": silence,
    "silence after the head": raw(head(200, "Content-Length: 9"), keep=True),
    "a dripping body": dripped(head(200, "Content-Length: 1000000"), b" "),
    "a dripping chunk": dripped(head(200, "Transfer-Encoding: chunked"), b"1\r\n \r\n"),
    "a dripping body without a length": dripped(head(200, "Connection: close"), b" "),
}


@pytest.mark.parametrize("fault", ENDLESS.values(), ids=ENDLESS)
def test_an_answer_without_end_is_given_up_in_time(fault: Play) -> None:
    with faulty(fault) as server, connect(server, timeout=LIMIT) as claw:
        started = time.monotonic()
        with pytest.raises(errors.DeadlineExceededError) as caught:
            claw.guard({"action_type": "research"})
        assert LIMIT * 0.9 <= time.monotonic() - started < LIMIT + GRACE
        assert caught.value.sent
        assert len(server.seen) == 1


def test_nobody_listening_is_not_sent() -> None:
    with faulty(hung_up) as server:
        pass
    with closing(RequestsTransport(server.url)) as transport, pytest.raises(errors.NotSentError):
        transport.send(GET, 20)


@pytest.mark.parametrize("url", ["http://", "nonsense", "http://host:port", "ftp://host"])
def test_an_address_that_cannot_be_used_is_not_sent_to(url: str) -> None:
    with closing(RequestsTransport(url)) as transport, pytest.raises(errors.NotSentError):
        transport.send(GET, 5)


def test_a_redirect_carries_no_credentials_elsewhere() -> None:
    with faulty(answered(200, {"decision": "allow"})) as other:
        moved = answered(302, b"", Location=f"{other.url}/api/guard")
        with (
            faulty(moved) as server,
            connect(server) as claw,
            pytest.raises(errors.ApiError, match="Redirects are not followed"),
        ):
            claw.guard({"action_type": "research"})
        assert other.connections == 0


FIRST = b'id: 1\nevent: action.created\ndata: {"n": 1}\n\n'
SECOND = b'id: 2\nevent: action.created\ndata: {"n": 2}\n\n'
EVENT_STREAM = "Content-Type: text/event-stream"


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


STREAMS = {
    "chunked, all at once": (head(200, EVENT_STREAM, "Transfer-Encoding: chunked") + chunk(FIRST) + chunk(SECOND),),
    "chunked, in pieces": (head(200, EVENT_STREAM, "Transfer-Encoding: chunked"), chunk(FIRST), chunk(SECOND)),
    "until the end, all at once": (head(200, EVENT_STREAM, "Connection: close") + FIRST + SECOND,),
    "until the end, in pieces": (head(200, EVENT_STREAM, "Connection: close"), FIRST, SECOND),
}


@pytest.mark.parametrize("parts", STREAMS.values(), ids=STREAMS)
def test_events_are_there_at_once_while_the_stream_stays_open(parts: tuple[bytes, ...]) -> None:
    def play(wire: Wire) -> bool:
        raw(*parts)(wire)
        return silence(wire)

    with faulty(play) as server, connect(server) as claw:
        started = time.monotonic()
        events = claw.events(timeout=20)
        assert [next(events)["data"]["n"] for _ in range(2)] == [1, 2]
        assert time.monotonic() - started < GRACE
        events.close()
        assert len(server.seen) == 1


@pytest.mark.parametrize("start", [parts[0] for name, parts in STREAMS.items() if "pieces" in name])
def test_a_silent_stream_says_so_again_and_again_and_can_be_closed(start: bytes) -> None:
    def play(wire: Wire) -> bool:
        wire.send(start)
        return silence(wire)

    with faulty(play) as server, closing(RequestsTransport(server.url)) as transport:
        stream = transport.stream(GET, 20)
        assert [stream.read(0.05) for _ in range(3)] == [None] * 3
        stream.close()
        assert stream.read(0.05) == b""
        eventually(lambda: server.open_connections == 0)


def test_a_stream_that_ends_says_so() -> None:
    with (
        faulty(raw(STREAMS["chunked, all at once"][0] + b"0\r\n\r\n")) as server,
        closing(RequestsTransport(server.url)) as transport,
        closing(transport.stream(GET, 20)) as stream,
    ):
        read = b""
        while (part := stream.read(5.0)) != b"":
            read += part or b""
        assert read == FIRST + SECOND


def test_a_name_that_does_not_resolve_is_not_sent_to(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with closing(RequestsTransport("http://nowhere.invalid")) as transport, pytest.raises(errors.NotSentError):
        transport.send(GET, 20)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def secured(authority: trustme.CA, name: str = "127.0.0.1") -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    return context


def test_a_session_that_trusts_the_authority_reads_answers_and_events_over_tls(authority: trustme.CA) -> None:
    def play(wire: Wire) -> bool:
        if wire.request.target == "/x":
            return echoed(wire)
        raw(*STREAMS["chunked, all at once"])(wire)
        return silence(wire)

    with (
        faulty(play, tls=secured(authority)) as server,
        authority.cert_pem.tempfile() as pem,
        requests.Session() as session,
        closing(RequestsTransport(server.url, session)) as transport,
    ):
        session.trust_env, session.verify = False, pem
        assert transport.send(GET, 20).status == 200
        with closing(transport.stream(Request("GET", "/events", {}), 20)) as stream:
            read = b""
            while read != FIRST + SECOND:
                part = stream.read(5.0)
                assert part
                read += part
            assert stream.read(0.05) is None


def test_an_unknown_authority_is_refused_before_anything_leaves(authority: trustme.CA) -> None:
    with faulty(echoed, tls=secured(authority)) as server, closing(RequestsTransport(server.url)) as transport:
        with pytest.raises(errors.NotSentError):
            transport.send(GET, 20)
        assert server.seen == []


@pytest.mark.parametrize("fault", [hung_up, reset])
def test_a_lost_answer_over_tls_is_an_unknown_outcome(authority: trustme.CA, fault: Play) -> None:
    with (
        faulty(fault, tls=secured(authority)) as server,
        authority.cert_pem.tempfile() as pem,
        requests.Session() as session,
        closing(RequestsTransport(server.url, session)) as transport,
        pytest.raises(errors.UnknownOutcomeError),
    ):
        session.trust_env, session.verify = False, pem
        transport.send(GET, 20)
