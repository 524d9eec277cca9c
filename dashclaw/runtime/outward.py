"""Requests to addresses that users chose: bounded in time and size, to the very address that was judged."""

from __future__ import annotations

import hashlib
import hmac
import http.client
import io
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from .guard import is_public_address, why_not_public


class TargetError(Exception):
    """The address may not be called; the text says why."""


class Reply(NamedTuple):
    """What came back; `body` has one byte more than was asked for when there is more of it."""

    status: int
    retry_after: str | None
    body: bytes


def signed(secret: str, moment: datetime, body: bytes) -> dict[str, str]:
    """The headers with which a receiver checks who sent a body, and when.

    The signature is "v1=" and the hex HMAC-SHA256 of the time stamp (milliseconds since 1970), a dot and the body.
    """
    milliseconds = str(int(moment.timestamp() * 1000))
    digest = hmac.new(secret.encode(), milliseconds.encode() + b"." + body, hashlib.sha256).hexdigest()
    return {"X-DashClaw-Timestamp": milliseconds, "X-DashClaw-Signature": f"v1={digest}"}


def post(
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    seconds: float,
    *,
    private: bool,
    most_bytes: int,
    whole: bool = True,
    verb: str = "POST",
) -> Reply:
    """Send a body to a URL and return what it answers within `seconds` in all; redirects are answers like any other.

    The name is resolved once and that very address is connected to, so a second look-up cannot swap it for
    a private one. With `whole=False` an answer whose body breaks off is an answer too. Raises `TargetError`, `OSError`
    or `HTTPException`.
    """
    if not private and (wrong := why_not_public(url)):
        raise TargetError(f"its address {wrong}")
    parts = urlsplit(url)
    host = parts.hostname or ""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    deadline = time.monotonic() + seconds
    connection = _Pinned(host, port, _address(host, port, private, deadline), deadline, parts.scheme == "https")
    try:
        connection.request(
            verb, (parts.path or "/") + (f"?{parts.query}" if parts.query else ""), body, dict(headers)
        )
        answer = connection.getresponse()
        found = bytearray()
        if whole:
            _read(answer, found, most_bytes)
        else:
            with suppress(OSError, http.client.HTTPException):
                _read(answer, found, most_bytes)
        return Reply(answer.status, answer.getheader("Retry-After"), bytes(found))
    finally:
        connection.close()


def _read(answer: http.client.HTTPResponse, found: bytearray, most: int) -> None:
    while len(found) <= most and (chunk := answer.read1(min(8192, most + 1 - len(found)))):
        found += chunk


def _address(host: str, port: int, private: bool, deadline: float) -> tuple[str, int]:
    for _, _, _, _, address in _resolved(host, port, deadline):
        if private or is_public_address(str(address[0])):
            return str(address[0]), port
    raise TargetError("its name resolves to a private address")


def _resolved(host: str, port: int, deadline: float) -> list[Any]:
    """Look a name up; the system's resolver knows no deadline, so it is waited for in a thread."""
    found: list[Any] = []
    failed: list[OSError] = []

    def look() -> None:
        try:
            found.extend(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except UnicodeError:
            failed.append(OSError("the name cannot be looked up"))
        except OSError as error:
            failed.append(error)

    thread = threading.Thread(target=look, name="dashclaw-resolve", daemon=True)
    thread.start()
    thread.join(_left(deadline))
    if failed:
        raise failed[0]
    if not found:
        raise TimeoutError
    return found


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


class _Pinned(http.client.HTTPConnection):
    """Connects to one resolved address, while TLS and the Host header keep the name."""

    def __init__(self, host: str, port: int, address: tuple[str, int], deadline: float, tls: bool) -> None:
        super().__init__(host, port)
        self._address = address
        self._deadline = deadline
        self._tls = tls
        self.default_port = 443 if tls else 80
        self.response_class = self._response  # type: ignore[assignment]

    def connect(self) -> None:
        self.sock = socket.create_connection(self._address, _left(self._deadline))
        self.sock.settimeout(_left(self._deadline))
        if self._tls:
            self.sock = ssl.create_default_context().wrap_socket(self.sock, server_hostname=self.host)

    def _response(self, sock: socket.socket, **options: Any) -> http.client.HTTPResponse:
        return http.client.HTTPResponse(_Receiving(sock, self._deadline), **options)  # type: ignore[arg-type]


class _Receiving(io.RawIOBase):
    """What a socket receives until a deadline, however little comes at a time."""

    def __init__(self, sock: socket.socket, deadline: float) -> None:
        self._sock = sock
        self._raw = sock.makefile("rb", buffering=0)
        self._deadline = deadline

    def makefile(self, _: str) -> io.BufferedReader:
        """What `HTTPResponse` reads from."""
        return io.BufferedReader(self)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._sock.settimeout(_left(self._deadline))
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()
