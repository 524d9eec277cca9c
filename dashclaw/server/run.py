"""Run the server until it is told to stop."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import NamedTuple

import uvicorn

from dashclaw.errors import ConfigurationError
from dashclaw.runtime.bootstrap import DEFAULT_ORG, SYSTEM, ensure_default_org
from dashclaw.runtime.keys import new_key
from dashclaw.runtime.runtime import Runtime
from dashclaw.runtime.settings import Settings
from dashclaw.runtime.store import orgs
from dashclaw.runtime.store.connect import StoreError, without_password

from .app import create_app
from .settings import ServerSettings
from .upkeep import working

_BACKLOG = 2048


class Started(NamedTuple):
    """What a person wants to know at the start; the keys are there on the first start only."""

    url: str
    database: str
    policies: tuple[str, ...]
    admin_key: str | None
    agent_key: str | None


def serve(settings: ServerSettings, tell: Callable[[Started], None], stopping: Callable[[], bool]) -> None:
    """Serve until SIGINT or SIGTERM, then finish what runs. `tell` is called once the port is bound.

    `stopping` says whether a signal came before the server listens to signals itself: then it ends at once.

    Raises `ConfigurationError` when the database or the address cannot be had.
    """
    try:
        runtime = Runtime.open(settings.database, settings=Settings.from_environment())
    except StoreError as error:
        shown = without_password(settings.database)
        raise ConfigurationError(f"The database {shown} cannot be opened: {error}") from error
    try:
        # Keys are made once it is sure that they will be shown.
        with _listening(settings) as sock:
            start = ensure_default_org(runtime.store, starter_policies=settings.starter_policies)
            keys = _first_keys(runtime, settings)
            host, port = sock.getsockname()[:2]
            url = f"http://{'[' + host + ']' if ':' in host else host}:{port}"
            tell(Started(url, without_password(str(runtime.store.url)), start.policies, *keys))
            with working(runtime):
                _Server(runtime, settings, stopping).run(sockets=[sock])
    finally:
        runtime.close()


def _first_keys(runtime: Runtime, settings: ServerSettings) -> tuple[str | None, str | None]:
    """An operator's and an agent's key, when the database has none yet."""
    with runtime.store.write(DEFAULT_ORG) as tx:
        if orgs.active_keys(tx, DEFAULT_ORG):
            return None, None
        agent, _ = new_key(tx, SYSTEM, "member", "agent")
        if settings.admin_key is not None:
            return None, agent
        admin, _ = new_key(tx, SYSTEM, "admin", "operator")
        return admin, agent


def _listening(settings: ServerSettings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    sock = socket.socket(family)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((settings.host, settings.port))
        sock.listen(_BACKLOG)
    except OSError as error:
        sock.close()
        raise ConfigurationError(
            f"Cannot listen on {settings.host}:{settings.port}: {error.strerror}; choose another with --host or --port"
        ) from error
    return sock


class _Server(uvicorn.Server):
    """Ends the streams first when it stops, so that the stop waits only for real requests."""

    def __init__(self, runtime: Runtime, settings: ServerSettings, stopping: Callable[[], bool]) -> None:
        self._stopping = stopping
        self._app = create_app(runtime, settings)
        super().__init__(
            uvicorn.Config(
                self._app,
                log_level="warning",
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=settings.stop_seconds,
            )
        )

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.should_exit = self.should_exit or self._stopping()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._app.state.broadcast.close()
        await super().shutdown(sockets)
