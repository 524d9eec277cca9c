"""Pages far from the beginning of a list that an index has in the order of time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Column, ColumnElement

    from .engine import Tx

FAR = 1000


def nearer(
    tx: Tx, at: Column[Any], where: Sequence[ColumnElement[bool]], offset: int
) -> tuple[list[ColumnElement[bool]], int]:
    """A condition that leaves out what is newer than a page of the newest first, and the offset that is left then.

    Where an index has all that `where` asks and then `at`, it alone is read; with the offset itself every row is.
    """
    if offset < FAR:
        return [], offset
    first = tx.scalar(select(at).where(*where).order_by(at.desc()).limit(1).offset(offset))
    if first is None:
        return [at < ""], 0
    newer = tx.scalar(select(func.count()).where(*where, at > first))
    return [at <= first], offset - int(newer)
