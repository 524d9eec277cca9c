"""Bytes that come and go in pieces: base64 within a body, files as answers."""

from __future__ import annotations

import binascii
import hashlib
import json
import mmap
import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, Union

from dashclaw._filename import disposition

from .body import read_object
from .problems import Problem

Raw = Union[bytes, mmap.mmap]
Span = tuple[int, int]

PIECE = 192 * 1024
_TEXT_PIECE = PIECE // 3 * 4
# A shorter string is not worth to be left where it is.
_LONG = 32 * 1024


class Base64:
    """Bytes that arrived as base64 text, decoded piece by piece whenever they are wanted.

    `text` holds the characters from `start` to `end`. `size` and `sha256` are known after `check`.
    """

    def __init__(self, text: Raw, start: int = 0, end: int | None = None) -> None:
        self._text = text
        self._start = start
        self._end = len(text) if end is None else end
        self.size = 0
        self.sha256 = ""

    def check(self) -> Base64:
        """Read all of it once; raises `ValueError` when it is no base64."""
        digest, size = hashlib.sha256(), 0
        for piece in self.pieces():
            digest.update(piece)
            size += len(piece)
        self.size, self.sha256 = size, digest.hexdigest()
        return self

    def text(self) -> str:
        """The base64 text as it arrived."""
        return self._text[self._start : self._end].decode("ascii", "replace")

    def pieces(self) -> Iterator[bytes]:
        """The bytes, 192 KiB at a time; raises `ValueError` where the text is no base64."""
        if (self._end - self._start) % 4:
            raise ValueError("must be base64: its length is no multiple of 4")
        for start in range(self._start, self._end, _TEXT_PIECE):
            end = min(start + _TEXT_PIECE, self._end)
            yield _decoded(self._text[start:end], end == self._end)

    def __str__(self) -> str:
        return f"sha256:{self.sha256}"


def _decoded(text: bytes, last: bool) -> bytes:
    found = binascii.a2b_base64(text)
    padding = len(text) - len(text.rstrip(b"=")) if last else 0
    # The decoder skips what is no base64, and then has less to show.
    if padding > 2 or len(found) != len(text) // 4 * 3 - padding:
        raise ValueError("must be base64")
    return found


def from_base64(value: Any) -> Base64:
    """Read a field that holds bytes as base64 text, with or without line ends; raises `ValueError`."""
    if isinstance(value, Base64):
        return value.check()
    if not isinstance(value, str):
        raise ValueError("must be base64 text")
    return Base64("".join(value.split()).encode()).check()


def read_upload(raw: Raw, most: int | None = None) -> dict[str, Any]:
    """Parse a body whose attachments may be large: the `data` of each stays where it is and comes as `Base64`.

    Raises `Problem` 400 as `read_object` does, and 413 when the rest is larger than `most` bytes.
    """
    sign = os.urandom(16).hex()
    spans = {f"{sign}{number}": span for number, span in enumerate(_long_strings(raw, most))}
    body = read_object(_without(raw, spans, most))
    here = [item["data"] for item in _attachments(body) if item["data"] in spans]
    if len(here) < len(spans):
        # The other long strings are text like any other.
        spans = {name: span for name, span in spans.items() if name in here}
        body = read_object(_without(raw, spans, most))
    for item in _attachments(body):
        if item["data"] in spans:
            item["data"] = _base64(raw, *spans[item["data"]])
    return body


def _attachments(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    found = body.get("attachments")
    items = found if isinstance(found, list) else []
    return [item for item in items if isinstance(item, dict) and isinstance(item.get("data"), str)]


def _long_strings(raw: Raw, most: int | None) -> Iterator[Span]:
    """Where the long strings of a JSON text are, without their quotes."""
    position = cut = 0
    while (start := raw.find(b'"', position)) >= 0:
        if most is not None and start - cut > most:
            raise _too_large(most)
        end = _end_of_string(raw, start + 1)
        if end < 0:
            return
        if end - start > _LONG:
            yield start + 1, end
            cut += end - start
        position = end + 1


def _end_of_string(raw: Raw, position: int) -> int:
    end = raw.find(b'"', position)
    while end >= 0:
        escape = raw.find(b"\\", position, end)
        if escape < 0:
            return end
        position = escape + 2
        if end < position:
            end = raw.find(b'"', position)
    return end


def _without(raw: Raw, spans: Mapping[str, Span], most: int | None) -> bytes:
    """The text with short names in place of its long strings; raises `Problem` 413."""
    size = len(raw) - sum(end - start for start, end in spans.values())
    if most is not None and size > most:
        raise _too_large(most)
    parts, position = [], 0
    for name, (start, end) in spans.items():
        parts += [raw[position:start], name.encode()]
        position = end
    return b"".join([*parts, raw[position:]])


def _too_large(most: int) -> Problem:
    text = f"The body is larger than {most} bytes, its attachments not counted"
    return Problem(413, "PAYLOAD_TOO_LARGE", text, maxBytes=most)


def _base64(raw: Raw, start: int, end: int) -> Base64 | str:
    if raw.find(b"\\", start, end) < 0:
        return Base64(raw, start, end)
    # Some writers escape the slash and the plus, or end lines.
    try:
        found: str = json.loads(raw[start - 1 : end + 1])
    except ValueError as error:
        raise Problem(400, "INVALID_JSON", "The body is not valid JSON", details=[str(error)[:200]]) from error
    return found


class Download(NamedTuple):
    """A file as an answer: `pieces` reads it from its beginning."""

    filename: str
    mime_type: str
    size: int
    pieces: Callable[[], Iterator[bytes]]

    def headers(self) -> dict[str, str]:
        """What says how to keep the file, and that no browser shows it as a page."""
        return {
            "Content-Type": self.mime_type,
            "Content-Length": str(self.size),
            "Content-Disposition": disposition(self.filename),
            "Content-Security-Policy": "default-src 'none'; sandbox",
        }
