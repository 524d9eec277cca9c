"""Bodies with large attachments: read without a copy of them, and as strictly as any other body."""

from __future__ import annotations

import base64
import json
import mmap
import os
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dashclaw.runtime.binary import PIECE, Base64, Download, from_base64, read_upload
from dashclaw.runtime.problems import Problem

LARGE = os.urandom(100_000)
MEGABYTE = 1024 * 1024


TEXTS = st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\0"))


def text_of(data: bytes) -> str:
    return base64.b64encode(data).decode()


def body_of(*files: Any, **more: Any) -> bytes:
    return json.dumps({**more, "attachments": [{"filename": "x", "data": data} for data in files]}).encode()


def read(value: Any) -> bytes:
    return b"".join(from_base64(value).pieces())


def test_large_attachments_come_in_pieces_and_the_rest_as_it_is() -> None:
    found = read_upload(body_of(text_of(LARGE), text_of(b"small"), body='He said "no" \\ twice', n=[1, {"a": None}]))
    large, small = (item["data"] for item in found["attachments"])
    assert isinstance(large, Base64)
    assert read(large) == LARGE
    assert small == text_of(b"small")
    assert (found["body"], found["n"]) == ('He said "no" \\ twice', [1, {"a": None}])


@pytest.mark.parametrize("size", [0, 1, 2, 3, PIECE - 1, PIECE, PIECE + 1, 2 * PIECE + 5])
def test_every_length_is_read_whole(size: int) -> None:
    data = os.urandom(size)
    found = from_base64(text_of(data))
    assert (b"".join(found.pieces()), found.size) == (data, size)
    assert all(len(piece) <= PIECE for piece in found.pieces())


def test_two_bodies_with_the_same_file_are_told_the_same_by_its_digest() -> None:
    one, other = (from_base64(Base64(text_of(LARGE).encode())) for _ in range(2))
    assert str(one) == str(other) != str(from_base64(text_of(LARGE[1:])))


@pytest.mark.parametrize(
    "text", ["abc", "ab=c", "====", "a===", "a-b_", "abc*", "äöüß", "YQ==YQ==", "YWJj" * PIECE + "!!!!", "YQ==" * PIECE]
)
def test_what_is_no_base64_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"base64|padding"):
        from_base64(text)


@pytest.mark.parametrize("value", [5, None, [], {}, b"YQ=="])
def test_what_is_no_text_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="base64 text"):
        from_base64(value)


def test_line_ends_and_escapes_of_other_writers_are_read() -> None:
    lines = base64.encodebytes(LARGE).decode()
    escaped = text_of(LARGE).replace("/", "\\/").replace("+", "\\u002B").encode()
    for raw in (body_of(lines), body_of("XX").replace(b"XX", escaped)):
        assert read(read_upload(raw)["attachments"][0]["data"]) == LARGE


def test_a_long_text_elsewhere_stays_text() -> None:
    long = "A" * 100_000
    found = read_upload(body_of(text_of(LARGE), body=long, attached={"data": long}, **{long: 1}))
    assert (found["body"], found["attached"], found[long]) == (long, {"data": long}, 1)
    assert read(found["attachments"][0]["data"]) == LARGE


def test_of_a_field_given_twice_the_last_one_counts() -> None:
    first, last = text_of(LARGE), text_of(LARGE[::-1])
    raw = '{"attachments": [{"data": "%s", "data": "%s"}]}' % (first, last)
    assert read(read_upload(raw.encode())["attachments"][0]["data"]) == LARGE[::-1]


def test_what_is_not_an_attachment_is_held_to_the_limit() -> None:
    raw = body_of(text_of(LARGE), body="x" * 50_000)
    assert read_upload(raw, 51_000)["body"] == "x" * 50_000
    for most in (0, 40_000, 50_000):
        with pytest.raises(Problem) as caught:
            read_upload(raw, most)
        assert (caught.value.status, caught.value.extra["maxBytes"]) == (413, most)


def test_many_short_strings_are_given_up_at_the_limit() -> None:
    with pytest.raises(Problem) as caught:
        read_upload(b'{"a": [' + b'"",' * MEGABYTE + b'""]}', 1000)
    assert caught.value.status == 413


@pytest.mark.parametrize(
    "raw",
    [
        b'{"attachments": [{"data": "' + b"A" * 100_000,
        b'{"attachments": [{"data": "' + b"A" * 100_000 + b'"',
        b'{"attachments": [{"data": "' + b"A" * 100_000 + b'\\"}]}',
        b'{"attachments": [{"data": "' + b"\\" * 100_001 + b'"}]}',
        b'{"attachments": [{"data": "' + b"\\x" * 50_000 + b'"}]}',
        b'{"attachments": [{"data" "' + b"A" * 100_000 + b'"}]}',
        b'{"a": "b"' + b"A" * 100_000 + b'"c"}',
    ],
)
def test_a_broken_body_is_refused_however_large(raw: bytes) -> None:
    with pytest.raises(Problem) as caught:
        read_upload(raw)
    assert (caught.value.status, caught.value.code) == (400, "INVALID_JSON")


@settings(max_examples=60, deadline=None)
@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\0")),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(alphabet='ab"\\/é'), inner),
        max_leaves=12,
    ),
    st.booleans(),
)
def test_any_other_body_is_read_as_it_was_written(value: Any, plain: bool) -> None:
    raw = json.dumps({"value": value, "long": "B" * 40_000, "after": value}, ensure_ascii=plain).encode()
    assert read_upload(raw) == {"value": value, "long": "B" * 40_000, "after": value}


def test_a_mapped_file_is_read_without_holding_it(tmp_path: Path) -> None:
    path = tmp_path / "body"
    data = os.urandom(5 * MEGABYTE)
    path.write_bytes(body_of(*[text_of(data)] * 3))
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        tracemalloc.start()
        try:
            found = [from_base64(item["data"]) for item in read_upload(mapped, MEGABYTE)["attachments"]]
            sizes = [sum(map(len, file.pieces())) for file in found]
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert sizes == [len(data)] * 3
    assert peak < 2 * MEGABYTE


def test_a_download_says_how_to_keep_it() -> None:
    headers = Download("über.txt", "text/plain", 3, lambda: iter([b"abc"])).headers()
    assert headers["Content-Disposition"] == "attachment; filename=\"_ber.txt\"; filename*=UTF-8''%C3%BCber.txt"
    assert (headers["Content-Type"], headers["Content-Length"]) == ("text/plain", "3")
    assert "sandbox" in headers["Content-Security-Policy"]
