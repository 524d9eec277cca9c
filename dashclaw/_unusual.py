"""Answers that the lean reader does not take: chunked, close-delimited, endless."""

from __future__ import annotations

import contextlib
import http.client
import io
import socket
from typing import Any, Callable, Dict, Mapping, Optional

from ._connection import readable
from .errors import DashClawError, UnknownOutcomeError, UnreadableAnswerError


class _Arriving(io.RawIOBase):
    """Bytes read already, then those of the socket, as a file."""

    def __init__(self, head: bytes, receive: Callable[[], bytes], closes: bool) -> None:
        super().__init__()
        self._data = head
        self._receive = receive
        self._closes = closes

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._data:
            try:
                self._data = self._receive()
            except UnknownOutcomeError:
                if not self._closes:
                    raise
                return 0
        size = min(len(buffer), len(self._data))
        buffer[:size] = self._data[:size]
        self._data = self._data[size:]
        return size


class _FileSocket:
    """What `HTTPResponse` wants of a socket."""

    def __init__(self, raw: io.RawIOBase) -> None:
        self._raw = raw

    def makefile(self, *_: Any, **__: Any) -> io.BufferedReader:
        return io.BufferedReader(self._raw)


def read_body(
    method: str, status: int, headers: Mapping[str, str], rest: bytes, receive: Callable[[], bytes], max_body: int
) -> bytes:
    """Read the body of an answer whose head is known, with the standard library's parser."""
    closes = "transfer-encoding" not in headers
    head = "HTTP/1.1 %d x\r\n" % status
    head += "" if closes else "Transfer-Encoding: {}\r\n".format(headers["transfer-encoding"])
    raw = _Arriving((head + "Connection: close\r\n\r\n").encode("latin-1") + rest, receive, closes)
    answer = http.client.HTTPResponse(_FileSocket(raw), method=method)  # type: ignore[arg-type]
    try:
        answer.begin()
        body = answer.read(max_body + 1)
    except DashClawError:
        raise
    except (http.client.HTTPException, ValueError) as error:
        raise UnknownOutcomeError(f"The answer broke off or cannot be parsed: {type(error).__name__}") from error
    if len(body) > max_body:
        raise UnreadableAnswerError("The answer is longer than %d bytes" % max_body)
    return body


class SocketStream:
    """An endless answer; `read` gives the bytes of the body as they come, chunked or not."""

    def __init__(self, sock: socket.socket, status: int, headers: Dict[str, str], rest: bytes) -> None:
        self.status = status
        self.headers = headers
        self._sock = sock
        self._chunks = _Chunks() if headers.get("transfer-encoding", "").lower() == "chunked" else None
        self._rest = rest
        self._ended = False

    def read(self, timeout: float) -> Optional[bytes]:
        """The next bytes; None when nothing came within `timeout` seconds, `b""` at the end."""
        if self._ended:
            return b""
        data, self._rest = self._rest, b""
        if not data:
            received = self._receive(timeout)
            if received is None:
                return None
            data = received
        if not data:
            self.close()
            return b""
        if self._chunks is None:
            return data
        body = self._chunks.feed(data)
        if self._chunks.ended and not body:
            self.close()
            return b""
        return body or None

    def _receive(self, timeout: float) -> Optional[bytes]:
        try:
            pending = getattr(self._sock, "pending", None)
            if not (pending and pending()) and not readable(self._sock, timeout):
                return None
            self._sock.settimeout(max(timeout, 0.05))
            return self._sock.recv(65536)
        except socket.timeout:
            return None
        except (OSError, ValueError):
            return b""

    def close(self) -> None:
        """End the stream; a read that is under way returns."""
        self._ended = True
        with contextlib.suppress(OSError):  # it may be closed already
            self._sock.shutdown(socket.SHUT_RDWR)
        self._sock.close()


class _Chunks:
    """Takes the chunked coding off, byte by byte as they arrive."""

    def __init__(self) -> None:
        self.ended = False
        self._data = b""
        self._left = 0

    def feed(self, data: bytes) -> bytes:
        self._data += data
        body = b""
        while not self.ended:
            if self._left > 2:
                part = self._data[: self._left - 2]
                body += part
                self._data = self._data[len(part) :]
                self._left -= len(part)
                if self._left > 2:
                    break
            if self._left:
                if len(self._data) < self._left:
                    break
                self._data = self._data[self._left :]
                self._left = 0
            line, found, rest = self._data.partition(b"\r\n")
            if not found:
                break
            try:
                size = int(line.split(b";")[0].strip() or b"x", 16)
            except ValueError as error:
                raise UnreadableAnswerError("The stream has a malformed chunk") from error
            self._data = rest
            self.ended = size == 0
            self._left = size + 2
        return body
