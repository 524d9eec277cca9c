"""What agents write down: found again by its fields, by its digest or by words in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import func, or_

from dashclaw._json import compact

from .records import Records
from .tables import snippets

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import ColumnElement

    from .engine import Tx

_S = snippets.c


class Journal(Records):
    """The records of a table that `record_table` made."""

    def matching(
        self,
        tx: Tx,
        org_id: str,
        filters: Mapping[str, Any],
        *,
        size: int,
        offset: int = 0,
        first: Sequence[str] = (),
        where: Sequence[ColumnElement[bool]] = (),
    ) -> tuple[list[dict[str, Any]], int]:
        """Records whose columns have these values, and how many.

        They begin with the highest in the columns `first`, then the newest.
        """
        wanted = [*where, *(self.table.c[name] == value for name, value in filters.items())]
        order = [self.table.c[name].desc() for name in (*first, "created_at")]
        return self.page(tx, org_id, wanted, size=size, offset=offset, order=[*order, self.table.c.id])

    def saved(self, tx: Tx, org_id: str, digest: str) -> dict[str, Any] | None:
        """The record that was saved under a digest."""
        found, _ = self.matching(tx, org_id, {"digest": digest}, size=1)
        return found[0] if found else None


def snippets_with(search: str | None, tag: str | None) -> list[ColumnElement[bool]]:
    """Snippets with these words in their name or description, and with this tag; in any case of letters."""
    found: list[ColumnElement[bool]] = []
    if search is not None:
        found.append(or_(_holds(_S.name, search), _holds(_S.description, search)))
    if tag is not None:
        found.append(_holds(_S.tags, compact(tag)))
    return found


def _holds(column: ColumnElement[Any], part: str) -> ColumnElement[bool]:
    for special in "!%_":
        part = part.replace(special, "!" + special)
    return func.lower(column).like(func.lower(f"%{part}%"), escape="!")
