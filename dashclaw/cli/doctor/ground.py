"""What is examined: a server, a database, or the installation alone."""

from __future__ import annotations

import argparse
import os
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, NamedTuple

from dashclaw import DashClaw

from ..connection import place


class Ground(NamedTuple):
    """Where is looked. `url` is that of a server, `database` a path or URL; at most one of them is there."""

    options: argparse.Namespace
    url: str | None
    database: str | None

    @classmethod
    def of(cls, options: argparse.Namespace) -> Ground:
        """What the options or the environment name."""
        return cls(options, *place(options))

    @property
    def file(self) -> Path | None:
        """The database as a file; None for a server or PostgreSQL."""
        if self.database is None:
            return None
        path = self.database.removeprefix("sqlite:///")
        return None if "://" in path else Path(path).expanduser()

    @property
    def shown(self) -> str:
        """The database without its password."""
        from dashclaw.runtime.store.connect import without_password

        return without_password(self.database or "")

    @property
    def key(self) -> str | None:
        """The key that commands would send to the server."""
        return self.options.api_key or os.environ.get("DASHCLAW_API_KEY") or None


class Patient(NamedTuple):
    """What answers questions about its records: a server, or a database with the newest schema."""

    ground: Ground
    client: DashClaw
    now: datetime

    def ask(self, path: str, **query: Any) -> Any:
        """The answer to a question; raises `DashClawError`."""
        return self.client.request("GET", path, query=query)


def age(stamp: str, now: datetime) -> float:
    """How many days ago a moment was."""
    return (now - moment(stamp)).total_seconds() / 86400


def moment(stamp: str) -> datetime:
    """A time as the server writes it."""
    found = datetime.fromisoformat(stamp.replace("Z", "+00:00"))
    return found if found.tzinfo else found.replace(tzinfo=timezone.utc)
