"""The pool, its tasks and what is known of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, exists, func, or_, select, tuple_, update

from .engine import decode, encode
from .records import Records
from .tables import (
    agent_schedules,
    organizations,
    routing_agents,
    routing_decisions,
    routing_messages,
    routing_metrics,
    routing_tasks,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .engine import Tx

AGENTS = Records(routing_agents)
TASKS = Records(routing_tasks)
DECISIONS = Records(routing_decisions)
MESSAGES = Records(routing_messages)

_A = routing_agents.c
_T = routing_tasks.c
_M = routing_metrics.c
_Q = routing_messages.c
_BATCH = 2000


def pool(tx: Tx, org_id: str) -> list[dict[str, Any]]:
    """Every agent of the organisation."""
    rows = tx.all(select(routing_agents).where(_A.org_id == org_id))
    return [decode(routing_agents, row) for row in rows]


def take_place(tx: Tx, org_id: str, agent_id: str) -> bool:
    """Count one more task of an agent; false when it may not get another."""
    where = (_A.org_id == org_id, _A.id == agent_id, _A.status == "available", _A.current_load < _A.max_concurrent)
    return tx.execute(update(routing_agents).where(*where).values(current_load=_A.current_load + 1)) == 1


def leave_place(tx: Tx, org_id: str, agent_id: str) -> None:
    """Count one task of an agent less."""
    where = (_A.org_id == org_id, _A.id == agent_id, _A.current_load > 0)
    tx.execute(update(routing_agents).where(*where).values(current_load=_A.current_load - 1))


def queue(tx: Tx, org_id: str) -> Iterator[dict[str, Any]]:
    """What decides who may get the tasks that wait: the most urgent first, then the oldest.

    The skills are JSON text, so that a long queue costs little.
    """
    place = (_T.urgency_rank, _T.created_at, _T.id)
    query = select(*place, _T.required_skills, _T.wanted_agent).where(_T.org_id == org_id, _T.status == "pending")
    query = query.order_by(*place).limit(_BATCH)
    rows = tx.all(query)
    while rows:
        yield from rows
        last = rows[-1]
        after = tuple_(*place) > tuple_(last["urgency_rank"], last["created_at"], last["id"])
        rows = tx.all(query.where(after)) if len(rows) == _BATCH else []


def held_by(tx: Tx, org_id: str, agent_id: str) -> list[dict[str, Any]]:
    """The tasks that an agent has."""
    where = (_T.org_id == org_id, _T.assigned_to == agent_id, _T.status == "assigned")
    return [decode(routing_tasks, row) for row in tx.all(select(routing_tasks).where(*where).order_by(_T.created_at))]


def late(tx: Tx, org_id: str) -> list[dict[str, Any]]:
    """The tasks whose time ran out, the longest overdue first."""
    query = select(routing_tasks).where(_T.due_at <= tx.stamp, _T.org_id == org_id).order_by(_T.due_at, _T.id)
    return [decode(routing_tasks, row) for row in tx.all(query)]


def orgs_with_work(tx: Tx) -> list[str]:
    """The organisations where something is due: a task that took too long, a schedule, a message."""
    moments = (_T.due_at, agent_schedules.c.next_run, _Q.next_at)
    due = [exists().where(moment.table.c.org_id == organizations.c.id, moment <= tx.stamp) for moment in moments]
    query = select(organizations.c.id).where(or_(*due)).order_by(organizations.c.id)
    return [row["id"] for row in tx.all(query)]


def history(tx: Tx, org_id: str) -> dict[str, dict[str, tuple[int, int]]]:
    """How many tasks each agent completed and failed, by skill."""
    found: dict[str, dict[str, tuple[int, int]]] = {}
    for row in tx.all(select(routing_metrics).where(_M.org_id == org_id)):
        found.setdefault(row["agent_id"], {})[row["skill"]] = (row["completed"], row["failed"])
    return found


def metrics(tx: Tx, org_id: str, agent_id: str) -> list[dict[str, Any]]:
    """What is counted of one agent, by skill; the row without a skill counts all its tasks."""
    query = select(routing_metrics).where(_M.org_id == org_id, _M.agent_id == agent_id)
    return tx.all(query.order_by(_M.skill))


def count_outcome(tx: Tx, org_id: str, agent_id: str, skill: str, *, completed: bool, seconds: float) -> None:
    """Count the end of a task for one skill of an agent."""
    good, bad = int(completed), int(not completed)
    where = (_M.org_id == org_id, _M.agent_id == agent_id, _M.skill == skill)
    more = {"completed": _M.completed + good, "failed": _M.failed + bad, "seconds": _M.seconds + seconds}
    if not tx.execute(update(routing_metrics).where(*where).values(**more)):
        row = {"org_id": org_id, "agent_id": agent_id, "skill": skill}
        tx.insert(routing_metrics, {**row, "completed": good, "failed": bad, "seconds": seconds})


def forget_metrics(tx: Tx, org_id: str, agent_id: str) -> None:
    """Forget what was counted of an agent."""
    tx.execute(delete(routing_metrics).where(_M.org_id == org_id, _M.agent_id == agent_id))


def agent_counts(tx: Tx, org_id: str) -> dict[str, dict[str, int]]:
    """By status: how many agents there are, their places and what is taken of them."""
    query = select(
        _A.status,
        func.count().label("agents"),
        func.sum(_A.max_concurrent).label("places"),
        func.sum(_A.current_load).label("taken"),
    )
    rows = tx.all(query.where(_A.org_id == org_id).group_by(_A.status))
    return {row["status"]: {name: int(row[name]) for name in ("agents", "places", "taken")} for row in rows}


def task_counts(tx: Tx, org_id: str) -> dict[str, int]:
    """How many tasks there are by status."""
    query = select(_T.status, func.count().label("n")).where(_T.org_id == org_id).group_by(_T.status)
    return {row["status"]: int(row["n"]) for row in tx.all(query)}


def decision_count(tx: Tx, org_id: str) -> int:
    """How many times a task was routed."""
    return int(tx.scalar(select(func.count()).where(routing_decisions.c.org_id == org_id)))


def oldest_waiting(tx: Tx, org_id: str) -> str | None:
    """When the oldest task came that waits."""
    found: str | None = tx.scalar(select(func.min(_T.created_at)).where(_T.org_id == org_id, _T.status == "pending"))
    return found


def overdue(tx: Tx, org_id: str) -> int:
    """How many tasks have run out of time and are not taken away yet."""
    return int(tx.scalar(select(func.count()).where(_T.due_at <= tx.stamp, _T.org_id == org_id)))


def due_messages(tx: Tx, org_id: str, limit: int) -> list[str]:
    """The ids of the messages to deliver now, the longest due first."""
    query = select(_Q.id).where(_Q.next_at <= tx.stamp, _Q.org_id == org_id)
    return [row["id"] for row in tx.all(query.order_by(_Q.next_at).limit(limit))]


def claim_message(tx: Tx, org_id: str, key: str, until: str) -> dict[str, Any] | None:
    """Take a due message until a moment, so that nobody else delivers it meanwhile; None when it is not due."""
    where = (_Q.org_id == org_id, _Q.id == key, _Q.next_at <= tx.stamp)
    values = {"next_at": until, "attempts": _Q.attempts + 1}
    if not tx.execute(update(routing_messages).where(*where).values(**values)):
        return None
    return MESSAGES.find(tx, org_id, key)


def settle_message(tx: Tx, row: Mapping[str, Any], values: Mapping[str, Any], *, late: bool = False) -> bool:
    """Record what came of sending a message; only `late` counts for one that somebody else took since."""
    where = [_Q.org_id == row["org_id"], _Q.id == row["id"], _Q.status != "delivered"]
    if not late:
        where.append(_Q.attempts == row["attempts"])
    return tx.execute(update(routing_messages).where(*where).values(**values)) == 1


def forget_messages(tx: Tx, org_id: str, before: str, most: int) -> int:
    """Delete settled messages of before a moment, `most` at a time; returns how many went."""
    old = (_Q.org_id == org_id, _Q.next_at.is_(None), _Q.created_at < before)
    ids = select(_Q.id).where(*old).limit(most)
    return tx.execute(delete(routing_messages).where(*old, _Q.id.in_(ids)))


def change_task(tx: Tx, row: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Change a task and return it as it is then."""
    changes = {**values, "updated_at": tx.stamp}
    where = (_T.org_id == row["org_id"], _T.id == row["id"])
    tx.execute(update(routing_tasks).where(*where).values(**encode(routing_tasks, changes)))
    return {**row, **changes}
