"""The events as a log of changes: all but guard decisions, which have a list of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import case, func, literal_column, select

from .engine import decode
from .tables import DECISION_MADE, events

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import ColumnElement

    from .engine import Tx

_E = events.c
# Spelt out rather than bound, so that the planner sees that the partial indexes apply.
_IS_CHANGE = _E.event != literal_column(f"'{DECISION_MADE}'")
_NEWEST = (_E.created_at.desc(), _E.id.desc())
COUNTED = 5_000


def _where(org_id: str, filters: Mapping[str, Any]) -> Sequence[ColumnElement[bool]]:
    where: list[ColumnElement[bool]] = [_E.org_id == org_id, _IS_CHANGE]
    for name, value in filters.items():
        if name == "before":
            where.append(_E.created_at < value)
        elif name == "after":
            where.append(_E.created_at > value)
        else:
            where.append(_E[name] == value)
    return where


def page(tx: Tx, org_id: str, filters: Mapping[str, Any], size: int, offset: int) -> list[dict[str, Any]]:
    """Events, newest first."""
    query = select(events).where(*_where(org_id, filters)).order_by(*_NEWEST).limit(size).offset(offset)
    return [decode(events, row) for row in tx.all(query)]


def seen(tx: Tx, org_id: str, name: str) -> bool:
    """Whether a change with this name ever happened."""
    return tx.scalar(select(_E.id).where(*_where(org_id, {"event": name})).limit(1)) is not None


def stats(tx: Tx, org_id: str, filters: Mapping[str, Any], today: str) -> dict[str, int]:
    """How many of the newest 5,000 matching events there are, how many since `today`, and by how many actors."""
    newest = select(_E.actor_id, _E.created_at).where(*_where(org_id, filters)).order_by(*_NEWEST).limit(COUNTED)
    found = newest.subquery().c
    query = select(
        func.count().label("total"),
        func.sum(case((found.created_at >= today, 1), else_=0)).label("today"),
        func.count(found.actor_id.distinct()).label("unique_actors"),
    )
    return {name: int(value or 0) for name, value in (tx.one(query) or {}).items()}
