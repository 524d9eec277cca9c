"""A server of raw sockets that plays a list of behaviours, one per request, and can stand before a real server."""

from __future__ import annotations

import json
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple

_JSON = "application/json"


class Received(NamedTuple):
    """One request; header names are lower-case. `connection` counts the connections from 1."""

    verb: str
    target: str
    headers: dict[str, str]
    body: bytes
    raw: bytes
    connection: int

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Wire:
    """A request that waits for its answer, and the socket to answer on."""

    def __init__(self, server: Faulty, sock: socket.socket, request: Received) -> None:
        self.server = server
        self.request = request
        self.sock = sock

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def forward(self) -> bytes:
        """Let the real server answer; the bytes of its answer."""
        assert self.server.upstream is not None, "there is no server behind this one"
        with socket.create_connection(self.server.upstream, 20) as real:
            real.sendall(self.request.raw.replace(b"\r\n", b"\r\nConnection: close\r\n", 1))
            return b"".join(iter(lambda: real.recv(65536), b""))

    def wait(self, seconds: float) -> bool:
        """Do nothing for a while; false once the server stops."""
        return not self.server.stopping.wait(seconds)

    def reset(self) -> None:
        """Close so that the other side sees a reset."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def gone(self) -> bool:
        """Wait until the other side closes; false when the server stops first."""
        self.sock.settimeout(0.05)
        while not self.server.stopping.is_set():
            try:
                return self.sock.recv(1) == b""
            except TimeoutError:
                continue
            except OSError:
                return True
        return False


# Plays one request; true keeps the connection for the next one.
Play = Callable[[Wire], bool]


def head(status: int, *lines: str) -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status} Playing", *lines, "", ""]).encode("latin-1")


def complete(status: int, body: object = None, *, content_type: str = _JSON, **headers: str) -> bytes:
    """A whole answer with its length; a body that is not bytes is written as JSON."""
    data = body if isinstance(body, bytes) else json.dumps({} if body is None else body).encode()
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return head(status, f"Content-Type: {content_type}", f"Content-Length: {len(data)}", *lines) + data


def answered(status: int = 200, body: object = None, *, content_type: str = _JSON, **headers: str) -> Play:
    """Answer in full and keep the connection."""
    return raw(complete(status, body, content_type=content_type, **headers), keep=True)


def raw(*parts: bytes, keep: bool = False) -> Play:
    """Send bytes as they are, then close unless the connection is kept."""

    def play(wire: Wire) -> bool:
        for part in parts:
            wire.send(part)
        return keep

    return play


def echoed(wire: Wire) -> bool:
    """Answer with what the request said."""
    body = wire.request.json if wire.request.body else None
    found = {"target": wire.request.target, "body": body, "decision": "allow", "reasons": []}
    wire.send(complete(200, found))
    return True


def passed_on(wire: Wire) -> bool:
    """Relay the real server's answer."""
    wire.send(wire.forward())
    return False


def hung_up(wire: Wire) -> bool:
    return False


def reset(wire: Wire) -> bool:
    wire.reset()
    return False


def silence(wire: Wire) -> bool:
    """Say nothing until the other side gives up."""
    wire.gone()
    return False


def dripped(start: bytes, drop: bytes, pause: float = 0.02) -> Play:
    """Send a start, then the same few bytes again and again until the other side gives up."""

    def play(wire: Wire) -> bool:
        wire.send(start)
        with suppress(OSError):
            while wire.wait(pause):
                wire.send(drop)
        return False

    return play


def after_commit(then: Play) -> Play:
    """Let the real server act, lose its answer, and play something else."""

    def play(wire: Wire) -> bool:
        wire.forward()
        return then(wire)

    return play


class Faulty:
    """Listens on a free port; the last behaviour is repeated."""

    def __init__(
        self, *plays: Play, upstream: str | None = None, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1"
    ) -> None:
        self.plays = list(plays)
        self.seen: list[Received] = []
        self.connections = 0
        self.stopping = threading.Event()
        self.upstream = _address(upstream)
        self._tls = tls
        self._lock = threading.Lock()
        self._socks: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._listener: socket.socket | None = None
        self.host = host
        self.port = 0

    @property
    def url(self) -> str:
        named = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self._tls else 'http'}://{named}:{self.port}"

    @property
    def open_connections(self) -> int:
        with self._lock:
            return len(self._socks)

    def start(self) -> None:
        """Listen; after a stop, on the same port as before."""
        self.stopping.clear()
        listener = socket.socket(socket.AF_INET6 if ":" in self.host else socket.AF_INET)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((self.host, self.port))
        listener.listen(64)
        self.port = listener.getsockname()[1]
        self._listener = listener
        self._run(self._accept, listener)

    def stop(self) -> None:
        """Close the listener and every connection."""
        self.stopping.set()
        if self._listener is not None:
            with suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
        self.drop_connections()
        for thread in self._threads:
            thread.join(20)
        assert not any(thread.is_alive() for thread in self._threads)
        self._threads.clear()

    def drop_connections(self) -> None:
        """Close the connections, as a server does with idle ones."""
        with self._lock:
            for sock in self._socks:
                with suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)

    def _run(self, target: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self, listener: socket.socket) -> None:
        while not self.stopping.is_set():
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.connections += 1
            self._run(self._serve, sock, self.connections)

    def _serve(self, sock: socket.socket, number: int) -> None:
        with self._lock:
            self._socks.add(sock)
        served = sock
        try:
            # A client may go away at any point of what is played.
            with suppress(OSError):
                if self._tls is not None:
                    served = secured = self._wrapped(sock)
                    secured.do_handshake()
                while not self.stopping.is_set():
                    request = read_request(served, number)
                    if request is None or not self._play(served, request):
                        return
        finally:
            with self._lock:
                self._socks.discard(served)
            served.close()

    def _wrapped(self, sock: socket.socket) -> ssl.SSLSocket:
        assert self._tls is not None
        secured = self._tls.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
        with self._lock:
            self._socks.discard(sock)
            self._socks.add(secured)
        return secured

    def _play(self, sock: socket.socket, request: Received) -> bool:
        with self._lock:
            self.seen.append(request)
            play = self.plays.pop(0) if len(self.plays) > 1 else self.plays[0]
        return play(Wire(self, sock, request))


@contextmanager
def faulty(
    *plays: Play, upstream: str | None = None, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1"
) -> Iterator[Faulty]:
    """Serve until the block ends."""
    server = Faulty(*plays, upstream=upstream, tls=tls, host=host)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def read_request(sock: socket.socket, connection: int = 1) -> Received | None:
    """Read one request with its body; None at the end of the connection."""
    data = b""
    while b"\r\n\r\n" not in data:
        part = sock.recv(65536)
        if not part:
            return None
        data += part
    start, _, body = data.partition(b"\r\n\r\n")
    first, *lines = start.decode("latin-1").split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    while len(body) < int(headers.get("content-length", 0)):
        part = sock.recv(65536)
        if not part:
            return None
        body += part
    verb, target, _ = first.split(" ")
    return Received(verb, target, headers, body, start + b"\r\n\r\n" + body, connection)


def _address(url: str | None) -> tuple[str, int] | None:
    if url is None:
        return None
    host, _, port = url.partition("://")[2].rpartition(":")
    return host, int(port)
