"""One HTTP/1.1 connection: a lean writer and reader; whatever is unusual goes to the standard library's parser."""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING, Any, Callable, Dict, Mapping, NamedTuple, Optional, Tuple

from .errors import (
    ConfigurationError,
    DeadlineExceededError,
    NotSentError,
    TransportError,
    UnknownOutcomeError,
    UnreadableAnswerError,
)

if TYPE_CHECKING:
    import ssl

    from ._transport import Request

_CHUNK = 65536
_LONGEST_HEAD = 65536
_LONGEST_NUMBER = 19


class Origin(NamedTuple):
    """Where connections go and how requests are spelt for there."""

    host: str
    port: int
    host_header: str
    prefix: str
    tls: Optional[Callable[[], ssl.SSLContext]]
    proxy: Optional[Tuple[str, int, str]]
    max_body: int
    shown: str

    @classmethod
    def parse(
        cls,
        base_url: str,
        proxies: Optional[Mapping[str, str]],
        tls_context: Optional[Callable[[], ssl.SSLContext]],
        max_body: int,
    ) -> Origin:
        """Read a base URL; raises `ConfigurationError` when it is not http or https with a host."""
        from urllib.parse import urlsplit

        try:
            parts = urlsplit(base_url)
            port = parts.port
        except ValueError as error:
            raise ConfigurationError(f"base_url is not a valid URL: {error}") from error
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigurationError("base_url must be http://host[:port] or https://host[:port]")
        secure = parts.scheme == "https"
        host = parts.hostname
        named = f"[{host}]" if ":" in host else host
        header = named if port is None else "%s:%d" % (named, port)
        return cls(
            host,
            port or (443 if secure else 80),
            header,
            parts.path.rstrip("/"),
            (tls_context or _default_tls) if secure else None,
            _proxy_for(parts.scheme, host, proxies),
            max_body,
            "{}://{}{}".format(parts.scheme, header, parts.path.rstrip("/")),
        )

    def encode(self, request: Request) -> bytes:
        """The whole request as bytes; raises `NotSentError` for control characters in target or headers."""
        target = self.prefix + request.target
        if self.proxy is not None and self.tls is None:
            target = "http://" + self.host_header + target
        head = f"{request.method} {target} HTTP/1.1\r\nHost: {self.host_header}\r\nAccept-Encoding: identity\r\n"
        for name, value in request.headers.items():
            head += name + ": " + value + "\r\n"
        if self.proxy is not None and self.tls is None and self.proxy[2]:
            head += "Proxy-Authorization: " + self.proxy[2] + "\r\n"
        body = request.body
        if body is not None or request.method in ("POST", "PUT", "PATCH"):
            head += "Content-Length: %d\r\n" % len(body or b"")
        lines = 3 + len(request.headers) + head.count("\r\nContent-Length: ") + head.count("\r\nProxy-Authorization: ")
        if head.count("\n") != lines or head.count("\r") != lines or " " in target or not target.isprintable():
            raise NotSentError("The request holds control characters and was not sent")
        try:
            return (head + "\r\n").encode("latin-1") + (body or b"")
        except UnicodeEncodeError as error:
            raise NotSentError("A header holds characters that HTTP cannot carry; nothing was sent") from error


_TLS: Dict[str, Any] = {}


def _default_tls() -> ssl.SSLContext:
    import ssl

    found: ssl.SSLContext = _TLS.setdefault("default", ssl.create_default_context())
    return found


def _proxy_for(scheme: str, host: str, proxies: Optional[Mapping[str, str]]) -> Optional[Tuple[str, int, str]]:
    from urllib.parse import unquote, urlsplit

    if proxies is None:
        if host == "localhost" or host == "::1" or host.startswith("127."):
            return None
        from urllib.request import getproxies, proxy_bypass

        found = None if proxy_bypass(host) else getproxies().get(scheme)
    else:
        found = proxies.get(scheme)
    if not found:
        return None
    try:
        parts = urlsplit(found if "://" in found else "http://" + found)
        port = parts.port
    except ValueError:
        # The message of the parser may quote the password.
        raise ConfigurationError("The proxy must be http://[user:password@]host:port") from None
    if parts.scheme != "http" or not parts.hostname:
        raise ConfigurationError("The proxy must be http://[user:password@]host:port")
    auth = ""
    if parts.username is not None:
        from base64 import b64encode

        pair = "{}:{}".format(unquote(parts.username), unquote(parts.password or ""))
        auth = "Basic " + b64encode(pair.encode()).decode()
    return parts.hostname, port or 80, auth


