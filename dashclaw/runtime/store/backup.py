"""Copies of a database: taken while it is in use, consistent, and put back whole or not at all."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from sqlalchemy import LargeBinary, Table, func, insert, select, text, update

from .connect import StoreError, create_private, database_url, translated
from .engine import Store
from .migrate import HEAD
from .tables import events, metadata, organizations

_BATCH = 1000
_FEW = 8
_SEQUENCE = "pg_get_serial_sequence('events', 'id')"
# The next event comes after the restored ones and after every event that a reader may have seen before.
_NEXT_EVENT = f"SELECT setval({_SEQUENCE}, greatest(nextval({_SEQUENCE}), (SELECT max(id) FROM events)))"  # noqa: S608


def backup(url: str, target: str) -> dict[str, Any]:
    """Copy the database at `url` into a new SQLite file; returns the number of rows copied.

    The copy is one consistent snapshot. Raises `StoreError` when the target exists.
    """
    path = Path(target).expanduser()
    if path.exists():
        raise StoreError(f"{path} exists already; choose another file")
    unfinished = path.with_name(path.name + ".unfinished")
    unfinished.unlink(missing_ok=True)
    try:
        with translated():
            rows = (
                _copy_file(url, unfinished) if _is_file(url) else _copy_rows(url, f"sqlite:///{unfinished.absolute()}")
            )
        unfinished.replace(path)
    finally:
        for leftover in (unfinished, Path(f"{unfinished}-wal"), Path(f"{unfinished}-shm")):
            leftover.unlink(missing_ok=True)
    return {"target": str(path), "rows": rows}


def restore(source: str, url: str, *, force: bool = False) -> dict[str, Any]:
    """Put a copy back into the database at `url`; returns the number of rows restored.

    Raises `StoreError` when the source is damaged or of another schema, or the target holds data and `force` is false.
    """
    path = Path(source).expanduser()
    _check(path)
    store = Store.open(url)
    try:
        with store.read() as tx:
            used = bool(tx.scalar(select(func.count()).select_from(organizations)))
    finally:
        store.close()
    if used and not force:
        raise StoreError("The database holds data already; --force replaces all of it")
    with translated():
        return {"source": str(path), "rows": _copy_rows(f"sqlite:///{path.absolute()}", url)}


def _is_file(url: str) -> bool:
    return database_url(url).get_backend_name() == "sqlite"


def _copy_file(url: str, target: Path) -> int:
    source = str(database_url(url).database)
    if not Path(source).exists():
        raise StoreError(f"There is no database {source}")
    create_private(target)
    with closing(sqlite3.connect(source)) as reader, closing(sqlite3.connect(target)) as writer:
        reader.backup(writer)
        writer.execute("PRAGMA journal_mode=DELETE")
        return sum(
            int(writer.execute(f'SELECT count(*) FROM "{table.name}"').fetchone()[0])  # noqa: S608 - our own names
            for table in metadata.sorted_tables
        )


def _copy_rows(source: str, target: str) -> int:
    reading = Store.open(source)
    try:
        writing = Store.open(target)
        try:
            with reading.engine.connect() as reader, writing.engine.begin() as writer:
                if writing.dialect == "sqlite":
                    writer.exec_driver_sql("BEGIN IMMEDIATE")
                if reading.dialect == "postgresql":
                    reader.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
                else:
                    reader.exec_driver_sql("BEGIN")
                newest = writer.execute(select(func.max(organizations.c.policy_revision))).scalar() or 0
                copied = sum(_copy_table(reader, writer, table) for table in metadata.sorted_tables)
                # Whoever has compiled the policies of before must see that they are others now.
                writer.execute(
                    update(organizations).values(policy_revision=organizations.c.policy_revision + newest + 1)
                )
                return copied
        finally:
            writing.close()
    finally:
        reading.close()


def _copy_table(reader: Any, writer: Any, table: Table) -> int:
    writer.execute(table.delete())
    copied = 0
    size = _FEW if any(isinstance(column.type, LargeBinary) for column in table.columns) else _BATCH
    # Not all of a table at once: attachments alone may be larger than the memory.
    found = reader.execute(select(table), execution_options={"yield_per": size})
    for batch in found.mappings().partitions():
        writer.execute(insert(table), [dict(row) for row in batch])
        copied += len(batch)
    if table is events and writer.dialect.name == "postgresql":
        writer.execute(text(_NEXT_EVENT))
    return copied


def _check(path: Path) -> None:
    if not path.is_file():
        raise StoreError(f"There is no file {path}")
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as reader:
            sound = reader.execute("PRAGMA integrity_check").fetchone()[0]
            schema = reader.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.Error as error:
        raise StoreError(f"{path} is not a backup of a DashClaw database") from error
    if sound != "ok":
        raise StoreError(f"{path} is damaged: {sound}")
    if schema is None or schema[0] > HEAD:
        raise StoreError(f"{path} was made by a newer release; upgrade dashclaw")
