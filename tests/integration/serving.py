"""A real server in a thread of the test process, on a free port."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import uvicorn
from fastapi import FastAPI

from dashclaw.runtime.bootstrap import DEFAULT_ORG, SYSTEM, ensure_default_org
from dashclaw.runtime.clock import Clock, utc_now
from dashclaw.runtime.keys import new_key
from dashclaw.runtime.runtime import Runtime
from dashclaw.runtime.settings import Settings as EngineSettings
from dashclaw.server.app import create_app
from dashclaw.server.settings import ServerSettings

# Where nothing listens, unless a test says otherwise.
NO_CHAT = {f"DASHCLAW_{name}_URL": "http://127.0.0.1:9" for name in ("SLACK", "DISCORD", "TELEGRAM")}


class Served(NamedTuple):
    """Where the server listens, with an operator's and an agent's key."""

    url: str
    admin_key: str
    agent_key: str
    runtime: Runtime
    app: FastAPI


@contextmanager
def served(database: str, *, clock: Clock = utc_now, listen: int = 0, **settings: object) -> Iterator[Served]:
    """Serve a database until the block ends, on any port unless `listen` says which."""
    # Webhooks of the tests lead to this machine.
    engine = EngineSettings.from_environment({**NO_CHAT, **os.environ})._replace(allow_private_webhooks=True)
    runtime = Runtime.open(database, settings=engine, clock=clock)
    try:
        ensure_default_org(runtime.store, starter_policies=False)
        with runtime.store.write(DEFAULT_ORG) as tx:
            admin, _ = new_key(tx, SYSTEM, "admin", "operator")
            agent, _ = new_key(tx, SYSTEM, "member", "agent")
        app = create_app(runtime, ServerSettings(**settings))  # type: ignore[arg-type]
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(("127.0.0.1", listen))
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=2))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]}, daemon=True)
        thread.start()
        deadline = time.monotonic() + 20
        while not server.started:
            assert time.monotonic() < deadline, "the server did not start"
            time.sleep(0.01)
        try:
            yield Served(f"http://127.0.0.1:{sock.getsockname()[1]}", admin, agent, runtime, app)
        finally:
            app.state.broadcast.close()
            server.should_exit = True
            thread.join(timeout=20)
            sock.close()
    finally:
        runtime.close()
