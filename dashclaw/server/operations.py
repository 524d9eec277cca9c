"""The runtime's operations over HTTP, found by the same table as in process."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import unquote

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from dashclaw.runtime.binary import Download, read_upload
from dashclaw.runtime.body import read_object
from dashclaw.runtime.identity import Origin
from dashclaw.runtime.origin import CHANNEL_HEADER, CLI
from dashclaw.runtime.problems import Problem

from .latency import TIMED
from .problems import json_response, problem_response
from .together import Together
from .transfer import download, received

if TYPE_CHECKING:
    from starlette.responses import Response
    from starlette.types import ASGIApp, Receive, Scope, Send

    from dashclaw.runtime.binary import Raw
    from dashclaw.runtime.identity import Caller
    from dashclaw.runtime.operations import Operation
    from dashclaw.runtime.runtime import Runtime

    from .auth import Entrance
    from .latency import Latency

_LONGEST_AGENT = 256


def origin_of(request: Request) -> Origin:
    """The address as the server saw it, and what the client says of itself."""
    how = CLI if request.headers.get(CHANNEL_HEADER) == CLI else "api"
    agent = request.headers.get("user-agent")
    return Origin(how, request.client.host if request.client else None, agent[:_LONGEST_AGENT] if agent else None)


class Operations:
    """Answers what the runtime offers and passes everything else on.

    Pure ASGI before the framework's router: its routes are tried one after the other and cost a third of the request.
    """

    def __init__(self, app: ASGIApp, runtime: Runtime, entrance: Entrance, max_body: int, latency: Latency) -> None:
        self._app = app
        self._runtime = runtime
        self._entrance = entrance
        self._max_body = max_body
        self._latency = latency
        self._together = Together(runtime)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            operation, params = self._runtime.registry.match(scope["method"], scope["path"])
        except Problem as problem:
            if problem.status == 404:
                await self._app(scope, receive, send)
                return
            response = problem_response(problem, scope["dashclaw.request_id"])
        else:
            response = await self._answer(operation, params, Request(scope, receive))
        await response(scope, receive, send)

    async def _answer(self, operation: Operation, params: dict[str, str], request: Request) -> Response:
        begun = time.perf_counter()
        try:
            caller = await self._entrance.caller(request, operation.verb)
            if operation.writes:
                caller = caller._replace(origin=origin_of(request))
            if operation.uploads:
                return await self._receive(operation, caller, params, request)
            raw = await request.body() if operation.writes else b""
            work = partial(self._execute, operation, caller, params, request, raw)
            if not self._runtime.runs_inline(operation, caller):
                return await run_in_threadpool(work)
            return await self._together.run(work) if operation.writes else work()
        except Problem as problem:
            return problem_response(problem, request.scope["dashclaw.request_id"])
        finally:
            if operation.name in TIMED:
                self._latency.note(time.perf_counter() - begun)
            elif operation.name == "revoke_key":
                self._entrance.forget()

    async def _receive(
        self, operation: Operation, caller: Caller, params: dict[str, str], request: Request
    ) -> Response:
        with await received(request) as raw:
            # Storing megabytes would hold up the event loop.
            return await run_in_threadpool(self._execute, operation, caller, params, request, raw)

    def _execute(
        self, operation: Operation, caller: Caller, params: dict[str, str], request: Request, raw: Raw
    ) -> Response:
        answer = self._runtime.execute(
            operation,
            caller,
            params={name: unquote(part) for name, part in params.items()},
            query=dict(request.query_params) if request.scope["query_string"] else {},
            body=read_upload(raw, self._max_body) if operation.uploads else read_object(bytes(raw)),
            idempotency_key=request.headers.get("idempotency-key"),
            traceparent=request.headers.get("traceparent"),
        )
        if isinstance(answer.body, Download):
            return download(answer.body)
        status = answer.status or 200
        # A refusal that is recorded comes as an answer; it has the shape of every refusal.
        body = answer.body if status < 400 else {**answer.body, "request_id": request.scope["dashclaw.request_id"]}
        return json_response(body, status, dict(answer.headers))
