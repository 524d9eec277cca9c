"""How a database is reached: URLs, connections, and what its errors become."""

from __future__ import annotations

import os
import re
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

BUSY_MILLISECONDS = 5000


class StoreError(Exception):
    """The database refused or could not be reached; nothing of the transaction happened."""


class DuplicateError(StoreError):
    """A unique id or name is taken."""


def database_url(text: str) -> URL:
    """Read a file path, `sqlite:///path` or `postgresql://…`; raises `StoreError` for anything else."""
    if not text:
        raise StoreError("The database needs a file path or a URL")
    if "://" not in text:
        return URL.create("sqlite", database=str(Path(text).expanduser().absolute()))
    try:
        url = make_url(text)
    except (SQLAlchemyError, ValueError) as error:
        raise StoreError(
            "The database URL cannot be read; use sqlite:///file.db or postgresql://user@host/name"
        ) from error
    if url.get_backend_name() == "sqlite":
        if not url.database or url.database == ":memory:":
            raise StoreError("SQLite needs a file: sqlite:///file.db")
        return URL.create("sqlite", database=str(Path(url.database).expanduser().absolute()))
    if url.get_backend_name() == "postgresql":
        return url.set(drivername="postgresql+psycopg")
    raise StoreError(f"{url.get_backend_name()} is not supported; use SQLite or PostgreSQL")


def without_password(url: str) -> str:
    """A path or URL as it may be shown."""
    return re.sub(r"(://[^/:@]*:)[^/]*(?=@)|(?<=[?&])(password=)[^&]*", r"\1\2***", url)


def make_engine(url: URL, durability: str) -> Engine:
    """The pool of connections to a database."""
    if url.get_backend_name() == "sqlite":
        create_private(Path(str(url.database)))
        return _sqlite_engine(url, durability)
    return create_engine(url, pool_size=8, max_overflow=8, pool_pre_ping=True)


def create_private(path: Path) -> None:
    """Make an empty file that nobody else may read, unless it is there; SQLite gives its other files the same mode."""
    # What else may be wrong with the place is told by SQLite.
    with suppress(OSError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


def _sqlite_engine(url: URL, durability: str) -> Engine:
    engine = create_engine(
        url,
        paramstyle="named",
        pool_size=8,
        max_overflow=24,
        connect_args={"check_same_thread": False, "isolation_level": None, "cached_statements": 256},
    )
    synchronous = "FULL" if durability == "full" else "NORMAL"

    @event.listens_for(engine, "connect")
    def _prepare(connection: sqlite3.Connection, _: object) -> None:
        connection.execute(f"PRAGMA busy_timeout={BUSY_MILLISECONDS}")
        _use_wal(connection)
        connection.execute(f"PRAGMA synchronous={synchronous}")
        # 16 MiB of log between checkpoints instead of 4: pages that change often are written back less often, measured
        # as 8 % more decisions per second.
        connection.execute("PRAGMA wal_autocheckpoint=4000")
        # Zeros in the place of what is deleted in a page, or remains of it would outlive an erasure that comes later.
        connection.execute("PRAGMA secure_delete=FAST")

    return engine


def _use_wal(connection: sqlite3.Connection) -> None:
    # SQLite ignores busy_timeout while two processes turn a new file into a WAL one.
    deadline = time.monotonic() + BUSY_MILLISECONDS / 1000
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
        time.sleep(0.005)


@contextmanager
def translated() -> Iterator[None]:
    """Raise the errors of the databases as `StoreError`."""
    try:
        yield
    except DBAPIError as error:
        raise _store_error(error.orig or error) from error
    except SQLAlchemyError as error:
        raise StoreError(str(error)) from error
    except Exception as error:
        if isinstance(error, sqlite3.Error) or type(error).__module__.startswith("psycopg"):
            raise _store_error(error) from error
        raise


def _store_error(error: BaseException) -> StoreError:
    kind: Callable[[str], StoreError] = StoreError
    if isinstance(error, sqlite3.IntegrityError) or type(error).__name__ == "UniqueViolation":
        kind = DuplicateError
    return kind(str(error))
