"""The server: whether it answers, whether it fits this release, and what the key may do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timezone

import dashclaw
from dashclaw import DashClaw
from dashclaw.errors import AuthenticationError, DashClawError

from .database import clock
from .finding import Finding
from .ground import Ground, moment


def server(ground: Ground, client: DashClaw) -> Iterator[Finding]:
    """Everything about the server; an error among it means that its records cannot be asked for."""
    begun = datetime.now(timezone.utc)
    try:
        health = client.request("GET", "/api/health")
    except DashClawError as error:
        why = "Agents that ask it get no decision, and then do not act"
        yield Finding(
            "server", "error", f"{ground.url}: {error.message}", why, "Start it: dashclaw serve; or correct --url"
        )
        return
    ended = datetime.now(timezone.utc)
    milliseconds = (ended - begun).total_seconds() * 1000
    yield Finding("server", "ok", f"{ground.url} answers in {milliseconds:.0f} ms, database {health.get('database')}")
    yield _version(str(health.get("version")))
    if health.get("time"):
        yield clock(_apart(moment(health["time"]), begun, ended), "the server")
    yield _key(ground, client)


def _apart(theirs: datetime, begun: datetime, ended: datetime) -> float:
    """How many seconds their clock is away from ours at the least; it was read between two of our moments."""
    return max(0.0, (begun - theirs).total_seconds(), (theirs - ended).total_seconds())


def _version(theirs: str) -> Finding:
    ours = dashclaw.__version__
    if _series(theirs) == _series(ours):
        return Finding("version", "ok", f"server {theirs}, this client {ours}")
    why = "Other releases may not know what this one sends, or answer otherwise"
    return Finding(
        "version", "warning", f"server {theirs}, this client {ours}", why, "Use the same release on both sides"
    )


def _series(version: str) -> list[str]:
    """The first two numbers of a version: releases that share them fit each other."""
    return re.findall(r"\d+", version)[:2]


def _key(ground: Ground, client: DashClaw) -> Finding:
    todo = "Give a key of this server with DASHCLAW_API_KEY or --api-key: dashclaw keys create"
    if ground.key is None:
        return Finding("key", "error", "none is given", "The server answers nobody without one", todo)
    try:
        client.request("GET", "/api/policies", query={"limit": 1})
    except AuthenticationError:
        what = "the server does not know the key: it was revoked, or is one of another server"
        return Finding("key", "error", what, "Every call with it is refused", todo)
    except DashClawError as error:
        return Finding("key", "error", error.message, "Calls with it are refused", todo)
    return Finding("key", "ok", "the server knows it")
