"""Guard decisions and their counters."""

from __future__ import annotations

from functools import lru_cache
from hashlib import sha256
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    Column,
    ColumnElement,
    ScalarSelect,
    String,
    Table,
    Text,
    bindparam,
    cast,
    delete,
    func,
    literal_column,
    or_,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from dashclaw._json import compact

from ..clock import ago
from ..guard import SEVERITY
from .engine import Hot, decode, encode
from .far_pages import nearer
from .hot import hot_insert
from .tables import decision_counts, decision_hours, guard_decisions

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from .engine import Tx

_D = guard_decisions.c
_C = decision_counts.c
_H = decision_hours.c
DECISIONS = tuple(SEVERITY)
_HOUR = 13  # "YYYY-MM-DDTHH"
_COLUMNS = tuple(column.name for column in guard_decisions.columns)
_INSERT = hot_insert(guard_decisions, _COLUMNS)
# What never changes once a decision is recorded: the action is linked later. The order is part of `row_digest`.
FIXED_COLUMNS = (
    "id",
    "org_id",
    "agent_id",
    "action_type",
    "decision",
    "risk_score",
    "risk_breakdown",
    "reasons",
    "warnings",
    "matched_policies",
    "context",
    "digest",
    "degraded",
    "policy_set",
    "facts",
    "created_at",
)
_AT, _SET = FIXED_COLUMNS.index("created_at"), FIXED_COLUMNS.index("policy_set")
NOTHING = "\x01"


def _as_text(column: Column[Any]) -> ColumnElement[Any]:
    """A column as `row_digest` takes it; each function in a statement costs a row as much as a column."""
    text = column if isinstance(column.type, String) else cast(column, Text)
    return func.coalesce(text, literal_column(f"'{NOTHING}'")) if column.nullable else text


_IN_ORDER = Hot(
    select(*(_as_text(_D[name]) for name in FIXED_COLUMNS)).where(_D.org_id == bindparam("org")).order_by(_D.created_at)
)
_FIXED = itemgetter(*FIXED_COLUMNS)


def _count_one(table: Table) -> dict[str, Hot]:
    """The statement that adds one to a counter, in each dialect."""
    key = list(table.primary_key)
    found = {}
    for name, dialect in (("sqlite", sqlite), ("postgresql", postgresql)):
        statement = dialect.insert(table).values({column.name: bindparam(column.name) for column in key} | {"n": 1})
        found[name] = Hot(statement.on_conflict_do_update(index_elements=key, set_={"n": table.c.n + 1}))
    return found


_COUNT_AGENT = _count_one(decision_counts)
_COUNT_HOUR = _count_one(decision_hours)
_IN_WINDOW = Hot(
    select(func.count()).select_from(
        select(_D.id)
        .where(_D.org_id == bindparam("org"), _D.agent_id == bindparam("agent"), _D.created_at > bindparam("since"))
        .where(_D.id != bindparam("but"))
        .limit(bindparam("most"))
        .subquery()
    )
)
_FIND = Hot(select(guard_decisions).where(_D.org_id == bindparam("org"), _D.id == bindparam("decision_id")))
_LINK = Hot(
    update(guard_decisions)
    .where(_D.org_id == bindparam("org"), _D.id == bindparam("decision_id_"), _D.action_id.is_(None))
    .values(action_id=bindparam("action"))
)


def record(tx: Tx, row: Mapping[str, Any]) -> str:
    """Insert a decision and count it; `row` has a value for every column. Returns its `row_digest`."""
    stored = _stored(row)
    tx.execute(_INSERT, **stored)
    org_id, decision = row["org_id"], row["decision"]
    tx.execute(_COUNT_AGENT[tx.dialect], org_id=org_id, agent_id=row["agent_id"] or "", decision=decision)
    tx.execute(_COUNT_HOUR[tx.dialect], org_id=org_id, hour=row["created_at"][:_HOUR], decision=decision)
    return row_digest(stored)


# Policies say the same again and again, and risks have few parts. Measured: 6 µs less per decision than `encode`.
_lines = lru_cache(maxsize=512)(compact)


@lru_cache(maxsize=512)
def _parts(names: tuple[str, ...], values: tuple[int | None, ...]) -> str:
    return compact(dict(zip(names, values, strict=True)))


def _stored(row: Mapping[str, Any]) -> dict[str, Any]:
    """A decision as the table stores it, as `encode` writes it too."""
    parts, facts = row["risk_breakdown"], row["facts"]
    return {
        **row,
        "risk_breakdown": _parts(tuple(parts), tuple(parts.values())),
        "reasons": _lines(row["reasons"]),
        "warnings": _lines(row["warnings"]),
        "matched_policies": _lines(row["matched_policies"]),
        "context": compact(row["context"]),
        "degraded": int(row["degraded"]),
        "facts": None if facts is None else compact(facts),
    }


def row_digest(stored: Mapping[str, Any]) -> str:
    """SHA-256 in hex over a decision as it is stored, the action that is linked later left out.

    The values of `FIXED_COLUMNS` stand one after the other, NUL between them, numbers in decimal, U+0001 for NULL.
    Stored text holds no NUL, so that no other row has the same bytes.
    """
    values = _FIXED(stored)
    texts = [value if type(value) is str else NOTHING if value is None else str(value) for value in values]
    return sha256("\0".join(texts).encode()).hexdigest()


