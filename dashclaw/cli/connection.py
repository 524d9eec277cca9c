"""The client a command talks through: an embedded database or a server."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from dashclaw import DashClaw
from dashclaw.errors import ConfigurationError

if TYPE_CHECKING:
    from argparse import Namespace


class Console(DashClaw):
    """A client that says of itself that a person types commands."""

    _channel = "cli"


class NowhereError(ConfigurationError):
    """Neither the command nor the environment names a database or a server."""


def existing(database: str) -> None:
    """Raise `ConfigurationError` when a database is a file that is not there: looking at one must not create it."""
    from pathlib import Path

    path = database.removeprefix("sqlite:///")
    if "://" not in path and not Path(path).expanduser().exists():
        raise ConfigurationError(f"There is no database {path}; an agent creates it with DashClaw.local({path!r})")


def password_in(variable: str | None, usual: str | None = None) -> str | None:
    """The password that an environment variable holds, or the usual one; None when no variable is named.

    Raises `ConfigurationError` when the named one is empty.
    """
    if variable is None:
        return (os.environ.get(usual) or None) if usual else None
    found = os.environ.get(variable)
    if not found:
        raise ConfigurationError(f"The environment variable {variable} holds no password")
    return found


def place(options: Namespace) -> tuple[str | None, str | None]:
    """The URL of a server or the database that the options or the environment name: one of them, or none."""
    url = options.url or (None if options.db else os.environ.get("DASHCLAW_BASE_URL"))
    if url and not url.startswith("sqlite:"):
        return url, None
    return None, options.db or url or os.environ.get("DASHCLAW_DATABASE_URL") or os.environ.get("DASHCLAW_DB") or None


def acting(options: Namespace, agent_id: str | None, usual: str, **settings: Any) -> DashClaw:
    """Open what the options or the environment name for a program that acts: as it, not as a person.

    A database that is not there is created. Raises `ConfigurationError` when neither names anything.
    """
    who = agent_id or os.environ.get("DASHCLAW_AGENT_ID") or usual
    url, database = place(options)
    if url is not None:
        return DashClaw(url, options.api_key, agent_id=who, **settings)
    if database is None:
        raise NowhereError("Say where to decide: --db FILE, --url URL, or DASHCLAW_BASE_URL")
    return DashClaw.local(database, who, **settings)


def connect(options: Namespace, agent_id: str | None = None) -> DashClaw:
    """Open what `--db` or `--url` names, else what the environment names: for an operator, or for an agent.

    Raises `ConfigurationError` when neither does, or when the file does not exist. An agent's private key in the
    environment is not used: who types commands is a person.
    """
    who = agent_id or "operator"
    url, database = place(options)
    if url is not None:
        return Console(url, options.api_key, agent_id=who, sign="off")
    if database is None:
        raise NowhereError("Say where: --db FILE for an embedded database, or --url URL --api-key KEY for a server")
    existing(database)
    from dashclaw.local import LocalTransport

    transport = LocalTransport.open(database, agent_id=agent_id, operator=agent_id is None)
    return Console(transport=transport, agent_id=who, sign="off")
