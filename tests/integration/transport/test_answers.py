"""Every way HTTP/1.1 has to spell an answer, in whatever pieces it arrives, within the limits of size."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from contextlib import closing

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dashclaw import errors
from dashclaw._transport import PooledTransport, Request, Response

from ...unit.client.support import eventually
from .faulty import Faulty, Play, Wire, answered, complete, echoed, faulty, head, raw

GET = Request("GET", "/x", {})
BODY = b'{"decision": "allow", "pad": "' + b"x" * 300 + b'"}'
CHUNKS = b"".join(b"%X;part=1\r\n%s\r\n" % (len(part), part) for part in (BODY[:1], BODY[1:200], BODY[200:]))
CHUNKED = head(200, "Transfer-Encoding: chunked") + CHUNKS + b"0\r\nX-Trailer: yes\r\n\r\n"
HINTS = head(103, "Link: </style.css>; rel=preload")

SPELLINGS = {
    "with a length": complete(200, BODY),
    "with a length given twice": head(200, *[f"Content-Length: {len(BODY)}"] * 2) + BODY,
    "with a length in other letters": head(200, f"CONTENT-length:{len(BODY)}  ") + BODY,
    "chunked": CHUNKED,
    "chunked in other letters": CHUNKED.replace(b"chunked", b"Chunked", 1),
    "until the end": head(200) + BODY,
    "after 100": head(100) + complete(200, BODY),
    "after hints, chunked": HINTS + head(100) + CHUNKED,
    "as HTTP/1.0": head(200).replace(b"1.1", b"1.0") + BODY,
    "without a reason": b"HTTP/1.1 200\r\nContent-Length: %d\r\n\r\n%s" % (len(BODY), BODY),
}


@pytest.fixture(scope="module")
def server() -> Iterator[Faulty]:
    with faulty(echoed) as found:
        yield found


def ask(
    server: Faulty, play: Play, request: Request = GET, *, max_body: int = 1 << 20, timeout: float = 20
) -> Response:
    server.plays = [play]
    with closing(PooledTransport(server.url, max_body=max_body)) as transport:
        return transport.send(request, timeout)


@pytest.mark.parametrize("spelt", SPELLINGS.values(), ids=SPELLINGS)
def test_an_answer_is_read_however_it_is_spelt(server: Faulty, spelt: bytes) -> None:
    answer = ask(server, raw(spelt))
    assert (answer.status, answer.body) == (200, BODY)


@pytest.mark.parametrize("spelt", SPELLINGS.values(), ids=SPELLINGS)
def test_an_answer_is_read_in_whatever_pieces_it_comes(server: Faulty, spelt: bytes) -> None:
    for size in (1, 7, 64):
        answer = ask(server, raw(*[spelt[at : at + size] for at in range(0, len(spelt), size)]))
        assert (answer.status, answer.body) == (200, BODY)


@pytest.mark.parametrize("name", [name for name in SPELLINGS if name not in ("until the end", "as HTTP/1.0")])
def test_an_answer_cut_anywhere_is_an_unknown_outcome(server: Faulty, name: str) -> None:
    spelt = SPELLINGS[name]
    for cut in range(0, len(spelt) - 1, 13):
        if name.endswith("chunked") and cut > len(spelt) - len("0\r\nX-Trailer: yes\r\n\r\n"):
            continue
        with pytest.raises(errors.UnknownOutcomeError):
            ask(server, raw(spelt[:cut]))


@pytest.mark.parametrize("status", [204, 304])
def test_an_answer_without_a_body_ends_with_its_head(server: Faulty, status: int) -> None:
    server.plays = [raw(head(status), keep=True)]
    before = server.connections
    with closing(PooledTransport(server.url)) as transport:
        for _ in range(3):
            assert transport.send(GET, 20)[::2] == (status, b"")
    assert server.connections == before + 1


def test_the_answer_to_head_has_no_body(server: Faulty) -> None:
    answer = ask(server, raw(head(200, "Content-Length: 300"), keep=True), Request("HEAD", "/x", {}))
    assert (answer.status, answer.headers["content-length"], answer.body) == (200, "300", b"")


def test_headers_given_twice_are_joined(server: Faulty) -> None:
    answer = ask(server, raw(head(200, "X-A: 1", "x-a: 2", "Content-Length: 0")))
    assert answer.headers["x-a"] == "1, 2"


def test_no_compression_is_asked_for_and_none_is_guessed(server: Faulty) -> None:
    packed = gzip.compress(BODY)
    answer = ask(server, answered(200, packed, Content_Encoding="gzip"))
    assert server.seen[-1].headers["accept-encoding"] == "identity"
    assert answer.body == packed


@pytest.mark.parametrize("spelt", [SPELLINGS["with a length"], SPELLINGS["chunked"], SPELLINGS["until the end"]])
def test_an_answer_over_the_limit_is_refused_and_one_at_the_limit_is_read(server: Faulty, spelt: bytes) -> None:
    assert ask(server, raw(spelt), max_body=len(BODY)).body == BODY
    with pytest.raises(errors.UnreadableAnswerError, match="longer than"):
        ask(server, raw(spelt), max_body=len(BODY) - 1)


def test_a_large_answer_and_a_large_request_arrive_whole(server: Faulty) -> None:
    large = b"0123456789abcdef" * 200_000

    def measured(wire: Wire) -> bool:
        assert wire.request.body == large
        wire.send(complete(200, large))
        return True

    server.plays = [measured]
    with closing(PooledTransport(server.url)) as transport:
        for _ in range(2):
            assert transport.send(Request("POST", "/x", {}, large), 60).body == large


@pytest.mark.parametrize(
    "request_",
    [
        Request("GET", "/x\r\nX-Evil: 1", {}),
        Request("GET", "/x y", {}),
        Request("GET", "/x\x7f", {}),
        Request("GET", "/x", {"X-A": "1\r\nX-Evil: 1"}),
        Request("GET", "/x", {"X-A\nX-Evil": "1"}),
        Request("GET", "/x", {"X-A": "1\nX-Evil: 1"}),
        Request("GET", "/x", {"X-A": "1\rX-Evil: 1"}),
        Request("GET", "/x", {"X-A": "\u20ac"}),
    ],
)
def test_a_request_that_would_break_out_of_its_lines_is_not_sent(server: Faulty, request_: Request) -> None:
    before = len(server.seen)
    with pytest.raises(errors.NotSentError):
        ask(server, answered(200), request_)
    assert len(server.seen) == before


@pytest.mark.parametrize("piece", [1, 5, 1000])
def test_a_stream_gives_the_bytes_of_its_body_in_whatever_pieces_they_come(server: Faulty, piece: int) -> None:
    for spelt in (SPELLINGS["chunked"], SPELLINGS["until the end"]):
        server.plays = [raw(*[spelt[at : at + piece] for at in range(0, len(spelt), piece)])]
        with closing(PooledTransport(server.url)) as transport:
            stream = transport.stream(GET, 20)
            read = b""
            while (part := stream.read(5.0)) != b"":
                read += part or b""
            assert read == BODY


def test_a_malformed_chunk_ends_a_stream_with_an_error(server: Faulty) -> None:
    server.plays = [raw(head(200, "Transfer-Encoding: chunked") + b"zz\r\nno\r\n")]
    with (
        closing(PooledTransport(server.url)) as transport,
        closing(transport.stream(GET, 20)) as stream,
        pytest.raises(errors.UnreadableAnswerError),
    ):
        while stream.read(5.0) != b"":
            pass


def mutated() -> st.SearchStrategy[bytes]:
    """Answers that are nearly right."""
    start = st.sampled_from(list(SPELLINGS.values()))
    junk = st.one_of(st.binary(max_size=6), st.sampled_from([b"\r\n", b"\n", b"-1", b"\xb2", b"0x2", b": ", b";", b""]))
    cut = st.tuples(st.integers(0, 500), st.integers(0, 8))
    return st.builds(lambda text, at, new: text[: at[0]] + new + text[at[0] + at[1] :], start, cut, junk)


@settings(
    max_examples=500, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.one_of(st.binary(max_size=200), mutated(), mutated()))
def test_whatever_bytes_come_the_call_ends_with_an_answer_or_an_error_of_ours(server: Faulty, said: bytes) -> None:
    try:
        answer = ask(server, raw(said), timeout=20)
    except errors.TransportError as error:
        assert not isinstance(error, (errors.NotSentError, errors.DeadlineExceededError))
    else:
        assert 200 <= answer.status <= 999


def test_nothing_stays_open_afterwards(server: Faulty) -> None:
    eventually(lambda: server.open_connections == 0)
