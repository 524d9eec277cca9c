"""The application: wired here, defined elsewhere."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response

from dashclaw import __version__
from dashclaw.runtime.problems import Problem
from dashclaw.runtime.store.engine import StoreError

from .auth import Entrance, Keyring
from .chat import add_chat
from .latency import Latency
from .limits import HARDENING, Limits
from .openapi import paths
from .operations import Operations
from .problems import json_response, not_routed, problem_response
from .settings import ServerSettings
from .stream import Broadcast, stream
from .web.bundles import Bundles
from .web.jobs import Jobs
from .web.site import Site

if TYPE_CHECKING:
    from dashclaw.runtime.runtime import Runtime

_CORS_HEADERS = ["Authorization", "Content-Type", "x-api-key", "Idempotency-Key", "X-Request-Id", "Last-Event-ID"]
_CORS_EXPOSED = ["X-Request-Id", "Retry-After", "Idempotent-Replay"]


class Cors(CORSMiddleware):
    """The usual one; it answers preflights itself, so it adds to them what every answer carries."""

    def preflight_response(self, request_headers: Headers) -> Response:
        """Say what a page of another origin may send."""
        found = super().preflight_response(request_headers)
        found.raw_headers.extend(HARDENING)
        return found


def create_app(runtime: Runtime, settings: ServerSettings) -> FastAPI:
    """Return the application over a runtime; whoever opened the runtime closes it."""
    entrance = _entrance(runtime, settings)
    broadcast = Broadcast(runtime)
    latency = Latency()
    jobs, bundles = Jobs(), Bundles()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        broadcast.close()
        jobs.close()
        bundles.close()

    app = FastAPI(title="DashClaw", version=__version__, lifespan=lifespan, redoc_url=None, redirect_slashes=False)
    app.state.broadcast = broadcast
    app.add_exception_handler(HTTPException, not_routed)
    app.add_middleware(
        Site,
        runtime=runtime,
        entrance=entrance,
        broadcast=broadcast,
        settings=settings,
        latency=latency,
        jobs=jobs,
        bundles=bundles,
    )
    app.add_middleware(Operations, runtime=runtime, entrance=entrance, max_body=settings.max_body, latency=latency)
    uploads = {(found.verb, found.path): found.uploads for found in runtime.registry.operations if found.uploads}
    app.add_middleware(Limits, settings=settings, uploads=uploads)
    if settings.cors_origins:
        app.add_middleware(
            Cors,
            allow_origins=settings.cors_origins,
            allow_methods=["GET", "POST", "PATCH", "DELETE", "OPTIONS"],
            allow_headers=_CORS_HEADERS,
            expose_headers=_CORS_EXPOSED,
        )
    _add_health(app, runtime, latency)
    _add_stream(app, entrance, broadcast, settings)
    add_chat(app, runtime)
    _describe(app, runtime)
    return app


def _entrance(runtime: Runtime, settings: ServerSettings) -> Entrance:
    workloads = None
    if settings.jwt_issuers:
        from .workload import Workloads

        workloads = Workloads(runtime, settings)
    return Entrance(Keyring(runtime, settings.admin_key), workloads, settings.jwt_role)


def _add_health(app: FastAPI, runtime: Runtime, latency: Latency) -> None:
    @app.get("/api/health", tags=["server"], summary="Whether the server and its database answer", response_model=None)
    async def health() -> Response:
        try:
            time = await run_in_threadpool(_database_time, runtime)
        except StoreError:
            return json_response({"status": "unavailable", "version": __version__, "database": "unavailable"}, 503)
        body = {"status": "ok", "version": __version__, "database": runtime.store.dialect, "time": time}
        return json_response({**body, "guard_ms": latency.figures()._asdict()}, 200)


def _database_time(runtime: Runtime) -> str:
    with runtime.store.read() as tx:
        return tx.stamp


def _add_stream(app: FastAPI, entrance: Entrance, broadcast: Broadcast, settings: ServerSettings) -> None:
    async def endpoint(request: Request) -> Response:
        try:
            caller = await entrance.caller(request, "GET")
            return await stream(request, caller, await entrance.staying(request), broadcast, settings)
        except Problem as problem:
            return problem_response(problem, request.scope["dashclaw.request_id"])

    app.add_api_route(
        "/api/stream", endpoint, methods=["GET"], tags=["server"], include_in_schema=False, response_model=None
    )


def _describe(app: FastAPI, runtime: Runtime) -> None:
    make = app.openapi

    def described() -> dict[str, Any]:
        if app.openapi_schema is None:
            schema = make()
            schema["paths"] |= paths(runtime.registry.operations)
            scheme = {"type": "apiKey", "in": "header", "name": "x-api-key"}
            schema.setdefault("components", {})["securitySchemes"] = {"apiKey": scheme}
        return make()

    app.openapi = described  # type: ignore[method-assign]
