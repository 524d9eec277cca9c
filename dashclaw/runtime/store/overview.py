"""What the first page of an operator adds up: from counters where there are any, else from a range of an index."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import Integer, case, cast, func, select

from .tables import action_counts, actions, agents, decision_hours, guard_decisions, loops

if TYPE_CHECKING:
    from .engine import Tx

_A = actions.c
_D = guard_decisions.c
_G = agents.c
_H = decision_hours.c
_N = action_counts.c
_DAY, _HOUR, _MINUTE = 10, 13, 16  # how much of "YYYY-MM-DDTHH:MM" tells one


def decisions_by_minute(tx: Tx, org_id: str, since: str) -> list[dict[str, Any]]:
    """Decisions after a moment: `at` is the minute, `decision` and `n`; reads every decision since then."""
    minute = func.substr(_D.created_at, 1, _MINUTE).label("at")
    query = select(minute, _D.decision, func.count().label("n")).where(_D.org_id == org_id, _D.created_at > since)
    return tx.all(query.group_by(minute, _D.decision))


def decisions_by_hour(tx: Tx, org_id: str, since: str, until: str = "~") -> list[dict[str, Any]]:
    """Decisions by hour, from the hour of a moment up to before that of another one."""
    where = (_H.org_id == org_id, _H.hour >= since[:_HOUR], _H.hour < until[:_HOUR])
    return tx.all(select(_H.hour.label("at"), _H.decision, _H.n).where(*where))


def decisions_by_day(tx: Tx, org_id: str, since: str) -> list[dict[str, Any]]:
    """Decisions by day, from the day of a moment."""
    day = func.substr(_H.hour, 1, _DAY).label("at")
    query = select(day, _H.decision, func.sum(_H.n).label("n")).where(_H.org_id == org_id, _H.hour >= since[:_DAY])
    return tx.all(query.group_by(day, _H.decision))


def presences(tx: Tx, org_id: str, silent: str) -> dict[str, int]:
    """How many agents there are by presence; those last heard before the moment `silent` are silent."""
    presence = case(((_G.status != "offline") & (_G.last_heartbeat_at < silent), "silent"), else_=_G.status)
    query = select(presence.label("presence"), func.count().label("n")).where(_G.org_id == org_id)
    return {row["presence"]: row["n"] for row in tx.all(query.group_by(presence))}


def action_states(tx: Tx, org_id: str) -> dict[str, int]:
    """How many actions there are by status."""
    query = select(_N.status, cast(func.sum(_N.n), Integer).label("n")).where(_N.org_id == org_id)
    return {row["status"]: row["n"] for row in tx.all(query.group_by(_N.status)) if row["n"]}


def open_loops(tx: Tx, org_id: str) -> int:
    """How many loops are open."""
    return int(
        tx.scalar(select(func.count()).select_from(loops).where(loops.c.org_id == org_id, loops.c.status == "open"))
    )


def waiting_longest(tx: Tx, org_id: str, most: int) -> list[str]:
    """The ids of the actions that wait for a person, the oldest first."""
    where = (_A.org_id == org_id, _A.status == "pending_approval")
    query = select(_A.action_id).where(*where).order_by(_A.timestamp_start, _A.action_id).limit(most)
    return [row["action_id"] for row in tx.all(query)]


def newest_stopped(tx: Tx, org_id: str, decision: str, since: str, most: int) -> list[dict[str, Any]]:
    """The newest decisions of one kind after a moment, with what is told of them."""
    columns = (_D.id, _D.agent_id, _D.action_type, _D.decision, _D.risk_score, _D.matched_policies, _D.reasons)
    where = (_D.org_id == org_id, _D.decision == decision, _D.created_at > since)
    query = select(*columns, _D.action_id, _D.created_at).where(*where).order_by(_D.created_at.desc())
    return tx.all(query.limit(most))
