"""Sessions: actions that name the same one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select

from .engine import decode
from .tables import actions

if TYPE_CHECKING:
    from .engine import Tx

_A = actions.c


def page(tx: Tx, org_id: str, agent_id: str | None, size: int, offset: int) -> tuple[list[dict[str, Any]], int]:
    """Sessions, the last active first, and how many there are; it reads the index of every action with a session."""
    where = [_A.org_id == org_id, _A.session_id.is_not(None)]
    if agent_id is not None:
        where.append(_A.agent_id == agent_id)
    grouped = (
        select(
            _A.session_id,
            func.count().label("actions"),
            func.min(_A.timestamp_start).label("began_at"),
            func.max(_A.timestamp_start).label("last_at"),
            # Of the groups, so that the index is read once.
            func.count().over().label("total"),
        )
        .where(*where)
        .group_by(_A.session_id)
    )
    newest = grouped.order_by(func.max(_A.timestamp_start).desc(), _A.session_id)
    found = tx.all(newest.limit(size).offset(offset))
    totals = {int(row.pop("total")) for row in found or tx.all(newest.limit(1))}
    return found, max(totals, default=0)


def actions_of(tx: Tx, org_id: str, session_id: str, size: int, offset: int) -> tuple[list[dict[str, Any]], int]:
    """The actions of a session in the order in which they began, and how many there are."""
    where = (_A.org_id == org_id, _A.session_id == session_id)
    query = select(actions).where(*where).order_by(_A.timestamp_start, _A.action_id).limit(size).offset(offset)
    total = tx.scalar(select(func.count()).select_from(actions).where(*where))
    return [decode(actions, row) for row in tx.all(query)], int(total)
