"""The embedded runtime as a transport: the same use cases, in process, over one database file."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote, urlsplit

from ._json import compact
from ._transport import Response
from .errors import ClientClosedError, ConfigurationError, MissingExtraError

try:
    from .runtime.binary import Download, read_upload
    from .runtime.body import read_object
    from .runtime.bootstrap import DEFAULT_ORG, ensure_default_org, tighten_self_approval
    from .runtime.clock import utc_now
    from .runtime.feed import frame, last_event
    from .runtime.identity import Caller, Role
    from .runtime.origin import CHANNEL_HEADER, CLI, local_origin
    from .runtime.problems import Problem
    from .runtime.runtime import Runtime
    from .runtime.store.connect import StoreError, without_password
except ImportError as error:
    raise MissingExtraError(
        f'The embedded runtime needs the extra "local" ({error.name} is missing): pip install "dashclaw[local]"'
    ) from error

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ._transport import Request
    from .runtime.clock import Clock
    from .runtime.feed import Follower
    from .runtime.operations import Answer
    from .runtime.settings import Settings

log = logging.getLogger("dashclaw")

_JSON = {"content-type": "application/json"}


class LocalTransport:
    """Calls the runtime in process. Open one with `LocalTransport.open`.

    An answer cannot get lost on the way, so `exactly_once` tells the client to send no idempotency keys.
    """

    exactly_once = True

    def __init__(self, runtime: Runtime, caller: Caller, *, operator: bool = True) -> None:
        self.runtime = runtime
        self.caller = caller
        self._operator = operator
        self._streams: set[LocalStream] = set()
        self._closed = False

    @classmethod
    def open(
        cls,
        path: str | Path,
        *,
        agent_id: str | None = None,
        self_approval: bool | None = None,
        operator: bool = False,
        starter_policies: bool = True,
        settings: Settings | None = None,
        clock: Clock = utc_now,
    ) -> LocalTransport:
        """Open a database file (or a URL), creating it with the starter policies when it is new.

        `self_approval=False` is kept in the database and holds for every process from then on: agents then act
        without the operator's rights. `operator=True` is for the person's side. Raises `ConfigurationError` when the
        database cannot be opened.
        """
        try:
            runtime = Runtime.open(str(path), settings=settings, clock=clock)
        except (StoreError, OSError) as error:
            raise ConfigurationError(f"The database {without_password(str(path))} cannot be opened: {error}") from error
        try:
            start = ensure_default_org(runtime.store, starter_policies=starter_policies)
            if self_approval is False:
                tighten_self_approval(runtime.store)
        except BaseException:
            runtime.close()
            raise
        if start.created and start.policies:
            log.warning("New database %s starts with the policies: %s", path, ", ".join(start.policies))
        may_approve = start.self_approval and self_approval is not False
        role: Role = "admin" if operator or may_approve else "member"
        actor = f"local:{'operator' if operator and not agent_id else agent_id or 'agent'}"
        caller = Caller(DEFAULT_ORG, actor, role, "local", agent_id, may_approve, origin=local_origin())
        return cls(runtime, caller, operator=operator)

    def send(self, request: Request, timeout: float) -> Response:  # noqa: ARG002
        """Execute one request; `timeout` is not needed, the runtime bounds its own waits."""
        if self._closed:
            raise ClientClosedError("This client was closed")
        request_id = request.headers.get("X-Request-Id")
        try:
            answer = self._execute(request)
            if isinstance(answer.body, Download):
                return Response(200, _lower(answer.body.headers()), b"".join(answer.body.pieces()))
        except Problem as problem:
            return Response(problem.status, {**_JSON, **_lower(problem.headers)}, _encode(problem.body(request_id)))
        except Exception:
            log.exception("The runtime failed on %s %s", request.method, request.target)
            body = {"error": "The runtime failed; its log says why", "code": "INTERNAL", "request_id": request_id}
            return Response(500, _JSON, _encode(body))
        status = answer.status or 200
        # A refusal that is recorded comes as an answer; it has the shape of every refusal.
        body = answer.body if status < 400 else {**answer.body, "request_id": request_id}
        return Response(status, {**_JSON, **_lower(answer.headers)}, _encode(body))

    def _execute(self, request: Request) -> Answer:
        path, _, query = request.target.partition("?")
        operation, params = self.runtime.registry.match(request.method, path)
        if operation.role == "admin" or operation.category == "approvals":
            self._follow_tightening()
        caller = self.caller
        if request.headers.get(CHANNEL_HEADER) == CLI:
            caller = caller._replace(origin=caller.origin._replace(how=CLI))
        return self.runtime.execute(
            operation,
            caller,
            params={name: unquote(part) for name, part in params.items()} if params else params,
            query=dict(parse_qsl(query, keep_blank_values=True)) if query else {},
            body=read_upload(request.body or b"") if operation.uploads else read_object(request.body or b""),
            idempotency_key=request.headers.get("Idempotency-Key"),
            traceparent=request.headers.get("traceparent"),
        )

    def _follow_tightening(self) -> None:
        """Give up the operator's rights once another process has said `self_approval=False`."""
        if self._operator or not self.caller.self_approval:
            return
        with self.runtime.store.read() as tx:
            settings = self.runtime.policies.get(tx, self.caller.org_id).settings
        if settings.get("self_approval") is False:
            self.caller = self.caller._replace(role="member", self_approval=False)

    def stream(self, request: Request, timeout: float) -> LocalStream:  # noqa: ARG002
        """Follow the organisation's events; `Last-Event-ID` or `lastEventId` names where to go on."""
        if self._closed:
            raise ClientClosedError("This client was closed")
        query = dict(parse_qsl(urlsplit(request.target).query))
        cursor = request.headers.get("Last-Event-ID") or query.get("lastEventId")
        with self.runtime.store.read() as tx:
            after = int(cursor) if cursor and cursor.isdecimal() else last_event(tx, self.caller.org_id)
        found = LocalStream(self.runtime.feed.follow(self.caller.org_id, after), self.caller.org_id, self._streams)
        self._streams.add(found)
        return found

    def close(self) -> None:
        """End the streams and close the database; closing twice is harmless."""
        self._closed = True
        for stream in list(self._streams):
            stream.close()
        self.runtime.close()

    def __repr__(self) -> str:
        return f"LocalTransport({self.runtime.store.url!r})"


class LocalStream:
    """Events as server-sent events, exactly as a server would send them."""

    status = 200
    headers: Mapping[str, str] = {"content-type": "text/event-stream"}

    def __init__(self, follower: Follower, org_id: str, known: set[LocalStream]) -> None:
        self._follower = follower
        self._known = known
        hello = {"status": "connected", "orgId": org_id, "backend": "embedded", "lastEventId": follower.after}
        self._hello: bytes | None = b"event: connected\ndata: " + _encode(hello) + b"\n\n"

    def read(self, timeout: float) -> bytes | None:
        """The next bytes; None when nothing came within `timeout` seconds, `b""` once closed."""
        if self._hello is not None:
            hello, self._hello = self._hello, None
            return hello
        found = b"".join(map(frame, self._follower.next(timeout)))
        if found:
            return found
        return b"" if self._follower.closed else None

    def close(self) -> None:
        """End the stream; a reader in another thread returns within milliseconds."""
        self._known.discard(self)
        self._follower.close()


def _encode(body: Any) -> bytes:
    return compact(body).encode()


def _lower(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}
