"""Token reports and their totals by day and by hour, kept in the transaction of each report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import Select, Table, bindparam, func, select, union_all
from sqlalchemy.dialects import postgresql, sqlite

from ..clock import ago
from .engine import Hot
from .records import Records
from .tables import token_days, token_hours, token_reports

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .engine import Tx

_R = token_reports.c
_D = token_days.c
_H = token_hours.c
_HOUR = 13  # "YYYY-MM-DDTHH"
_AMOUNTS = ("n", "tokens_in", "tokens_out", "cost")

reports = Records(token_reports)


class Usage(NamedTuple):
    """Tokens in and out together, and nano-dollars."""

    tokens: int
    cost: int


def _count(table: Table) -> dict[str, Hot]:
    """The statement that adds to a total, in each dialect."""
    key = list(table.primary_key)
    found = {}
    for name, dialect in (("sqlite", sqlite), ("postgresql", postgresql)):
        statement = dialect.insert(table).values({column.name: bindparam(column.name) for column in table.columns})
        added = {amount: table.c[amount] + statement.excluded[amount] for amount in _AMOUNTS}
        found[name] = Hot(statement.on_conflict_do_update(index_elements=key, set_=added))
    return found


_COUNT_DAY = _count(token_days)
_COUNT_HOUR = _count(token_hours)


def _spent(table: Table) -> Select[Any]:
    columns = table.c
    cost, tokens = func.sum(columns.cost), func.sum(columns.tokens_in + columns.tokens_out)
    return select(tokens.label("tokens"), cost.label("cost")).where(
        columns.org_id == bindparam("org"), columns.agent_id == bindparam("agent")
    )


# Whole hours come from the totals, the first and partial one from the reports.
_WINDOW = union_all(
    _spent(token_hours).where(_H.hour > bindparam("hour")),
    _spent(token_reports).where(_R.created_at > bindparam("since"), _R.created_at < bindparam("until")),
).subquery()
_IN_WINDOW = Hot(select(func.sum(_WINDOW.c.tokens).label("tokens"), func.sum(_WINDOW.c.cost).label("cost")))
_ALL = union_all(
    select(_H.agent_id, (_H.tokens_in + _H.tokens_out).label("tokens"), _H.cost).where(
        _H.org_id == bindparam("org"), _H.hour > bindparam("hour")
    ),
    select(_R.agent_id, (_R.tokens_in + _R.tokens_out).label("tokens"), _R.cost).where(
        _R.org_id == bindparam("org"), _R.created_at > bindparam("since"), _R.created_at < bindparam("until")
    ),
).subquery()
_BY_AGENT = Hot(
    select(_ALL.c.agent_id, func.sum(_ALL.c.tokens).label("tokens"), func.sum(_ALL.c.cost).label("cost")).group_by(
        _ALL.c.agent_id
    )
)
_PAST = union_all(
    _spent(token_hours).where(_H.hour > bindparam("hour"), _H.hour < bindparam("last_hour")),
    _spent(token_reports).where(_R.created_at > bindparam("since"), _R.created_at <= bindparam("until")),
    _spent(token_reports).where(_R.created_at >= bindparam("last_since"), _R.created_at <= bindparam("last_until")),
).subquery()
_BETWEEN = Hot(select(func.sum(_PAST.c.tokens).label("tokens"), func.sum(_PAST.c.cost).label("cost")))

_ON_DAY = Hot(
    select(*(func.sum(_D[name]).label(name) for name in _AMOUNTS)).where(
        _D.org_id == bindparam("org"), _D.day == bindparam("day_"), _D.agent_id == bindparam("agent")
    )
)


def record(tx: Tx, row: Mapping[str, Any]) -> None:
    """Insert a report and add it to the totals."""
    reports.add(tx, row)
    amounts = {"n": 1, **{name: row[name] for name in ("tokens_in", "tokens_out", "cost")}}
    agent, at = {"org_id": row["org_id"], "agent_id": row["agent_id"]}, row["created_at"]
    tx.execute(_COUNT_DAY[tx.dialect], **agent, **amounts, day=at[:10], model=row["model"])
    tx.execute(_COUNT_HOUR[tx.dialect], **agent, **amounts, hour=at[:_HOUR])


def in_window(tx: Tx, org_id: str, agent_id: str, minutes: int) -> Usage:
    """What an agent used in the last `minutes`; the cost grows with the hours and the reports of one hour."""
    since = ago(tx.now, minutes=minutes)
    hour = since[:_HOUR]
    return _usage(tx.one(_IN_WINDOW, org=org_id, agent=agent_id, hour=hour, since=since, until=hour + "~"))


def between(tx: Tx, org_id: str, agent_id: str, since: str, until: str) -> Usage:
    """What an agent used after one moment and up to another; the cost is that of `in_window`."""
    first, last = since[:_HOUR], until[:_HOUR]
    found = tx.one(
        _BETWEEN,
        org=org_id,
        agent=agent_id,
        hour=first,
        last_hour=last,
        since=since,
        until=min(first + "~", until),
        # Within one hour there is no second part.
        last_since=last if first < last else "~",
        last_until=until,
    )
    return _usage(found)


def _usage(found: Mapping[str, Any] | None) -> Usage:
    known = found or {}
    return Usage(int(known.get("tokens") or 0), int(known.get("cost") or 0))


def by_agent(tx: Tx, org_id: str, minutes: int) -> dict[str, Usage]:
    """What each agent used in the last `minutes`, as `in_window` counts it; agents that used nothing are left out."""
    since = ago(tx.now, minutes=minutes)
    hour = since[:_HOUR]
    found = tx.all(_BY_AGENT, org=org_id, hour=hour, since=since, until=hour + "~")
    return {row["agent_id"]: _usage(row) for row in found if row["agent_id"]}


def on_day(tx: Tx, org_id: str, agent_id: str, day: str) -> dict[str, int]:
    """The totals of an agent on a day."""
    found = tx.one(_ON_DAY, org=org_id, agent=agent_id, day_=day) or {}
    return {name: int(found[name] or 0) for name in _AMOUNTS}


def page(tx: Tx, org_id: str, filters: Mapping[str, str], size: int, offset: int) -> tuple[list[dict[str, Any]], int]:
    """Reports, newest first, and how many the filters match."""
    return reports.page(tx, org_id, [_R[name] == value for name, value in filters.items()], size=size, offset=offset)


def totals(tx: Tx, org_id: str, by: str, since: str, until: str, filters: Mapping[str, str]) -> list[dict[str, Any]]:
    """Totals from the day `since` to the day `until`, by day, agent or model; the dearest first, days in order."""
    column = {"day": _D.day, "agent": _D.agent_id, "model": _D.model}[by]
    sums = [func.sum(_D[name]).label(name) for name in _AMOUNTS]
    where = [_D.org_id == org_id, _D.day >= since, _D.day <= until]
    where += [_D[name] == value for name, value in filters.items()]
    order = [column] if by == "day" else [func.sum(_D.cost).desc(), column]
    rows = tx.all(select(column.label("key"), *sums).where(*where).group_by(column).order_by(*order))
    return [{"key": row["key"], **{name: int(row[name]) for name in _AMOUNTS}} for row in rows]
