"""Open loops and assumptions, joined with their actions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import Table, and_, case, func, or_, select, update

from .engine import decode, encode
from .tables import actions, assumptions, loops

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import ColumnElement

    from .engine import Tx

_A = actions.c
_L = loops.c
_S = assumptions.c
_PARENT = (_A.agent_id, _A.agent_name, _A.declared_goal, _A.action_type, _A.status.label("action_status"))
PRIORITIES = ("critical", "high", "medium", "low")


def _joined(table: Table) -> Any:
    on = and_(_A.org_id == table.c.org_id, _A.action_id == table.c.action_id)
    return select(table, *_PARENT).select_from(table.join(actions, on))


def find(tx: Tx, table: Table, org_id: str, key: str) -> dict[str, Any] | None:
    """One loop or assumption with what matters of its action."""
    id_column = loops.c.loop_id if table is loops else assumptions.c.assumption_id
    row = tx.one(_joined(table).where(table.c.org_id == org_id, id_column == key))
    return None if row is None else decode(table, row)


def insert(tx: Tx, table: Table, row: Mapping[str, Any]) -> None:
    """Add a loop or an assumption."""
    tx.insert(table, row)


def change(tx: Tx, table: Table, org_id: str, key: str, values: Mapping[str, Any]) -> None:
    """Change columns of a loop or an assumption."""
    id_column = loops.c.loop_id if table is loops else assumptions.c.assumption_id
    tx.execute(update(table).where(table.c.org_id == org_id, id_column == key).values(**encode(table, values)))


def of_action(tx: Tx, table: Table, org_id: str, action_id: str) -> list[dict[str, Any]]:
    """Everything of one action, newest first."""
    where = (table.c.org_id == org_id, table.c.action_id == action_id)
    id_column = loops.c.loop_id if table is loops else assumptions.c.assumption_id
    query = select(table).where(*where).order_by(table.c.created_at.desc(), id_column)
    return [decode(table, row) for row in tx.all(query)]


def loop_page(
    tx: Tx, org_id: str, filters: Mapping[str, Any], size: int, offset: int
) -> tuple[list[dict[str, Any]], int]:
    """Loops by priority, then newest first, and how many the filters match."""
    where = _where(loops, org_id, filters)
    rank = case({name: place for place, name in enumerate(PRIORITIES)}, value=_L.priority, else_=len(PRIORITIES))
    query = _joined(loops).where(*where).order_by(rank, _L.created_at.desc(), _L.loop_id).limit(size).offset(offset)
    return [decode(loops, row) for row in tx.all(query)], _total(tx, loops, where)


def loop_stats(tx: Tx, org_id: str) -> dict[str, int]:
    """Counts over the whole organisation."""
    query = select(_L.status, _L.priority, func.count().label("n")).where(_L.org_id == org_id)
    found = {"open_count": 0, "resolved_count": 0, "critical_open": 0, "high_open": 0}
    for row in tx.all(query.group_by(_L.status, _L.priority)):
        if row["status"] == "open":
            found["open_count"] += row["n"]
            if row["priority"] in ("critical", "high"):
                found[f"{row['priority']}_open"] += row["n"]
        elif row["status"] == "resolved":
            found["resolved_count"] += row["n"]
    return found


def assumption_page(
    tx: Tx, org_id: str, filters: Mapping[str, Any], stale_before: str | None, size: int, offset: int
) -> tuple[list[dict[str, Any]], int]:
    """Assumptions, the invalidated first, then newest first, and how many the filters match."""
    where = _assumptions_where(org_id, filters, stale_before)
    query = _joined(assumptions).where(*where)
    query = query.order_by(_S.invalidated.desc(), _S.created_at.desc(), _S.assumption_id).limit(size).offset(offset)
    return [decode(assumptions, row) for row in tx.all(query)], _total(tx, assumptions, where)


def assumption_counts(
    tx: Tx, org_id: str, filters: Mapping[str, Any], stale_before: str | None, risky_before: str
) -> dict[str, int]:
    """Counts over everything the filters match; at risk is what was neither settled nor made after `risky_before`."""
    where = _assumptions_where(org_id, filters, stale_before)
    unsettled = and_(_S.validated == 0, _S.invalidated == 0)
    query = (
        select(
            func.count().label("total"),
            _sum(and_(unsettled, _S.created_at <= risky_before), "at_risk"),
            _sum(and_(_S.validated == 1, _S.invalidated == 0), "validated"),
            _sum(_S.invalidated == 1, "invalidated"),
            _sum(unsettled, "unvalidated"),
        )
        .select_from(_with_action(assumptions))
        .where(*where)
    )
    return {name: int(value or 0) for name, value in (tx.one(query) or {}).items()}


def _sum(condition: ColumnElement[bool], label: str) -> Any:
    return func.sum(case((condition, 1), else_=0)).label(label)


def _assumptions_where(
    org_id: str, filters: Mapping[str, Any], stale_before: str | None
) -> Sequence[ColumnElement[bool]]:
    where = list(_where(assumptions, org_id, filters))
    if stale_before is not None:
        where.append(and_(_S.validated == 0, or_(_S.invalidated == 0), _S.created_at < stale_before))
    return where


def _where(table: Table, org_id: str, filters: Mapping[str, Any]) -> Sequence[ColumnElement[bool]]:
    columns = [_A.agent_id if name == "agent_id" else table.c[name] for name in filters]
    return [
        table.c.org_id == org_id,
        *(column == value for column, value in zip(columns, filters.values(), strict=True)),
    ]


def _with_action(table: Table) -> Any:
    return table.join(actions, and_(_A.org_id == table.c.org_id, _A.action_id == table.c.action_id))


def _total(tx: Tx, table: Table, where: Sequence[ColumnElement[bool]]) -> int:
    return int(tx.scalar(select(func.count()).select_from(_with_action(table)).where(*where)))
