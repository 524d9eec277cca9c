"""Stands between MCP clients and a server that is reached over HTTP (Streamable HTTP, also with events)."""

from __future__ import annotations

import contextlib
import http.client
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from dashclaw._log import logger
from dashclaw.errors import ConfigurationError

from .mcp_gatekeeper import INVALID_REQUEST, PARSE_ERROR, Gatekeeper, Message, error, read, written

_LARGEST = 16 * 1024 * 1024
_HOP = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
_OWN = _HOP | {"host", "content-length", "accept-encoding", "expect"}
_UPSTREAM_SECONDS = 3600.0
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class HttpProxy(ThreadingHTTPServer):
    """Listens on loopback and passes requests on to `target`; `port` 0 takes a free one.

    Raises `ConfigurationError` for a target that is no URL.
    """

    daemon_threads = True
    block_on_close = False

    def __init__(self, gatekeeper: Gatekeeper, target: str, port: int) -> None:
        parts = urlsplit(target)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigurationError(f"{target!r} is no URL such as http://127.0.0.1:8000/mcp")
        self.gatekeeper = gatekeeper
        self.target = parts
        super().__init__(("127.0.0.1", port), _Handler)

    @property
    def url(self) -> str:
        """Where clients reach the server through this."""
        return f"http://127.0.0.1:{self.server_address[1]}{self.target.path or '/'}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: HttpProxy

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name of the base class
        logger().debug(format, *args)

    def do_GET(self) -> None:
        """Pass on what the server has to say by itself."""
        self._guarded(b"")

    def do_DELETE(self) -> None:
        """Pass on the end of a session."""
        self._guarded(b"")

    def do_POST(self) -> None:
        """Decide about a message, and pass it on."""
        length = self.headers.get("content-length", "")
        if not length.isdecimal() or int(length) > _LARGEST:
            self.close_connection = True
            self._answer(error(None, INVALID_REQUEST, "The body needs a length of at most 16 MiB"), 413)
            return
        self._guarded(self.rfile.read(int(length)))

    def _guarded(self, body: bytes) -> None:
        if not self._is_ours():
            self._answer(error(None, INVALID_REQUEST, "This name or origin is not served"), 403)
            return
        try:
            self._decided(body)
        except (OSError, http.client.HTTPException) as failed:
            logger().warning("The MCP server could not be reached: %s", failed)
            self.close_connection = True
            with contextlib.suppress(OSError):
                self._answer(error(None, INVALID_REQUEST, f"The server could not be reached: {failed}"), 502)

    def _is_ours(self) -> bool:
        """Whether no web page of another site asks: the name it was reached by is passed on as the server's own."""
        names = [f"//{self.headers.get('host', '')}"]
        if self.headers.get("origin"):
            names.append(self.headers["origin"])
        with contextlib.suppress(ValueError):
            return all(urlsplit(name).hostname in _LOOPBACK for name in names)
        return False

    def _decided(self, body: bytes) -> None:
        if self.command != "POST":
            self._pass_on(None)
            return
        messages = read(body)
        if messages is None or len(messages) != 1:
            self._answer(error(None, PARSE_ERROR, "A body holds one message"), 400)
            return
        (message,) = messages
        named = self.headers.get("mcp-method")
        if named is not None and named != message.get("method"):
            self._answer(error(message.get("id"), INVALID_REQUEST, "Mcp-Method names another method"), 400)
            return
        passed = self.server.gatekeeper.asked(message, self._channel)
        if passed.answer is not None:
            self._answer(passed.answer, 200)
        elif passed.on is None:
            self._answer(error(message.get("id"), INVALID_REQUEST, "The call was cancelled"), 200)
        else:
            try:
                status = self._pass_on(passed.on)
            except BaseException as failed:
                self.server.gatekeeper.lost(message, f"{type(failed).__name__}: {failed}", self._channel)
                raise
            if status >= 400:
                self.server.gatekeeper.lost(message, f"The server answered {status}", self._channel)

    @property
    def _channel(self) -> str:
        return self.headers.get("mcp-session-id") or f"{self.client_address}"

    def _pass_on(self, message: Message | None) -> int:
        """Return the status of the server's answer, which has been passed back."""
        target = self.server.target
        kind = http.client.HTTPSConnection if target.scheme == "https" else http.client.HTTPConnection
        connection = kind(str(target.hostname), target.port, timeout=_UPSTREAM_SECONDS)
        with contextlib.closing(connection):
            query = f"?{target.query}" if target.query else ""
            headers = {name: value for name, value in self.headers.items() if name.lower() not in _OWN}
            body = None if message is None else written(message)
            connection.request(self.command, (target.path or "/") + query, body, headers)
            answer = connection.getresponse()
            self._return(answer)
            return answer.status

    def _return(self, answer: http.client.HTTPResponse) -> None:
        """Pass an answer back as it comes, and record the calls that it answers."""
        self.send_response(answer.status, answer.reason)
        for name, value in answer.getheaders():
            if name.lower() not in _HOP | {"content-length", "server", "date"}:
                self.send_header(name, value)
        empty = answer.status in (204, 304)
        if not empty:
            self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        events = answer.headers.get_content_type() == "text/event-stream"
        for piece in _lines(answer) if events else iter([answer.read()]):
            if piece and not empty:
                self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
                self.wfile.flush()
            self._recorded(piece.partition(b"data:")[2] if events else piece)
        if not empty:
            self.wfile.write(b"0\r\n\r\n")

    def _recorded(self, content: bytes) -> None:
        for found in (read(content) or []) if content.strip() else []:
            self.server.gatekeeper.answered(found, self._channel)

    def _answer(self, message: Message, status: int) -> None:
        body = json.dumps(message).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _lines(answer: http.client.HTTPResponse) -> Iterator[bytes]:
    while line := answer.readline():
        yield line