class Connection:
    """One socket. Any failure makes it unusable; `reusable` says whether another request may follow."""

    def __init__(self, sock: socket.socket, origin: Origin) -> None:
        self._sock = sock
        self._origin = origin
        self.reusable = False

    @classmethod
    def open(cls, origin: Origin, deadline: float) -> Connection:
        """Connect, through the proxy and TLS where asked; raises `NotSentError` or `DeadlineExceededError`."""
        sock: Optional[socket.socket] = None
        try:
            host, port = (origin.host, origin.port) if origin.proxy is None else origin.proxy[:2]
            sock = _dial(host, port, deadline)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if origin.tls is not None:
                if origin.proxy is not None:
                    _tunnel(sock, origin, deadline)
                sock.settimeout(max(0.001, deadline - time.monotonic()))
                sock = origin.tls().wrap_socket(sock, server_hostname=origin.host)
            return cls(sock, origin)
        except (OSError, UnicodeError) as error:
            if sock is not None:
                sock.close()
            if isinstance(error, socket.timeout):
                raise _late(False) from error
            raise NotSentError(f"No connection to {origin.shown}: {error}") from error
        except BaseException:
            if sock is not None:
                sock.close()
            raise

    def alive(self) -> bool:
        """Whether the idle connection can still be used: the other side has neither closed it nor sent anything."""
        try:
            return not readable(self._sock, 0)
        except (OSError, ValueError):
            return False

    def exchange(self, method: str, data: bytes, deadline: float) -> Tuple[int, Dict[str, str], bytes]:
        """Send a request and read the whole answer: status, headers, body."""
        self.reusable = False
        try:
            self._write(data, deadline)
        except UnknownOutcomeError as error:
            return self._refusal(method, error, deadline)
        return self._answer(method, deadline)

    def _refusal(self, method: str, error: UnknownOutcomeError, deadline: float) -> Tuple[int, Dict[str, str], bytes]:
        # A server that refuses a large body answers and closes before it has read all of it.
        try:
            answer = self._answer(method, deadline)
        except TransportError:
            raise error from None
        self.reusable = False
        if answer[0] < 400:
            raise error
        return answer

    def _answer(self, method: str, deadline: float) -> Tuple[int, Dict[str, str], bytes]:
        status, headers, rest = self._head(deadline)
        if method == "HEAD" or status in (204, 304):
            body, rest = b"", rest
        elif "transfer-encoding" in headers or "content-length" not in headers:
            return self._unusual(method, status, headers, rest, deadline)
        else:
            body, rest = self._body(headers["content-length"], rest, deadline)
        self.reusable = not rest and "close" not in headers.get("connection", "").lower()
        return status, headers, body

    def _write(self, data: bytes, deadline: float) -> None:
        try:
            self._sock.settimeout(max(0.001, deadline - time.monotonic()))
            self._sock.sendall(data)
        except socket.timeout as error:
            raise _late(True) from error
        except OSError as error:
            if len(data) <= _CHUNK:
                raise NotSentError(f"The connection was closed before the request left: {error}") from error
            raise UnknownOutcomeError(f"The connection broke while the request was sent: {error}") from error

    def _receive(self, deadline: float, silent: bool) -> bytes:
        try:
            left = deadline - time.monotonic()
            if left <= 0:
                raise socket.timeout("timed out")
            self._sock.settimeout(left)
            data = self._sock.recv(_CHUNK)
        except socket.timeout as error:
            raise _late(True) from error
        except OSError as error:
            raise _lost(silent, f"The connection broke before the answer was complete: {error}") from error
        if not data:
            raise _lost(silent, "The connection was closed before the answer was complete")
        return data

    def _head(self, deadline: float) -> Tuple[int, Dict[str, str], bytes]:
        data = b""
        while True:
            end = data.find(b"\r\n\r\n")
            if end < 0:
                if len(data) > _LONGEST_HEAD:
                    raise UnreadableAnswerError("The head of the answer is longer than %d bytes" % _LONGEST_HEAD)
                data += self._receive(deadline, not data)
                continue
            status, headers = _parse_head(data[:end])
            data = data[end + 4 :]
            if status >= 200:
                return status, headers, data

    def _body(self, length: str, data: bytes, deadline: float) -> Tuple[bytes, bytes]:
        if not (length.isascii() and length.isdigit()):
            raise UnreadableAnswerError("The answer has no valid Content-Length")
        size = int(length) if len(length) < _LONGEST_NUMBER else self._origin.max_body + 1
        if size > self._origin.max_body:
            raise UnreadableAnswerError("The answer is longer than %d bytes" % self._origin.max_body)
        if len(data) < size:
            parts, have = [data], len(data)
            while have < size:
                parts.append(self._receive(deadline, False))
                have += len(parts[-1])
            data = b"".join(parts)
        return data[:size], data[size:]

    def _unusual(
        self, method: str, status: int, headers: Dict[str, str], rest: bytes, deadline: float
    ) -> Tuple[int, Dict[str, str], bytes]:
        from ._unusual import read_body

        body = read_body(method, status, headers, rest, lambda: self._receive(deadline, False), self._origin.max_body)
        return status, headers, body

    def open_stream(self, data: bytes, deadline: float) -> Any:
        """Send a request and return its endless answer once the head is there."""
        from ._unusual import SocketStream

        self._write(data, deadline)
        status, headers, rest = self._head(deadline)
        return SocketStream(self._sock, status, headers, rest)

    def close(self) -> None:
        """Close the socket."""
        self._sock.close()


