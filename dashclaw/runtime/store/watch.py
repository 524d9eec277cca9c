"""Notices commits by any process, without reading a table."""

from __future__ import annotations

import sqlite3
from typing import Protocol

from sqlalchemy.engine import URL


class Watch(Protocol):
    """Tells whether anybody committed since it was last asked; one user at a time."""

    def moved(self) -> bool:
        """Whether there was a commit since the last call."""

    def close(self) -> None:
        """Release the connection."""


class SqliteWatch:
    """`PRAGMA data_version` changes when another connection commits; asking costs about 2 µs."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None
        self._version = -1

    def moved(self) -> bool:
        """Whether there was a commit since the last call."""
        if self._connection is None:
            self._connection = sqlite3.connect(self._path, check_same_thread=False, isolation_level=None)
        version: int = self._connection.execute("PRAGMA data_version").fetchone()[0]
        moved, self._version = version != self._version, version
        return moved

    def close(self) -> None:
        """Release the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class PostgresWatch:
    """`LISTEN` on a connection of its own."""

    def __init__(self, url: URL) -> None:
        import psycopg

        self._dsn = url.set(drivername="postgresql").render_as_string(hide_password=False)
        self._connection = psycopg.connect(self._dsn, autocommit=True)
        self._connection.execute("LISTEN dashclaw")
        self._first = True

    def moved(self) -> bool:
        """Whether there was a commit since the last call."""
        first, self._first = self._first, False
        return bool(list(self._connection.notifies(timeout=0))) or first

    def close(self) -> None:
        """Release the connection."""
        self._connection.close()
