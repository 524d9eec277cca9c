"""What every request passes: its id, the limits of size and rate, the headers of every answer."""

from __future__ import annotations

import asyncio
import hashlib
import os
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from starlette.requests import ClientDisconnect

from dashclaw.runtime.problems import Problem

from .problems import problem_response, unexpected

if TYPE_CHECKING:
    from starlette.responses import Response
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from .settings import ServerSettings

HARDENING = [
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
]
_MOST_KEYS = 10_000
WINDOW_SECONDS = 60
DRAIN_SECONDS = 2


class Limits:
    """Pure ASGI, because a class over `BaseHTTPMiddleware` costs as much as the decision itself."""

    def __init__(self, app: ASGIApp, settings: ServerSettings, uploads: Mapping[tuple[str, str], int]) -> None:
        self._app = app
        self._uploads = uploads
        self._max_body = settings.max_body
        self._rate = RateLimit(settings.per_minute)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        request_id = _request_id(headers)
        scope["dashclaw.request_id"] = request_id
        # Routes match the path as it was sent, so that an id may hold a quoted slash.
        scope["path"] = scope["raw_path"].decode("ascii")
        started = False
        marked = (b"x-request-id", request_id.encode())

        async def answer(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                # Pages have others.
                message["headers"] = [*message["headers"], *scope.get("dashclaw.hardening", HARDENING), marked]
            await send(message)

        try:
            self._rate.check(headers, scope)
            most = self._max_body + self._uploads.get((scope["method"], scope["path"]), 0)
            await self._app(scope, self._counted(headers, receive, most), answer)
        except Problem as problem:
            if not started:
                await _answer_first(problem_response(problem, request_id), receive, answer, 4 * self._max_body)
        except ClientDisconnect:
            return
        except Exception as error:
            if started:
                raise
            await unexpected(error, request_id)(scope, receive, answer)

    def _counted(self, headers: dict[bytes, bytes], receive: Receive, most: int) -> Receive:
        length = headers.get(b"content-length", b"0")
        if length.isdigit() and int(length) > most:
            raise _too_large(most)
        if b"transfer-encoding" not in headers:
            return receive
        seen = 0

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > most:
                raise _too_large(most)
            return message

        return counted


def _too_large(most: int) -> Problem:
    text = f"The body is larger than {most} bytes"
    return Problem(413, "PAYLOAD_TOO_LARGE", text, maxBytes=most, headers={"Connection": "close"})


async def _answer_first(response: Response, receive: Receive, send: Send, most: int) -> None:
    """Answer, then read on for a moment: a connection closed on unread bytes is reset, and the answer lost."""
    await send({"type": "http.response.start", "status": response.status_code, "headers": response.raw_headers})
    await send({"type": "http.response.body", "body": response.body, "more_body": True})
    with suppress(asyncio.TimeoutError):
        await asyncio.wait_for(_discard(receive, most), DRAIN_SECONDS)
    await send({"type": "http.response.body"})


async def _discard(receive: Receive, most: int) -> None:
    more = True
    while more and most > 0:
        message = await receive()
        most -= len(message.get("body", b""))
        more = message.get("more_body", False)


class RateLimit:
    """Requests per key in a fixed window of 60 seconds; a key is known by its hash, no key by the address."""

    def __init__(self, per_minute: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = per_minute
        self._clock = clock
        self._seen: OrderedDict[bytes, tuple[float, int]] = OrderedDict()

    def check(self, headers: dict[bytes, bytes], scope: Any) -> None:
        """Count the request; raises `Problem` 429 with `Retry-After`."""
        if not self._most or scope["path"] == "/api/health":
            return
        hashed = hashlib.blake2b(_spender(headers, scope), digest_size=16).digest()
        now = self._clock()
        begun, count = self._seen.get(hashed, (now, 0))
        if now - begun >= WINDOW_SECONDS:
            begun, count = now, 0
        if count >= self._most:
            wait = max(1, round(WINDOW_SECONDS - (now - begun)))
            raise Problem(
                429, "RATE_LIMITED", f"More than {self._most} requests in a minute", headers={"Retry-After": str(wait)}
            )
        self._seen[hashed] = (begun, count + 1)
        self._seen.move_to_end(hashed)
        while len(self._seen) > _MOST_KEYS:
            self._seen.popitem(last=False)


def _spender(headers: dict[bytes, bytes], scope: Any) -> bytes:
    """The key in either spelling, else the address."""
    key = headers.get(b"x-api-key") or headers.get(b"authorization", b"").partition(b" ")[2].strip()
    return key or str((scope.get("client") or [""])[0]).encode()


def _request_id(headers: dict[bytes, bytes]) -> str:
    given = headers.get(b"x-request-id", b"")
    if 0 < len(given) <= 128 and given.isascii() and given.decode().isprintable():
        return given.decode()
    return f"req_{os.urandom(16).hex()}"
