"""One call from its value to its result: encode, redact, sign, send, repeat where that is safe, read."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any, Callable, Dict, Mapping, Optional, Set, Tuple

from . import _answer
from ._call import SAFE_VERBS, Call, Flow, Send, Sleep, T, Work
from ._config import checked_token
from ._encode import encode, plain
from ._encode import query as query_text
from ._retry import Outcome, RetryPolicy
from ._transport import Request, Response
from .errors import ClientClosedError, DashClawError, DeadlineExceededError, NotFoundError, NotSentError, TransportError

if TYPE_CHECKING:
    from ._config import Settings
    from ._transport import ByteStream, Transport

# The server's word for "the path is right, the thing is not there".
_NO_SUCH_THING = "NOT_FOUND"
_REFUSAL_SECONDS = 2.0


class Exchange:
    """What every call of one client shares."""

    def __init__(
        self,
        settings: Settings,
        transport: Transport,
        retry: RetryPolicy,
        *,
        signer: Any = None,
        now: Callable[[], float] = time.monotonic,
        channel: Optional[str] = None,
    ) -> None:
        self.transport = transport
        self._settings = settings
        self._retry = retry
        self._signer = signer
        self._now = now
        self._redact = settings.redact
        self._channel = channel
        # Where an answer cannot get lost, a repetition cannot act twice.
        self._exactly_once = bool(getattr(transport, "exactly_once", False))
        self._headers: Dict[str, str] = {}
        self._moved: Set[Tuple[str, str]] = set()

    def run(self, call: Call[T]) -> Flow[T]:
        """Perform a call by the path that this server offers."""
        moved = call.moved
        if moved is None:
            return (yield from self._attempts(call, call.path))
        paths = [call.path, moved[1] + call.path[len(moved[0]) :]]
        if moved in self._moved:
            paths.reverse()
        try:
            return (yield from self._attempts(call, paths[0]))
        except NotFoundError as error:
            if error.code == _NO_SUCH_THING:
                raise
            missing = error
        try:
            result: T
            result = yield from self._attempts(call, paths[1])
        except NotFoundError:
            raise missing from None
        # What worked is tried first from now on.
        (self._moved.discard if moved in self._moved else self._moved.add)(moved)
        return result

    def _attempts(self, call: Call[T], path: str) -> Flow[T]:
        ends = self._now() + (self._settings.timeout if call.timeout is None else call.timeout)
        request = yield from self._request(call, path)
        attempt = 1
        while True:
            try:
                response: Response
                response = yield Send(request, ends)
            except (ClientClosedError, DeadlineExceededError):
                raise
            except TransportError as error:
                failure: DashClawError = error
                sent = not isinstance(error, NotSentError)
                outcome = Outcome(attempt, None, sent, {})
            else:
                if _answer.is_success(response.status):
                    return _read(call, response if call.binary else _answer.json_object(response))
                if call.decides:
                    decision = _answer.decision_in(response)
                    if decision is not None:
                        return _read(call, decision)
                failure = _answer.failure(response)
                outcome = Outcome(attempt, response.status, True, response.headers)
            # Repeating is safe for every call: what writes carries a key, or cannot lose its answer.
            delay = self._retry.delay(outcome, repeatable=True)
            if delay is None or self._now() + delay >= ends:
                raise failure
            yield Sleep(delay)
            attempt += 1

    def _request(self, call: Call[Any], path: str) -> Flow[Request]:
        target = path
        if call.query is not None:
            asked = query_text(call.query)
            target = f"{path}?{asked}" if asked else path
        ids = os.urandom(24).hex()
        headers = dict(self._headers or self._common_headers())
        headers["X-Request-Id"] = ids[:16]
        if call.headers:
            headers.update(call.headers)
        if call.binary:
            headers["Accept"] = "*/*"
        if call.verb in SAFE_VERBS:
            return Request(call.verb, target, headers, None)
        if not self._exactly_once:
            headers["Idempotency-Key"] = ids[16:]
        headers["Content-Type"] = "application/json"
        body = self._body(call)
        if self._signer is not None and (call.signed or self._settings.sign == "all"):
            # Off the event loop: an RSA signature takes a millisecond, a key service a round trip.
            body = yield Work(lambda: self._signed(body))
        return Request(call.verb, target, headers, encode(body))

    def _body(self, call: Call[Any]) -> Mapping[str, Any]:
        body: Mapping[str, Any] = plain(call.body or {})
        if self._redact is not False:
            body = self._redacted(body)
        return body

    def _signed(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        from ._signing import sign_body

        return sign_body(body, self._signer)

    def _redacted(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        redact = self._redact
        if not callable(redact):
            from ._redact import redact_body

            self._redact = redact = redact_body
        return redact(body)

    def _common_headers(self) -> Dict[str, str]:
        from ._version import version

        found = {"Accept": "application/json", "User-Agent": f"dashclaw-python/{version()}"}
        if self._settings.api_key is not None:
            found["x-api-key"] = self._settings.api_key
        if self._channel is not None:
            found["X-DashClaw-Channel"] = self._channel
        self._headers = found
        return found

    def authorised(self, request: Request) -> Request:
        """Return the request with the bearer token of this moment, if there is one.

        Raises `NotSentError` when the function that gives tokens fails, `ConfigurationError` for a malformed token.
        """
        token = self._settings.auth_token
        if token is None:
            return request
        if callable(token):
            try:
                token = token()
            except DashClawError:
                raise
            except Exception as error:
                raise NotSentError(f"The function auth_token failed: {type(error).__name__}") from error
        headers = {**request.headers, "Authorization": f"Bearer {checked_token(token)}"}
        return request._replace(headers=headers)

    @property
    def may_lose(self) -> bool:
        """Whether something can get lost on the way: not where the runtime is called in process."""
        return not self._exactly_once

    @property
    def streams(self) -> bool:
        """Whether the transport offers events at all."""
        return hasattr(self.transport, "stream")

    def open_stream(self, after: Optional[str]) -> ByteStream:
        """Open the server's events after a cursor, or from now on; raises a `DashClawError`."""
        headers = dict(self._headers or self._common_headers(), Accept="text/event-stream")
        headers["X-Request-Id"] = os.urandom(8).hex()
        if after is not None:
            headers["Last-Event-ID"] = after
        request = self.authorised(Request("GET", "/api/stream", headers, None))
        stream = self.transport.stream(request, self._settings.timeout)
        if _answer.is_success(stream.status):
            return stream
        try:
            body = stream.read(_REFUSAL_SECONDS) or b""
        finally:
            stream.close()
        raise _answer.failure(Response(stream.status, stream.headers, body))


def _read(call: Call[T], found: Any) -> T:
    result: T = found if call.read is None else call.read(found)
    return result
