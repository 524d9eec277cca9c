"""The database itself, looked at without changing it: there, sound, writable, with the newest schema."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

from dashclaw.errors import ConfigurationError

from ..connection import existing
from ..storage import translated
from .finding import Finding, Mend
from .ground import Ground, moment

CHECK_SECONDS = 10.0
_BUSY_SECONDS = 2.0
_SKEW_SECONDS = 30


def database(ground: Ground) -> Iterator[Finding]:
    """Everything about the database; an error among it means that its records cannot be asked for."""
    try:
        existing(ground.database or "")
        with translated():
            yield from _file(ground) if ground.file is not None else _server(ground)
    except (ConfigurationError, sqlite3.Error, OSError) as error:
        what = f"{ground.shown} cannot be opened: {error}"
        yield Finding(
            "database", "error", what, "Without it nothing is decided", "Name another with --db, or repair it"
        )


def _file(ground: Ground) -> Iterator[Finding]:
    assert ground.file is not None
    path = ground.file.absolute()
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=_BUSY_SECONDS)) as reader:
        schema = _schema(reader)
        yield from _integrity(reader)
    yield _writable(path)
    yield _revision(schema, Mend(f"Copy {path} aside, then migrate it?", partial(_migrate, path, schema)))


def _schema(reader: sqlite3.Connection) -> str | None:
    try:
        row = reader.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.OperationalError as error:
        if "no such table" not in str(error):
            raise
        return None
    return str(row[0]) if row else None


def _integrity(reader: sqlite3.Connection, seconds: float = CHECK_SECONDS) -> Iterator[Finding]:
    """SQLite's own check, for a bounded time."""
    until = time.monotonic() + seconds
    reader.set_progress_handler(lambda: time.monotonic() > until, 1000)
    try:
        said = [row[0] for row in reader.execute("PRAGMA quick_check(5)")]
    except sqlite3.OperationalError as error:
        if "interrupted" not in str(error):
            raise
        yield Finding("integrity", "note", f"not finished within {seconds:g} s: PRAGMA quick_check takes longer here")
        return
    finally:
        reader.set_progress_handler(None, 0)
    if said == ["ok"]:
        yield Finding("integrity", "ok", "PRAGMA quick_check finds nothing")
    else:
        todo = "Stop everything that uses it, copy the file, and restore a backup: dashclaw db restore"
        yield Finding("integrity", "error", f"the file is damaged: {'; '.join(said)}", "What is lost gets more", todo)


def _writable(path: Path) -> Finding:
    why = "Decisions that cannot be recorded are refused"
    if not os.access(path, os.W_OK) or not os.access(path.parent, os.W_OK):
        return Finding("database", "error", f"{path} or its folder is not writable", why, "Give the right to write")
    try:
        with closing(sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None)) as writer:
            writer.execute("BEGIN IMMEDIATE")
            writer.execute("ROLLBACK")
    except sqlite3.OperationalError as error:
        if "locked" in str(error):
            what = f"another process holds it for more than {_BUSY_SECONDS:g} s"
            return Finding("database", "warning", what, why, "Find the process: fuser " + str(path))
        return Finding("database", "error", f"cannot be written: {error}", why, "See what the message says")
    return Finding("database", "ok", f"{path} can be read and written")


def _revision(schema: str | None, mend: Mend | None) -> Finding:
    from dashclaw.runtime.store.migrate import HEAD

    if schema == HEAD:
        return Finding("schema", "ok", HEAD)
    if schema is None:
        todo = "dashclaw db upgrade, or name the right file with --db"
        return Finding("schema", "error", "holds no DashClaw tables", "It may be another file than you think", todo)
    if schema > HEAD:
        why = "This release does not know what is in it and will not open it"
        return Finding("schema", "error", f"has {schema}, this release knows {HEAD}", why, "Upgrade dashclaw")
    why = "The next program that opens it migrates it, without a copy of what was before"
    todo = "dashclaw doctor --fix (which makes a copy first)" if mend else "Make a copy, then: dashclaw db upgrade"
    return Finding("schema", "warning", f"has {schema}, this release brings {HEAD}", why, todo, mend)


def _migrate(path: Path, schema: str | None) -> Path:
    """Copy the file aside, then bring its schema up to date; returns the copy."""
    from dashclaw.runtime.store.connect import create_private
    from dashclaw.runtime.store.engine import Store

    copy = _free(path, schema)
    create_private(copy)
    with translated():
        with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(copy)) as target:
            source.backup(target)
        Store.open(str(path)).close()
    return copy


def _free(path: Path, schema: str | None) -> Path:
    copy, number = path.with_name(f"{path.name}.schema-{schema}"), 1
    while copy.exists():
        number += 1
        copy = path.with_name(f"{path.name}.schema-{schema}-{number}")
    return copy


def _server(ground: Ground) -> Iterator[Finding]:
    """PostgreSQL: reached, writable, its schema and its clock."""
    from sqlalchemy import text

    from dashclaw.runtime.clock import utc_now
    from dashclaw.runtime.store.connect import database_url
    from dashclaw.runtime.store.engine import Store
    from dashclaw.runtime.store.migrate import revision

    store = Store(database_url(ground.database or ""), utc_now, "normal")
    try:
        with store.engine.connect() as connection:
            read_only = connection.execute(text("SHOW transaction_read_only")).scalar() == "on"
            at: Any = connection.execute(text("SELECT clock_timestamp()")).scalar()
            skew = abs((utc_now() - moment(at.isoformat())).total_seconds())
        if read_only:
            why = "Decisions that cannot be recorded are refused"
            yield Finding(
                "database", "error", "can only be read", why, "Connect to the primary, as a user that may write"
            )
        else:
            yield Finding("database", "ok", f"{ground.shown} can be read and written")
        yield clock(skew, "the database")
        yield _revision(revision(store), None)
    finally:
        store.close()


def clock(seconds: float, whose: str) -> Finding:
    """How far two clocks are apart."""
    if seconds <= _SKEW_SECONDS:
        return Finding("clock", "ok", f"within {_SKEW_SECONDS} s of {whose}")
    why = "Approvals end too early or too late, and signed requests are refused"
    todo = "Let both machines keep their time by NTP"
    return Finding("clock", "warning", f"{seconds:.0f} s apart from {whose}", why, todo)
