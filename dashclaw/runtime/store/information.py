"""What a database holds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select

from .migrate import revision
from .tables import metadata

if TYPE_CHECKING:
    from .engine import Store


def describe(store: Store) -> dict[str, Any]:
    """The database, its schema, its size in bytes (SQLite) and the rows of each table."""
    found: dict[str, Any] = {"database": str(store.url), "dialect": store.dialect, "revision": revision(store)}
    if store.dialect == "sqlite":
        found["bytes"] = Path(str(store.url.database)).stat().st_size
    with store.read() as tx:
        for table in sorted(metadata.tables.values(), key=lambda table: table.name):
            found[table.name] = int(tx.scalar(select(func.count()).select_from(table)))
    return found
