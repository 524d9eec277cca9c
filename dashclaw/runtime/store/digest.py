"""One day of an organisation: how many of everything there were, and the newest of each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import ColumnElement, ScalarSelect, Table, case, func, select

from . import tables
from .engine import decode
from .tables import actions, decision_hours, token_days

if TYPE_CHECKING:
    from .engine import Tx

_A = actions.c
_H = decision_hours.c
_T = token_days.c
# The average is that of the newest so many actions: unlike the counts it reads rows.
AVERAGED = 5_000


class Day(NamedTuple):
    """A day from its first moment to that of the next one, of an organisation or of one agent."""

    org_id: str
    since: str
    until: str
    agent_id: str | None


class Source(NamedTuple):
    """Where one part of a digest comes from: a table with an index on the organisation and `at`.

    `one` is what one of them is called, `shown` what an item shows, `agent` the column of the agent, None where the
    records are the organisation's. `only` narrows the records.
    """

    name: str
    one: str
    table: Table
    shown: tuple[str, ...]
    at: str = "created_at"
    agent: str | None = "agent_id"
    items: int = 10
    only: ColumnElement[bool] | None = None

    def where(self, day: Day) -> Iterator[ColumnElement[bool]]:
        """The conditions for the records of a day."""
        columns = self.table.c
        yield from (columns.org_id == day.org_id, columns[self.at] >= day.since, columns[self.at] < day.until)
        if self.agent is not None and day.agent_id is not None:
            yield columns[self.agent] == day.agent_id
        if self.only is not None:
            yield self.only


ACTIONS = Source(
    "actions",
    "action",
    actions,
    ("action_id", "agent_id", "action_type", "declared_goal", "status", "resolution", "risk_score", "timestamp_start"),
    at="timestamp_start",
    items=20,
)
_LEARNT = tables.learning_decisions
SOURCES = (
    ACTIONS,
    Source("decisions", "decision", _LEARNT, ("id", "agent_id", "decision", "outcome", "confidence", "created_at")),
    Source(
        "lessons",
        "lesson",
        _LEARNT,
        ("id", "agent_id", "decision", "outcome", "confidence", "created_at"),
        only=_LEARNT.c.outcome != "pending",
    ),
    Source("content", "content", tables.content, ("id", "agent_id", "title", "content_type", "status", "created_at")),
    Source("ideas", "idea", tables.ideas, ("id", "title", "category", "score", "status", "created_at"), agent=None),
    Source("interactions", "interaction", tables.interactions, ("id", "agent_id", "summary", "type", "created_at")),
    Source("goals", "goal", tables.goals, ("id", "agent_id", "title", "status", "progress", "created_at")),
    Source("handoffs", "handoff", tables.handoffs, ("id", "agent_id", "summary", "session_date", "created_at")),
    Source("snippets", "snippet", tables.snippets, ("id", "agent_id", "name", "language", "created_at")),
    Source("context_points", "context_point", tables.context_points, ("id", "agent_id", "content", "created_at")),
    Source("observations", "observation", tables.observations, ("id", "agent_id", "observation", "created_at")),
    Source("moods", "mood", tables.moods, ("id", "agent_id", "mood", "energy", "created_at")),
    Source(
        "messages",
        "message",
        tables.messages,
        ("id", "from_agent_id", "to_agent_id", "subject", "urgency", "created_at"),
        agent="from_agent_id",
    ),
    Source(
        "tasks",
        "task",
        tables.routing_tasks,
        ("id", "title", "status", "urgency", "assigned_to", "created_at"),
        agent="assigned_to",
    ),
    Source("calendar", "calendar_event", tables.calendar_events, ("id", "summary", "start_time"), agent=None),
    Source("findings", "finding", tables.security_findings, ("id", "agent_id", "findings_count", "created_at")),
)


def total(tx: Tx, source: Source, day: Day) -> int:
    """How many records of the day there are."""
    return int(tx.scalar(select(func.count()).select_from(source.table).where(*source.where(day))))


def newest(tx: Tx, source: Source, day: Day) -> list[dict[str, Any]]:
    """The newest records of the day, with what is shown of them."""
    columns = [source.table.c[name] for name in source.shown]
    query = select(*columns).where(*source.where(day)).order_by(source.table.c[source.at].desc()).limit(source.items)
    return [decode(source.table, row) for row in tx.all(query)]


def action_figures(tx: Tx, day: Day) -> dict[str, Any]:
    """How the day's actions ended, and the average risk of the newest of them."""
    where = tuple(ACTIONS.where(day))
    ended = ("completed", "failed")
    if day.agent_id is None:
        # One count per status, so that each is a range of an index.
        counts = [_count(*where, _A.status == status).label(status) for status in ended]
        found = tx.one(select(*counts)) or {}
    else:
        sums = [func.sum(case((_A.status == status, 1), else_=0)).label(status) for status in ended]
        found = {status: int(n or 0) for status, n in (tx.one(select(*sums).where(*where)) or {}).items()}
    risks = select(_A.risk_score).where(*where).order_by(_A.timestamp_start.desc()).limit(AVERAGED).subquery()
    average = tx.scalar(select(func.avg(risks.c.risk_score)))
    return {**found, "avg_risk": round(float(average or 0), 2)}


def _count(*where: ColumnElement[bool]) -> ScalarSelect[int]:
    return select(func.count()).select_from(actions).where(*where).scalar_subquery()


def guard_figures(tx: Tx, day: Day) -> dict[str, int]:
    """How many of each decision the organisation's guard made, from the counters."""
    query = select(_H.decision, func.sum(_H.n).label("n")).where(
        _H.org_id == day.org_id, _H.hour >= day.since[:13], _H.hour < day.until[:13]
    )
    found = dict.fromkeys(("allow", "warn", "require_approval", "block"), 0)
    return found | {row["decision"]: int(row["n"]) for row in tx.all(query.group_by(_H.decision))}


def token_figures(tx: Tx, day: Day) -> dict[str, int]:
    """What model calls used, and their cost in nano-dollars, from the totals."""
    sums = [func.sum(_T[name]).label(name) for name in ("n", "tokens_in", "tokens_out", "cost")]
    where = [_T.org_id == day.org_id, _T.day == day.since[:10]]
    if day.agent_id is not None:
        where.append(_T.agent_id == day.agent_id)
    return {name: int(value or 0) for name, value in (tx.one(select(*sums).where(*where)) or {}).items()}
