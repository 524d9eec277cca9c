"""Brings a database to the newest schema, one runner at a time."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

if TYPE_CHECKING:
    from .engine import Store

HEAD = "0005"
_LOCK = 716_283_541


def revision(store: Store) -> str | None:
    """The schema revision of the database, None when it has none yet."""
    with store.engine.connect() as connection:
        return _revision(connection)


def _revision(connection: Connection) -> str | None:
    try:
        found: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    except DBAPIError:
        connection.rollback()
        return None
    return found


def upgrade(store: Store) -> str | None:
    """Run what is missing and return the revision that was there before.

    Raises `StoreError` when the database is newer than this release, or cannot be opened or written.
    """
    from .connect import StoreError, translated

    with translated():
        before = revision(store)
        if before == HEAD:
            return before
        if before is not None and before > HEAD:
            raise StoreError(f"The database has schema {before}; this release knows {HEAD}: upgrade dashclaw")
        with store.engine.connect() as connection:
            _locked_upgrade(store, connection)
    return before


def _locked_upgrade(store: Store, connection: Connection) -> None:
    # Alembic takes half a second to import, so a current database never loads it.
    from alembic import command
    from alembic.config import Config

    if store.dialect == "sqlite":
        connection.exec_driver_sql("BEGIN EXCLUSIVE")
    else:
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    try:
        config = Config()
        config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        connection.commit()
    except (SQLAlchemyError, OSError):
        connection.rollback()
        raise
