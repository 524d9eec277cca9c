"""Stands between MCP clients and a server that is reached over HTTP (Streamable HTTP, also with events)."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from dashclaw._log import logger
from dashclaw._sse import SseParser
from dashclaw.errors import ConfigurationError

from ._mcp_unanswered import is_id
from ._mcp_wire import CALL
from ._shielded import harmless
from .mcp_gatekeeper import INVALID_REQUEST, NO_ANSWER, PARSE_ERROR, Gatekeeper, Message, error, read, written

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
_PIECE = 1024 * 1024
_CONNECTS_WITHIN = 10.0
# A server may have nothing to say by itself for long.
_SILENT_FOR = 3600.0
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class HttpProxy(ThreadingHTTPServer):
    """Listens on loopback and passes requests on to `target`; `port` 0 takes a free one.

    A request that the server has not answered within `seconds` is answered with an error. Raises `ConfigurationError`
    for a target that is no URL.
    """

    daemon_threads = True
    block_on_close = False

    def __init__(self, gatekeeper: Gatekeeper, target: str, port: int, seconds: float) -> None:
        parts = urlsplit(target)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigurationError(f"{target!r} is no URL such as http://127.0.0.1:8000/mcp")
        self.gatekeeper = gatekeeper
        self.target = parts
        self.seconds = seconds
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
        self._request: Message = {}
        self._begun = self._late = False
        content, answer, status = self._verdict(body) if self.command == "POST" else (None, None, 200)
        if answer is not None:
            self._answer(answer, status)
            return
        try:
            self._pass_on(content)
        except (OSError, http.client.HTTPException) as failed:
            self._unanswered(f"The MCP server gave no answer: {str(failed) or type(failed).__name__}")

    def _is_ours(self) -> bool:
        """Whether no web page of another site asks: the name it was reached by is passed on as the server's own."""
        names = [f"//{self.headers.get('host', '')}"]
        if self.headers.get("origin"):
            names.append(self.headers["origin"])
        with contextlib.suppress(ValueError):
            return all(urlsplit(name).hostname in _LOOPBACK for name in names)
        return False

    def _verdict(self, body: bytes) -> tuple[bytes | None, Message | None, int]:
        """Return what is passed on, or else what is answered and with which status."""
        gatekeeper = self.server.gatekeeper
        try:
            return self._decided(body)
        except Exception as wrong:  # noqa: BLE001 - an answer that is an error, or logged where nothing may be stopped
            # What could not even be read counts as a call.
            passed = gatekeeper.mistaken(self._request or {"method": CALL}, wrong, self._channel)
            return body if passed.answer is None else None, passed.answer, 200 if self._awaited else 500

    def _decided(self, body: bytes) -> tuple[bytes | None, Message | None, int]:
        messages = read(body)
        if messages is None or len(messages) != 1:
            return None, error(None, PARSE_ERROR, "A body holds one message"), 400
        (message,) = messages
        self._request = message
        named = self.headers.get("mcp-method")
        if named is not None and named != message.get("method"):
            return None, error(message.get("id"), INVALID_REQUEST, "Mcp-Method names another method"), 400
        passed = self.server.gatekeeper.asked(message, self._channel)
        if passed.on is not None:
            return written(passed.on), None, 200
        return None, passed.answer or error(message.get("id"), INVALID_REQUEST, "The call was cancelled"), 200

    @property
    def _awaited(self) -> bool:
        """Whether the client waits for an answer that has the id of its request."""
        return "method" in self._request and is_id(self._request.get("id"))

    @property
    def _channel(self) -> str:
        return self.headers.get("mcp-session-id") or f"{self.client_address}"

    def _pass_on(self, content: bytes | None) -> None:
        target = self.server.target
        kind = http.client.HTTPSConnection if target.scheme == "https" else http.client.HTTPConnection
        connection = kind(str(target.hostname), target.port, timeout=_CONNECTS_WITHIN)
        with contextlib.closing(connection):
            connection.connect()
            connection.sock.settimeout(_SILENT_FOR)
            query = f"?{target.query}" if target.query else ""
            headers = {name: value for name, value in self.headers.items() if name.lower() not in _OWN}
            with self._in_time(connection.sock):
                connection.request(self.command, (target.path or "/") + query, content, headers)
                answer = connection.getresponse()
                if answer.headers.get_content_type() == "text/event-stream":
                    self._return_events(answer)
                else:
                    self._return_whole(answer)

    @contextlib.contextmanager
    def _in_time(self, sock: socket.socket) -> Iterator[None]:
        """Break the connection to the server when a request has not been answered in time: pings keep it alive."""

        def late() -> None:
            self._late = True
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

        watch = threading.Timer(self.server.seconds, late)
        watch.daemon = True
        if self._awaited:
            watch.start()
        try:
            yield
        finally:
            watch.cancel()

    def _return_whole(self, answer: http.client.HTTPResponse) -> None:
        """Pass an answer back, and record the call that it answers."""
        body = answer.read()
        messages = self._read(body)
        if answer.status >= 400:
            self.server.gatekeeper.lost(self._request, f"The server answered {answer.status}", self._channel)
        elif self._awaited and messages is not None and not self._answers(messages):
            self._unanswered(f"The MCP server answered {len(body)} bytes that are no answer to this")
            return
        self._begin(answer)
        if answer.status not in (204, 304):
            self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self._recorded(messages or [])

    def _return_events(self, answer: http.client.HTTPResponse) -> None:
        """Pass events back as they come, and record the calls that they answer."""
        self._begin(answer)
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        events, answered = SseParser(_LARGEST), False
        while line := answer.readline(_PIECE):
            self._chunk(line)
            messages = self._read(line, events)
            answered = answered or messages is None or self._answers(messages)
            self._recorded(messages or [])
        # Where events have ids, the client asks for those that it missed.
        if self._awaited and not answered and (self._late or not events.last_event_id):
            self._unanswered("The MCP server ended its events without an answer")
        else:
            self._chunk(b"")

    def _read(self, content: bytes, events: SseParser | None = None) -> list[Message] | None:
        """Return the messages that a body or a piece of events holds; None where a mistake of ours is made."""
        try:
            texts = [content] if events is None else [event.data.encode() for event in events.feed(content)]
            return [message for text in texts for message in read(text) or []]
        except Exception:  # noqa: BLE001 - what cannot be recorded is passed on all the same
            logger().warning("An answer of the MCP server was not understood", exc_info=True)
            return None

    def _answers(self, messages: list[Message]) -> bool:
        return any("method" not in found and found.get("id") == self._request.get("id") for found in messages)

    def _begin(self, answer: http.client.HTTPResponse) -> None:
        self._begun = True
        self.send_response(answer.status, answer.reason)
        for name, value in answer.getheaders():
            if name.lower() not in _HOP | {"content-length", "server", "date"}:
                self.send_header(name, value)

    def _unanswered(self, why: str) -> None:
        """Tell the client that the server did not answer, in whichever form its answer has begun."""
        if self._late:
            why = f"The MCP server did not answer within {self.server.seconds:g} seconds"
        logger().warning("%s", why)
        self.close_connection = True
        self.server.gatekeeper.lost(self._request, why, self._channel)
        told = error(self._request.get("id"), NO_ANSWER, why)
        with contextlib.suppress(OSError):
            if not self._begun:
                self._answer(told, 200 if self._awaited else 502)
                return
            if self._awaited:
                self._chunk(b"event: message\ndata: %b\n\n" % json.dumps(told).encode())
            self._chunk(b"")

    def _chunk(self, content: bytes) -> None:
        self.wfile.write(b"%x\r\n%b\r\n" % (len(content), content))
        self.wfile.flush()

    @harmless
    def _recorded(self, messages: list[Message]) -> None:
        for message in messages:
            self.server.gatekeeper.answered(message, self._channel)

    def _answer(self, message: Message, status: int) -> None:
        body = json.dumps(message).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
