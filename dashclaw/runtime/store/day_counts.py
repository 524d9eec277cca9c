"""Decisions counted by what met them, day by day: days that are over are counted once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from sqlalchemy import func, select

from .engine import decode
from .tables import decision_hours, guard_decisions

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from .engine import Tx

_D = guard_decisions.c
_H = decision_hours.c
_DAY = 10  # "YYYY-MM-DD"
_Counts = list[dict[str, Any]]
_MOST = 20_000
# By organisation and day, how many decisions it had when it was counted, and the counts.
_known: WeakKeyDictionary[Engine, dict[tuple[str, str], tuple[int, _Counts]]] = WeakKeyDictionary()


def decided(tx: Tx, org_id: str, since: str) -> _Counts:
    """How often each kind of action met each decision by the same policies since a moment; several may be alike.

    What was counted of a day that is over holds as long as the counters say that it has as many decisions as then:
    they are kept in the transaction of each change, whichever process makes it.
    """
    first, today = since[:_DAY], tx.stamp[:_DAY]
    sizes = _sizes(tx, org_id, first, today)
    known = _known.setdefault(tx.engine, {})
    found = {day: counted[1] for day in sizes if (counted := known.get((org_id, day))) and counted[0] == sizes[day]}
    if new := sizes.keys() - found.keys():
        fresh: dict[str, _Counts] = {day: [] for day in new}
        for row in _counted(tx, org_id, min(new), max(new) + "~"):
            if row["day"] in fresh:
                fresh[row["day"]].append(row)
        if len(known) > _MOST:
            known.clear()
        known.update({(org_id, day): (sizes[day], counts) for day, counts in fresh.items()})
        found |= fresh
    ends = _counted(tx, org_id, since, first + "~") if first < today else []
    return [*ends, *_counted(tx, org_id, max(since, today), "~"), *(row for day in sizes for row in found[day])]


def _sizes(tx: Tx, org_id: str, after: str, before: str) -> dict[str, int]:
    """How many decisions each day has between two others."""
    day = func.substr(_H.hour, 1, _DAY).label("day")
    query = select(day, func.sum(_H.n).label("n")).where(_H.org_id == org_id, _H.hour > after + "~", _H.hour < before)
    return {row["day"]: int(row["n"]) for row in tx.all(query.group_by(day))}


def _counted(tx: Tx, org_id: str, since: str, until: str) -> _Counts:
    by = (func.substr(_D.created_at, 1, _DAY).label("day"), _D.action_type, _D.decision, _D.matched_policies)
    query = select(*by, func.count().label("count")).where(_D.org_id == org_id, _D.created_at >= since)
    rows = tx.all(query.where(_D.created_at < until).group_by(*by))
    return [decode(guard_decisions, row) for row in rows]
