"""The parser of server-sent events, fed in any pieces."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashclaw._sse import LONGEST, Event, SseParser
from dashclaw.errors import UnreadableAnswerError

BOM = b"\xef\xbb\xbf"


def parse(*chunks: bytes) -> list[Event]:
    parser = SseParser()
    return [event for chunk in chunks for event in parser.feed(chunk)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("data: x\n\n", [Event(None, "message", "x")]),
        ("data:x\n\n", [Event(None, "message", "x")]),
        ("data:  x\n\n", [Event(None, "message", " x")]),
        ("data\n\n", [Event(None, "message", "")]),
        ("data: a: b\n\n", [Event(None, "message", "a: b")]),
        ("data: one\ndata: two\ndata\n\n", [Event(None, "message", "one\ntwo\n")]),
        ("event: e\nid: 1\ndata: x\n\n", [Event("1", "e", "x")]),
        ("id: 1\ndata: x\n\ndata: y\n\n", [Event("1", "message", "x"), Event("1", "message", "y")]),
        ("id: 1\ndata: x\n\nid\ndata: y\n\n", [Event("1", "message", "x"), Event("", "message", "y")]),
        ("id: 1\0\ndata: x\n\n", [Event(None, "message", "x")]),
        ("event: e\ndata: x\n\ndata: y\n\n", [Event(None, "e", "x"), Event(None, "message", "y")]),
        ("event: e\n\ndata: y\n\n", [Event(None, "message", "y")]),
        (": a comment\n:\ndata: x\n: another\n\n", [Event(None, "message", "x")]),
        ("unknown: field\nDATA: no\ndata: x\n\n", [Event(None, "message", "x")]),
        ("data: x\r\n\r\ndata: y\r\rdata: z\n\n", [Event(None, "message", letter) for letter in "xyz"]),
        ("data: x\r\n\rdata: y\n\r\n", [Event(None, "message", "x"), Event(None, "message", "y")]),
        ("\n\n\r\n\r\ndata: x\n\n\n\n", [Event(None, "message", "x")]),
        ("data: ü€😀\u2028\x85\x0c\n\n", [Event(None, "message", "ü€😀\u2028\x85\x0c")]),
        ("data: never ended\n", []),
        ("data: never ended", []),
    ],
)
def test_events_are_read_as_the_standard_says(text: str, expected: list[Event]) -> None:
    whole = text.encode()
    for start in (b"", BOM):
        assert parse(start + whole) == expected
        assert parse(*[bytes([byte]) for byte in start + whole], b"", b"data") == expected
        for cut in range(len(start + whole)):
            assert parse((start + whole)[:cut], (start + whole)[cut:]) == expected


def test_a_second_byte_order_mark_is_text() -> None:
    assert parse(BOM + BOM + b"data: no\n\ndata: x\n\n") == [Event(None, "message", "x")]


def test_bytes_that_are_not_utf8_are_replaced() -> None:
    assert parse(b"data: a\xffb\n\n") == [Event(None, "message", "a\ufffdb")]


def test_a_short_stream_without_a_mark_is_not_held_back() -> None:
    parser = SseParser()
    assert parser.feed(b"\n\n") == []
    assert parser.feed(b"data: x\n\n") == [Event(None, "message", "x")]


@pytest.mark.parametrize(
    ("text", "retry"),
    [("2500", 2500), ("0", 0), ("", None), ("2.5", None), ("-1", None), ("²", None), ("٣", None), ("9" * 5000, None)],
)
def test_the_wish_of_the_server_is_digits_only(text: str, retry: int | None) -> None:
    parser = SseParser()
    parser.feed(f"retry: {text}\n\n".encode())
    assert parser.retry == retry


def test_the_cursor_is_kept_when_an_event_has_no_data() -> None:
    parser = SseParser()
    assert parser.feed(b"id: 7\n\n") == []
    assert parser.last_event_id == "7"


ENDS = st.sampled_from([b"\n", b"\r", b"\r\n"])
FIELDS = st.sampled_from([b"data: x", b"data:", b"data", b"event: e", b"id: 5", b"id", b": c", b"", b"", b"retry: 9"])
FREE = st.binary(max_size=8)


@st.composite
def streams_in_pieces(draw: st.DrawFn) -> tuple[bytes, list[bytes]]:
    lines = draw(st.lists(st.one_of(FIELDS, FIELDS, FREE), max_size=20))
    whole = draw(st.sampled_from([b"", BOM])) + b"".join(line + draw(ENDS) for line in lines)
    cuts = sorted(draw(st.lists(st.integers(0, len(whole)), max_size=8)))
    return whole, [whole[a:b] for a, b in zip([0, *cuts], [*cuts, len(whole)], strict=True)]


@given(streams_in_pieces())
def test_events_do_not_depend_on_where_a_stream_is_cut(stream: tuple[bytes, list[bytes]]) -> None:
    whole, pieces = stream
    # The end makes a final CR certain.
    assert parse(*pieces, b":\n") == parse(whole + b":\n") == reference(whole)


def reference(whole: bytes) -> list[Event]:
    """The events of a complete stream, read line by line."""
    text = whole.removeprefix(BOM).replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    found, cursor, name, data = [], None, "", []
    for line in text.split(b"\n")[:-1]:
        field, _, value = line.decode("utf-8", "replace").partition(":")
        value = value.removeprefix(" ")
        if not line:
            if data:
                found.append(Event(cursor, name or "message", "\n".join(data)))
            name, data = "", []
        elif field == "data":
            data.append(value)
        elif field == "event":
            name = value
        elif field == "id" and "\0" not in value:
            cursor = value
    return found


def test_an_event_without_end_is_refused_and_a_long_stream_is_not() -> None:
    line = b"data: " + b"x" * 1000 + b"\n"
    parser = SseParser()
    for _ in range(3 * LONGEST // 1000):
        assert len(parser.feed(line + b"\n")) == 1
    with pytest.raises(UnreadableAnswerError, match="longer than"):
        for _ in range(2 * LONGEST // 1000):
            parser.feed(line)
    with pytest.raises(UnreadableAnswerError, match="longer than"):
        parse(*[b"y" * 100_000] * (LONGEST // 100_000 + 1))
