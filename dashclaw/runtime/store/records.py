"""Rows that belong to an organisation and have an id: added, found, changed, deleted and listed the same way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, func, select, update

from .engine import decode, encode

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import ColumnElement, Table

    from .engine import Tx


class Records:
    """The records of one table with the columns `org_id`, `created_at` and an id."""

    def __init__(self, table: Table, id_column: str = "id") -> None:
        self.table = table
        self._c = table.c
        self._id = table.c[id_column]

    def add(self, tx: Tx, row: Mapping[str, Any]) -> None:
        """Insert a record; raises `DuplicateError` when its key is taken."""
        tx.insert(self.table, row)

    def find(self, tx: Tx, org_id: str, key: str) -> dict[str, Any] | None:
        """One record of the organisation."""
        row = tx.one(select(self.table).where(self._c.org_id == org_id, self._id == key))
        return None if row is None else decode(self.table, row)

    def change(self, tx: Tx, org_id: str, key: str, values: Mapping[str, Any]) -> bool:
        """Change columns of a record; false when there is none."""
        where = (self._c.org_id == org_id, self._id == key)
        return tx.execute(update(self.table).where(*where).values(**encode(self.table, values))) == 1

    def delete(self, tx: Tx, org_id: str, key: str) -> bool:
        """Delete a record; false when there is none."""
        return tx.execute(delete(self.table).where(self._c.org_id == org_id, self._id == key)) == 1

    def page(
        self,
        tx: Tx,
        org_id: str,
        where: Sequence[ColumnElement[bool]] = (),
        *,
        size: int,
        offset: int = 0,
        order: Sequence[ColumnElement[Any]] = (),
    ) -> tuple[list[dict[str, Any]], int]:
        """Matching records, newest first unless `order` says otherwise, and how many match."""
        matching = (self._c.org_id == org_id, *where)
        query = select(self.table).where(*matching).order_by(*order or (self._c.created_at.desc(), self._id))
        total = tx.scalar(select(func.count()).select_from(self.table).where(*matching))
        return [decode(self.table, row) for row in tx.all(query.limit(size).offset(offset))], int(total)
