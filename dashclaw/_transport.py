"""How requests leave this process: the values, the protocol, and the keep-alive pool over plain sockets."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any, Callable, List, Mapping, NamedTuple, Optional

from ._compat import Protocol
from ._connection import Connection, Origin
from .errors import ClientClosedError, NotSentError, TransportError, UnknownOutcomeError

if TYPE_CHECKING:
    import ssl

SAFE_VERBS = frozenset({"GET", "HEAD", "PUT", "DELETE", "OPTIONS"})


class Request(NamedTuple):
    """One request; `target` is the path with its query, `headers` what the transport does not add itself."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: Optional[bytes] = None

    def __repr__(self) -> str:
        # The headers hold the key and the token.
        return f"Request({self.method!r}, {self.target!r})"


class Response(NamedTuple):
    """One answer; header names are lower-case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class ByteStream(Protocol):
    """An answer that does not end; any thread may close it."""

    status: int
    headers: Mapping[str, str]

    def read(self, timeout: float) -> Optional[bytes]:
        """The next bytes; None when nothing came within `timeout` seconds, `b""` at the end."""

    def close(self) -> None:
        """End the stream; a blocked read returns."""


class Transport(Protocol):
    """Anything that carries a request to the runtime and its answer back."""

    def send(self, request: Request, timeout: float) -> Response:
        """Exchange within `timeout` seconds; raises a `TransportError`."""

    def stream(self, request: Request, timeout: float) -> ByteStream:
        """Open a stream; `timeout` seconds for the head of the answer."""

    def close(self) -> None:
        """Release everything; closing twice is harmless."""


class PooledTransport:
    """Keep-alive connections to one origin; the newest idle one is used first.

    `proxies` maps `http` and `https` to proxy URLs (None: from the environment), `tls_context` makes the TLS context.
    At most `idle` connections are kept; answers over `max_body` bytes are refused. Redirects are not followed. A forked
    child opens connections of its own. Name resolution is the system's and not bounded by the time limit.
    """

    def __init__(
        self,
        base_url: str,
        *,
        proxies: Optional[Mapping[str, str]] = None,
        tls_context: Optional[Callable[[], ssl.SSLContext]] = None,
        idle: int = 8,
        max_body: int = 64 * 1024 * 1024,
    ) -> None:
        self._origin = Origin.parse(base_url, proxies, tls_context, max_body)
        self._limit = idle
        self._idle: List[Connection] = []
        self._pid = os.getpid()
        self._closed = False

    def send(self, request: Request, timeout: float) -> Response:
        """Exchange within `timeout` seconds in total, slow answers included."""
        deadline = time.monotonic() + timeout
        data = self._origin.encode(request)
        connection = self._take()
        if connection is not None:
            try:
                return self._exchange(connection, request, data, deadline)
            except NotSentError:
                pass  # the idle connection was dead before anything left
            except UnknownOutcomeError as error:
                if request.method not in SAFE_VERBS or not error.silent:
                    raise
        return self._exchange(Connection.open(self._origin, deadline), request, data, deadline)

    def _exchange(self, connection: Connection, request: Request, data: bytes, deadline: float) -> Response:
        try:
            status, headers, body = connection.exchange(request.method, data, deadline)
        except BaseException:
            connection.close()
            raise
        if connection.reusable and len(self._idle) < self._limit and not self._closed:
            self._idle.append(connection)
        else:
            connection.close()
        return Response(status, headers, body)

    def stream(self, request: Request, timeout: float) -> ByteStream:
        """Open a stream on a connection of its own."""
        if self._closed:
            raise ClientClosedError("This client was closed")
        deadline = time.monotonic() + timeout
        connection = Connection.open(self._origin, deadline)
        try:
            found: Any = connection.open_stream(self._origin.encode(request), deadline)
        except TransportError:
            connection.close()
            raise
        stream: ByteStream = found
        return stream

    def _take(self) -> Optional[Connection]:
        if self._closed:
            raise ClientClosedError("This client was closed")
        if self._pid != os.getpid():
            # The parent's sockets: closing this process's copies leaves them open there.
            inherited, self._idle, self._pid = self._idle, [], os.getpid()
            for connection in inherited:
                connection.close()
        while self._idle:
            try:
                connection = self._idle.pop()
            except IndexError:
                break
            if connection.alive():
                return connection
            connection.close()
        return None

    def close(self) -> None:
        """Close the idle connections; those in use close when they are done."""
        self._closed = True
        while self._idle:
            self._idle.pop().close()

    def __repr__(self) -> str:
        return f"PooledTransport({self._origin.shown!r})"
