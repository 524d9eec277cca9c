"""Connections and transactions over SQLite and PostgreSQL."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from itertools import count
from typing import Any

from sqlalchemy import Connection, Engine, Executable, Table
from sqlalchemy.engine import URL

from ..clock import Clock, stamp, utc_now
from ..identity import Caller
from .connect import DuplicateError, StoreError, database_url, make_engine, translated
from .hot import Hot, hot_insert
from .rows import decode, encode
from .tables import events
from .watch import PostgresWatch, SqliteWatch, Watch

__all__ = ["DuplicateError", "Hot", "Store", "StoreError", "Tx", "decode", "encode"]

CLOSE_SECONDS = 5.0
_PAGED = count()


class Tx:
    """One transaction. Statements are Core statements or `Hot` ones; rows come back as dicts."""

    def __init__(self, engine: Engine, connection: Connection, now: datetime) -> None:
        self.engine = engine
        self._connection = connection
        self._raw: Any = connection.connection.driver_connection
        self.dialect = engine.dialect.name
        self.now = now
        self.stamp = stamp(now)
        self.emitted: set[str] = set()
        # The governance read in this transaction, with the organisation's id.
        self.governance: tuple[str, Any] | None = None

    def one(self, statement: Hot | Executable, **params: Any) -> dict[str, Any] | None:
        """The first row, or None."""
        if isinstance(statement, Hot):
            cursor, columns = self._run(statement, params)
            row = cursor.fetchone()
            return None if row is None else dict(zip(columns, row, strict=True))
        found = self._connection.execute(statement, params).mappings().first()
        return None if found is None else dict(found)

    def all(self, statement: Hot | Executable, **params: Any) -> list[dict[str, Any]]:
        """Every row."""
        if isinstance(statement, Hot):
            cursor, columns = self._run(statement, params)
            return [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]
        return [dict(row) for row in self._connection.execute(statement, params).mappings()]

    def scalar(self, statement: Hot | Executable, **params: Any) -> Any:
        """The first column of the first row, or None."""
        if isinstance(statement, Hot):
            row = self._run(statement, params)[0].fetchone()
            return None if row is None else row[0]
        return self._connection.execute(statement, params).scalar()

    def execute(self, statement: Hot | Executable, **params: Any) -> int:
        """Run a change; returns how many rows it touched."""
        if isinstance(statement, Hot):
            return int(self._run(statement, params)[0].rowcount)
        return int(self._connection.execute(statement, params).rowcount)

    def tuples(self, statement: Hot, **params: Any) -> list[tuple[Any, ...]]:
        """Every row as a bare tuple, which costs the least."""
        found: list[tuple[Any, ...]] = self._run(statement, params)[0].fetchall()
        return found

    def pages(self, statement: Hot, size: int, **params: Any) -> Iterator[list[tuple[Any, ...]]]:
        """Every row as a bare tuple, by pages, from one statement that is run as they are asked for."""
        if self.dialect == "sqlite":
            cursor = self._run(statement, params)[0]
        else:
            compiled = statement.compiled(self.engine)
            # A name keeps the rows on the server until they are fetched.
            cursor = self._raw.cursor(name=f"pages_{next(_PAGED)}")
            cursor.execute(compiled.sql, {**compiled.defaults, **params})
        try:
            while page := cursor.fetchmany(size):
                yield page
        finally:
            cursor.close()

    def insert_many(self, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
        """Insert rows as they are, all with the same columns."""
        if rows:
            compiled = hot_insert(table, tuple(rows[0])).compiled(self.engine)
            self._raw.cursor().executemany(compiled.sql, map(compiled.bound, rows))

    def insert(self, table: Table, values: Mapping[str, Any]) -> None:
        """Insert one row; raises `DuplicateError` when its key is taken."""
        row = encode(table, values)
        self._run(hot_insert(table, tuple(row)), row)

    def emit(
        self,
        caller: Caller,
        name: str,
        resource_type: str,
        resource_id: str,
        data: Mapping[str, Any],
        agent_id: str | None = None,
    ) -> None:
        """Append an event to the organisation's log, as part of this transaction."""
        self.insert(
            events,
            {
                "org_id": caller.org_id,
                "event": name,
                "actor_type": caller.actor_type,
                "actor_id": caller.actor_id,
                "agent_id": agent_id or caller.agent_id,
                "resource_type": resource_type,
                "resource_id": resource_id,
                "data": data,
                "created_at": self.stamp,
            },
        )
        self.emitted.add(caller.org_id)

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """Undo what is done inside, and nothing else, when it raises."""
        self._raw.execute("SAVEPOINT part")
        try:
            yield
        except BaseException:
            self._raw.execute("ROLLBACK TO SAVEPOINT part")
            raise
        finally:
            self._raw.execute("RELEASE SAVEPOINT part")

    def lock_organisation(self, org_id: str) -> None:
        """Let writers of one organisation follow each other (PostgreSQL)."""
        self._raw.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (org_id,))

    def notify(self) -> None:
        """Wake those who watch, once this commits (PostgreSQL)."""
        if self.emitted:
            self._raw.execute("SELECT pg_notify('dashclaw', '')")

    def _run(self, statement: Hot, params: dict[str, Any]) -> tuple[Any, tuple[str, ...]]:
        compiled = statement.compiled(self.engine)
        if compiled.defaults:
            params = {**compiled.defaults, **params}
        return self._raw.execute(compiled.sql, compiled.bound(params)), compiled.columns


