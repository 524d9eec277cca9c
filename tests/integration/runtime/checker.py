"""A real HTTP server that answers guard checks, and takes deliveries, the way a test wants."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Way = Callable[["Handler"], None]


class Handler(BaseHTTPRequestHandler):
    """Reads one request, keeps it, and lets the test's way answer it."""

    server: Checker  # type: ignore[assignment]
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.raw = self.rfile.read(int(self.headers["Content-Length"]))
        self.body = json.loads(self.raw)
        self.server.asked.append(self)
        self.close_connection = True
        with suppress(BrokenPipeError, ConnectionResetError):
            self.server.way(self)

    def answer(self, body: bytes, status: int = 200, **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        """Say nothing."""


class Checker(ThreadingHTTPServer):
    """Where it listens, what it was asked and how it answers; `stop` ends every slow answer."""

    daemon_threads = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[Handler] = []
        self.stop = threading.Event()
        self.way: Way = says({})

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


@contextmanager
def checking() -> Iterator[Checker]:
    """A checker in a thread of its own until the block ends."""
    checker = Checker()
    thread = threading.Thread(target=checker.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield checker
    finally:
        checker.stop.set()
        checker.shutdown()
        thread.join()
        checker.server_close()


def says(answer: Any, status: int = 200) -> Way:
    """Answers with a JSON value."""
    return lambda handler: handler.answer(json.dumps(answer).encode(), status)


def raw(body: bytes, status: int = 200, **headers: str) -> Way:
    """Answers with these bytes."""
    return lambda handler: handler.answer(body, status, **headers)


def model(content: Any) -> Way:
    """Answers as an OpenAI-compatible endpoint whose model says this."""
    text = content if isinstance(content, str) else json.dumps(content)
    return says({"choices": [{"message": {"role": "assistant", "content": text}}]})


def hang(handler: Handler) -> None:
    """Never answers."""
    handler.server.stop.wait(30)


def drip(start: bytes, part: bytes) -> Way:
    """Answers a little at a time, for ever."""

    def way(handler: Handler) -> None:
        handler.wfile.write(start)
        while not handler.server.stop.wait(0.05):
            handler.wfile.write(part)

    return way


def close(handler: Handler) -> None:
    """Closes the connection without an answer."""
