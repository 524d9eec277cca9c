"""The client a command talks through: an embedded database or a server."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from dashclaw import DashClaw
from dashclaw.errors import ConfigurationError


class NowhereError(ConfigurationError):
    """Neither the command nor the environment names a database or a server."""


def existing(database: str) -> None:
    """Raise `ConfigurationError` when a database is a file that is not there: looking at one must not create it."""
    path = database.removeprefix("sqlite:///")
    if "://" not in path and not Path(path).expanduser().exists():
        raise ConfigurationError(f"There is no database {path}; an agent creates it with DashClaw.local({path!r})")


def connect(options: argparse.Namespace) -> DashClaw:
    """Open what `--db` or `--url` names, else what the environment names.

    Raises `ConfigurationError` when neither does, or when the file does not exist.
    """
    url = options.url or (None if options.db else os.environ.get("DASHCLAW_BASE_URL"))
    if url and not url.startswith("sqlite:"):
        return DashClaw(url, options.api_key, agent_id="operator")
    database = options.db or url or os.environ.get("DASHCLAW_DATABASE_URL") or os.environ.get("DASHCLAW_DB")
    if not database:
        raise NowhereError("Say where: --db FILE for an embedded database, or --url URL --api-key KEY for a server")
    existing(database)
    from dashclaw.local import LocalTransport

    return DashClaw(transport=LocalTransport.open(database, operator=True), agent_id="operator")
