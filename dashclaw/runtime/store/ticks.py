"""What happened since a cursor, counted by the names of the events: a row each, however much it was."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import bindparam, func, select

from .engine import Hot
from .tables import events

if TYPE_CHECKING:
    from .engine import Tx

_E = events.c
_SINCE = Hot(
    select(_E.event, func.count().label("n"), func.max(_E.id).label("last"))
    .where(_E.org_id == bindparam("org"), _E.id > bindparam("after"))
    .group_by(_E.event)
)


def happened(tx: Tx, org_id: str, after: int) -> tuple[dict[str, int], int]:
    """How often each event came after the cursor `after`, and the cursor of the last one."""
    found = tx.tuples(_SINCE, org=org_id, after=after)
    return {name: count for name, count, _ in found}, max((last for _, _, last in found), default=after)