def readable(sock: socket.socket, seconds: float) -> bool:
    """Whether there is something to read, or the end of it, within some seconds."""
    import select

    if not hasattr(select, "poll"):
        return bool(select.select([sock], [], [], seconds)[0])
    # Unlike `select` it takes descriptors over 1,023.
    poll = select.poll()
    poll.register(sock, select.POLLIN | select.POLLHUP)
    return bool(poll.poll(seconds * 1000))


def _dial(host: str, port: int, deadline: float) -> socket.socket:
    """Connect to the first address of a name that answers; each may take its share of the time that is left."""
    found = socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM)
    for number, (family, kind, protocol, _, address) in enumerate(found):
        sock = socket.socket(family, kind, protocol)
        try:
            sock.settimeout(max(0.001, (deadline - time.monotonic()) / (len(found) - number)))
            sock.connect(address)
            return sock
        except OSError:
            sock.close()
            if number + 1 == len(found):
                raise
    raise OSError("the name has no address")


def _parse_head(head: bytes) -> Tuple[int, Dict[str, str]]:
    lines = head.decode("latin-1").split("\r\n")
    first = lines[0]
    if not first.startswith("HTTP/1.") or not head[9:12].isdigit():
        raise UnreadableAnswerError("The answer is not HTTP/1.1")
    headers: Dict[str, str] = {}
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        if not colon or not name or name[0] in " \t":
            raise UnreadableAnswerError("The answer has a malformed header")
        name, value = name.lower(), value.strip()
        if name in headers:
            if name == "content-length" and headers[name] != value:
                raise UnreadableAnswerError("The answer has two different lengths")
            if name != "content-length":
                value = headers[name] + ", " + value
        headers[name] = value
    if first.startswith("HTTP/1.0"):
        headers.setdefault("connection", "close")
    return int(first[9:12]), headers


def _tunnel(sock: socket.socket, origin: Origin, deadline: float) -> None:
    assert origin.proxy is not None
    name = "[%s]:%d" % (origin.host, origin.port) if ":" in origin.host else "%s:%d" % (origin.host, origin.port)
    auth = f"Proxy-Authorization: {origin.proxy[2]}\r\n" if origin.proxy[2] else ""
    sock.settimeout(max(0.001, deadline - time.monotonic()))
    sock.sendall((f"CONNECT {name} HTTP/1.1\r\nHost: {name}\r\n{auth}\r\n").encode("latin-1"))
    data = b""
    while b"\r\n\r\n" not in data:
        sock.settimeout(max(0.001, deadline - time.monotonic()))
        chunk = sock.recv(4096)
        if not chunk or len(data) > _LONGEST_HEAD:
            raise OSError("the proxy closed the connection")
        data += chunk
    try:
        status, _ = _parse_head(data.partition(b"\r\n\r\n")[0])
    except UnreadableAnswerError as error:
        raise OSError("the proxy does not speak HTTP") from error
    if not 200 <= status < 300:
        raise OSError("the proxy refused with status %d" % status)


def _late(sent: bool) -> DeadlineExceededError:
    found = DeadlineExceededError("The time for the call ran out" + ("" if sent else " before it was sent"))
    found.sent = sent
    return found


def _lost(silent: bool, message: str) -> UnknownOutcomeError:
    found = UnknownOutcomeError(message)
    found.silent = silent
    return found
