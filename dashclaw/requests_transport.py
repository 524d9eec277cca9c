"""A transport over a `requests.Session`, for its proxies, adapters and authentication."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Dict, List, Mapping, Optional

from ._transport import Response
from ._unusual import SocketStream
from .errors import (
    DeadlineExceededError,
    MissingExtraError,
    NotSentError,
    TransportError,
    UnknownOutcomeError,
    UnreadableAnswerError,
)

try:
    import requests
    import urllib3
except ImportError as error:
    raise MissingExtraError('RequestsTransport needs the extra "requests": pip install "dashclaw[requests]"') from error

if TYPE_CHECKING:
    from ._transport import Request

_CHUNK = 65536


class RequestsTransport:
    """Sends through a session, which stays the caller's to close unless none was given.

    Redirects are not followed. The time limit covers the whole exchange but for a head that arrives byte by byte;
    answers over `max_body` bytes are refused.
    """

    def __init__(
        self, base_url: str, session: Optional[requests.Session] = None, *, max_body: int = 64 * 1024 * 1024
    ) -> None:
        self._base_url = base_url.rstrip("/")
        self._session = session or requests.Session()
        self._owns_session = session is None
        self._max_body = max_body

    def send(self, request: Request, timeout: float) -> Response:
        """Exchange within `timeout` seconds."""
        deadline = time.monotonic() + timeout
        answer = self._open(request, timeout)
        with answer:
            try:
                body = self._read(answer, deadline)
            except TransportError:
                raise
            except urllib3.exceptions.ReadTimeoutError as error:
                raise _late(True) from error
            except (urllib3.exceptions.HTTPError, OSError) as error:
                raise UnknownOutcomeError(f"The answer broke off: {type(error).__name__}") from error
        return Response(answer.status_code, _lower(answer.headers), body)

    def _open(self, request: Request, timeout: float) -> requests.Response:
        try:
            return self._session.request(
                request.method,
                self._base_url + request.target,
                data=request.body,
                headers=dict(request.headers),
                auth=_as_it_is if "Authorization" in request.headers else None,
                timeout=timeout,
                allow_redirects=False,
                stream=True,
            )
        except requests.RequestException as error:
            raise _translated(error) from error

    def _read(self, answer: requests.Response, deadline: float) -> bytes:
        parts: List[bytes] = []
        size = 0
        while True:
            left = deadline - time.monotonic()
            if left <= 0:
                raise _late(True)
            sock = _socket(answer)
            if sock is not None:
                sock.settimeout(left)
            part = answer.raw.read1(_CHUNK, decode_content=True)
            if not part:
                return b"".join(parts)
            parts.append(part)
            size += len(part)
            if size > self._max_body:
                raise UnreadableAnswerError(f"The answer is longer than {self._max_body} bytes")

    def stream(self, request: Request, timeout: float) -> RequestsStream:
        """Open a stream; the session's adapter has to work with sockets."""
        plain = dict(request.headers, **{"Accept-Encoding": "identity"})
        return RequestsStream(self._open(request._replace(headers=plain), timeout))

    def close(self) -> None:
        """Close the session, if it is this transport's own."""
        if self._owns_session:
            self._session.close()

    def __repr__(self) -> str:
        return f"RequestsTransport({self._base_url!r})"


class RequestsStream:
    """An endless answer of a session, read from its socket directly."""

    def __init__(self, answer: requests.Response) -> None:
        self.status = answer.status_code
        self.headers = _lower(answer.headers)
        sock = _socket(answer)
        if sock is None:
            answer.close()
            raise UnreadableAnswerError("The session's adapter has no socket, so no events can be read from it")
        self._answer = answer
        self._stream = SocketStream(sock, self.status, self.headers, _arrived(answer, sock))

    def read(self, timeout: float) -> Optional[bytes]:
        """The next bytes; None when nothing came within `timeout` seconds, `b""` at the end."""
        return self._stream.read(timeout)

    def close(self) -> None:
        """End the stream."""
        self._stream.close()
        self._answer.close()


def _file(answer: requests.Response) -> Any:
    return getattr(getattr(answer.raw, "_fp", None), "fp", None)


def _socket(answer: requests.Response) -> Any:
    return getattr(getattr(_file(answer), "raw", None), "_sock", None)


def _arrived(answer: requests.Response, sock: Any) -> bytes:
    """What came along with the head and is no longer in the socket."""
    sock.settimeout(0)
    try:
        return bytes(_file(answer).peek())
    except OSError:
        return b""


def _late(sent: bool) -> DeadlineExceededError:
    found = DeadlineExceededError("The time for the call ran out" + ("" if sent else " before it was sent"))
    found.sent = sent
    return found


def _as_it_is(prepared: requests.PreparedRequest) -> requests.PreparedRequest:
    # Without this a .netrc entry for the host would replace the bearer token.
    return prepared


def _lower(headers: Mapping[str, str]) -> Dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def _translated(error: requests.RequestException) -> TransportError:
    if isinstance(error, requests.Timeout):
        return _late(not isinstance(error, requests.ConnectTimeout))
    if _never_left(error):
        return NotSentError(f"The request was not sent: {type(error).__name__}")
    return UnknownOutcomeError(f"The request was sent and no answer came: {type(error).__name__}")


def _never_left(error: requests.RequestException) -> bool:
    if isinstance(error, requests.exceptions.SSLError):
        # Whatever else goes wrong with TLS may go wrong after the request.
        return "certificate" in str(error).lower()
    if isinstance(error, (requests.exceptions.ProxyError, ValueError)):
        return True
    cause = getattr(error.args[0], "reason", None) if error.args else None
    return isinstance(cause, urllib3.exceptions.NewConnectionError)