def walk(tx: Tx, org_id: str, size: int) -> Iterator[list[tuple[str, str, str, str]]]:
    """Every decision of the organisation in the order of time, by pages: id, created_at, policy_set, digest.

    A decision without a policy set has `NOTHING` in its place.
    """
    for page in tx.pages(_IN_ORDER, size, org=org_id):
        try:
            yield _with_digests(page)
        except TypeError:
            # SQLite keeps a value of any type in any column; with a NUL it has the digest of no row that was recorded.
            yield _with_digests([tuple(value if type(value) is str else f"{value}\0" for value in row) for row in page])


def _with_digests(page: Iterable[tuple[str, ...]]) -> list[tuple[str, str, str, str]]:
    together = "\0".join
    return [(row[0], row[_AT], row[_SET], sha256(together(row).encode()).hexdigest()) for row in page]


def forget(tx: Tx, org_id: str, after: tuple[str, str], before: str, most: int) -> tuple[int, tuple[str, str] | None]:
    """Look at the next decisions made before a moment; delete, with their counts, those that no action rests on.

    `after` and what is returned with the number of deleted ones are places in the order of time; None at the end.
    """
    rows = tx.all(
        select(_D.id, _D.agent_id, _D.decision, _D.action_id, _D.created_at)
        .where(_D.org_id == org_id, _D.created_at >= after[0], _D.created_at < before)
        .where(or_(_D.created_at > after[0], _D.id > after[1]))
        .order_by(_D.created_at, _D.id)
        .limit(most)
    )
    old = [row for row in rows if row["action_id"] is None]
    for row in old:
        _uncount(tx, decision_counts, org_id=org_id, agent_id=row["agent_id"] or "", decision=row["decision"])
        _uncount(tx, decision_hours, org_id=org_id, hour=row["created_at"][:_HOUR], decision=row["decision"])
    if old:
        tx.execute(delete(guard_decisions).where(_D.id.in_([row["id"] for row in old])))
        for table in (decision_counts, decision_hours):
            tx.execute(delete(table).where(table.c.n <= 0))
    return len(old), (rows[-1]["created_at"], rows[-1]["id"]) if len(rows) == most else None


def _uncount(tx: Tx, table: Table, **key: str) -> None:
    where = (table.c[name] == value for name, value in key.items())
    tx.execute(update(table).where(*where).values(n=table.c.n - 1))


def erase(tx: Tx, org_id: str, decision_id: str, values: Mapping[str, Any]) -> str:
    """Take text out of a decision; returns its `row_digest` as it is now."""
    where = (_D.org_id == org_id, _D.id == decision_id)
    tx.execute(update(guard_decisions).where(*where).values(**encode(guard_decisions, values)))
    return row_digest(tx.all(_FIND, org=org_id, decision_id=decision_id)[0])


def count_in_window(tx: Tx, org_id: str, agent_id: str, minutes: int, most: int, but: str) -> int:
    """How many decisions the agent has in the last `minutes`, counting to `most` at the most and leaving out `but`.

    The cost grows with `most`, not with the history.
    """
    since = ago(tx.now, minutes=minutes)
    return int(tx.scalar(_IN_WINDOW, org=org_id, agent=agent_id, since=since, most=most, but=but))


def find(tx: Tx, org_id: str, decision_id: str) -> dict[str, Any] | None:
    """One decision of the organisation."""
    row = tx.one(_FIND, org=org_id, decision_id=decision_id)
    return None if row is None else decode(guard_decisions, row)


def link(tx: Tx, org_id: str, decision_id: str, action_id: str) -> bool:
    """Bind a decision to the action it was made for; false when it is bound already."""
    return tx.execute(_LINK, org=org_id, decision_id_=decision_id, action=action_id) == 1


def page(
    tx: Tx, org_id: str, *, agent_id: str | None, decision: str | None, size: int, offset: int
) -> list[dict[str, Any]]:
    """Decisions, newest first."""
    where = [_D.org_id == org_id]
    if agent_id is not None:
        where.append(_D.agent_id == agent_id)
    if decision is not None:
        where.append(_D.decision == decision)
    if agent_id is None or decision is None:
        more, offset = nearer(tx, _D.created_at, where, offset)
        where += more
    query = (
        select(guard_decisions).where(*where).order_by(_D.created_at.desc(), _D.id.desc()).limit(size).offset(offset)
    )
    return [decode(guard_decisions, row) for row in tx.all(query)]


def total(tx: Tx, org_id: str, *, agent_id: str | None, decision: str | None) -> int:
    """How many decisions a filter matches, from the counters."""
    query = select(func.sum(_C.n)).where(_C.org_id == org_id)
    if agent_id is not None:
        query = query.where(_C.agent_id == agent_id)
    if decision is not None:
        query = query.where(_C.decision == decision)
    return int(tx.scalar(query) or 0)


def last_day(tx: Tx, org_id: str) -> dict[str, int]:
    """How many of each decision the organisation has in the last 24 hours.

    Whole hours come from the counters, the first and partial one from the rows.
    """
    since = ago(tx.now, hours=24)
    hour = since[:_HOUR]
    whole = select(_H.decision, func.sum(_H.n).label("n")).where(_H.org_id == org_id, _H.hour > hour)
    found = {row["decision"]: int(row["n"]) for row in tx.all(whole.group_by(_H.decision))}
    # One count per decision, so that each is a range of an index.
    part = select(*(_between(org_id, name, since, hour + "~").label(name) for name in DECISIONS))
    for name, count in (tx.one(part) or {}).items():
        found[name] = found.get(name, 0) + count
    return found


def _between(org_id: str, decision: str, since: str, until: str) -> ScalarSelect[int]:
    query = select(func.count()).select_from(guard_decisions)
    query = query.where(_D.org_id == org_id, _D.decision == decision, _D.created_at >= since, _D.created_at < until)
    return query.scalar_subquery()