class Store:
    """One database: any number of readers, writers one after the other per organisation.

    SQLite has one writer connection per process and `BEGIN IMMEDIATE` between processes; PostgreSQL takes
    an advisory lock per organisation, so that event ids commit in order and counts are atomic on both.
    A forked child opens connections of its own. `on_events` is told after a commit which organisations got events.
    """

    def __init__(self, url: URL, clock: Clock, durability: str) -> None:
        self.url = url
        self.clock = clock
        self.dialect = url.get_backend_name()
        self._durability = durability
        self.on_events: Callable[[set[str]], None] | None = None
        self._connect()

    @classmethod
    def open(cls, url: str, *, clock: Clock = utc_now, durability: str = "normal") -> Store:
        """Open a path or URL and bring its schema up to date; raises `StoreError` when it cannot."""
        from .migrate import upgrade

        parsed = database_url(url)
        store = cls(parsed, clock, durability)
        try:
            upgrade(store)
        except BaseException:
            store.close()
            raise
        return store

    def _connect(self) -> None:
        self._pid = os.getpid()
        self._lock = threading.RLock()
        self._closed = False
        self._ended = threading.Condition()
        self._busy = 0
        self.engine = make_engine(self.url, self._durability)
        self._writer: Connection | None = None
        self._batch: Tx | None = None

    def _check(self) -> None:
        if self._pid != os.getpid():
            self.engine.dispose(close=False)
            self._connect()
        if self._closed:
            raise StoreError("This database was closed")

    @contextmanager
    def _connection(self) -> Iterator[Connection]:
        """A pooled connection, which a close waits for."""
        with self._ended:
            if self._closed:
                raise StoreError("This database was closed")
            self._busy += 1
        try:
            with self.engine.connect() as connection:
                yield connection
        finally:
            with self._ended:
                self._busy -= 1
                self._ended.notify_all()

    @contextmanager
    def write(self, org_id: str = "") -> Iterator[Tx]:
        """A transaction that changes an organisation's data; commits on success, rolls back on any error."""
        self._check()
        if self.dialect != "sqlite":
            with translated(), self._connection() as connection, self._transaction(connection, None) as tx:
                tx.lock_organisation(org_id)
                yield tx
                tx.notify()
            self._tell(tx)
            return
        with self._lock, translated():
            if self._batch is not None:
                with self._savepoint(self._batch) as tx:
                    yield tx
                return
            with self._transaction(self._writing(), "BEGIN IMMEDIATE") as tx:
                yield tx
            self._tell(tx)

    def _tell(self, tx: Tx) -> None:
        if tx.emitted and self.on_events is not None:
            self.on_events(tx.emitted)

    @contextmanager
    def batch(self) -> Iterator[None]:
        """Commit what this thread writes inside at once, on SQLite; each write is still undone alone when it fails.

        A commit costs SQLite about as much as the statements of a decision. When the commit fails nothing was written,
        whatever the writes returned.
        """
        self._check()
        with self._lock, translated(), self._transaction(self._writing(), "BEGIN IMMEDIATE") as tx:
            self._batch = tx
            try:
                yield
            finally:
                self._batch = None
        self._tell(tx)

    def _writing(self) -> Connection:
        if self._closed:
            raise StoreError("This database was closed")
        if self._writer is None:
            self._writer = self.engine.connect()
        return self._writer

    @contextmanager
    def _savepoint(self, batch: Tx) -> Iterator[Tx]:
        tx = Tx(self.engine, batch._connection, self.clock())
        tx._raw.execute("SAVEPOINT one")
        try:
            yield tx
        except BaseException:
            tx._raw.execute("ROLLBACK TO one")
            raise
        finally:
            tx._raw.execute("RELEASE one")
        batch.emitted |= tx.emitted

    @contextmanager
    def read(self) -> Iterator[Tx]:
        """A transaction that only reads, from one consistent snapshot."""
        self._check()
        sqlite = self.dialect == "sqlite"
        with translated(), self._connection() as connection:
            if not sqlite:
                connection.execution_options(isolation_level="REPEATABLE READ")
            with self._transaction(connection, "BEGIN" if sqlite else None) as tx:
                yield tx

    @contextmanager
    def _transaction(self, connection: Connection, begin: str | None) -> Iterator[Tx]:
        tx = Tx(self.engine, connection, self.clock())
        raw = tx._raw
        if begin is not None:
            raw.execute(begin)
        try:
            yield tx
        except BaseException:
            connection.rollback()
            raw.rollback()
            raise
        if connection.in_transaction():
            connection.commit()
        else:
            raw.commit()

    def watch(self) -> Watch:
        """Something that tells whether anybody committed since it was last asked."""
        if self.dialect == "sqlite":
            return SqliteWatch(str(self.url.database))
        return PostgresWatch(self.url)

    def close(self) -> None:
        """Close every connection of this process; closing twice is harmless.

        Transactions under way in other threads get five seconds to end; later ones are refused.
        """
        if self._pid != os.getpid():
            return
        with self._lock:
            self._closed = True
            if self._writer is not None:
                self._writer.close()
                self._writer = None
        with self._ended:
            self._ended.wait_for(lambda: self._busy == 0, CLOSE_SECONDS)
        self.engine.dispose()
