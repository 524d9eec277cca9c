"""The rows behind signals; every query is bounded by an index range."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, func, or_, select

from .tables import actions, agents, assumptions, loops

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Select

    from .engine import Tx

_A = actions.c


def _own(query: Select[Any], column: ColumnElement[Any], agent_id: str | None) -> Select[Any]:
    return query if agent_id is None else query.where(column == agent_id)


def silent_agents(tx: Tx, org_id: str, agent_id: str | None, since: str, most: int) -> list[dict[str, Any]]:
    """Agents last heard before `since` that are not offline or have a task, longest silent first."""
    c = agents.c
    query = select(c.agent_id, c.agent_name, c.current_task_id, c.last_heartbeat_at).where(
        c.org_id == org_id, c.last_heartbeat_at < since, or_(c.status != "offline", c.current_task_id.is_not(None))
    )
    return tx.all(_own(query, c.agent_id, agent_id).order_by(c.last_heartbeat_at).limit(most))


def busy_agents(
    tx: Tx, org_id: str, agent_id: str | None, since: str, more_than: int, status: str | None = None
) -> list[dict[str, Any]]:
    """Agents with more than `more_than` actions (of a status) started after `since`."""
    query = select(_A.agent_id, func.max(_A.agent_name).label("agent_name"), func.count().label("n")).where(
        _A.org_id == org_id, _A.timestamp_start > since
    )
    if status is not None:
        query = query.where(_A.status == status)
    query = _own(query, _A.agent_id, agent_id).group_by(_A.agent_id).having(func.count() > more_than)
    return tx.all(query.order_by(func.count().desc(), _A.agent_id))


def unsupervised(tx: Tx, org_id: str, agent_id: str | None, risk: int, most: int) -> list[dict[str, Any]]:
    """Running irreversible actions of at least this risk without an authorization scope, riskiest first."""
    scope = or_(_A.authorization_scope.is_(None), func.trim(_A.authorization_scope) == "")
    query = select(_A.action_id, _A.agent_id, _A.declared_goal, _A.risk_score).where(
        _A.org_id == org_id, _A.status == "running", _A.reversible == 0, _A.risk_score >= risk, scope
    )
    return tx.all(_own(query, _A.agent_id, agent_id).order_by(_A.risk_score.desc(), _A.timestamp_start).limit(most))


def long_running(tx: Tx, org_id: str, agent_id: str | None, before: str, most: int) -> list[dict[str, Any]]:
    """Actions that run since before a moment, oldest first."""
    query = select(_A.action_id, _A.agent_id, _A.declared_goal, _A.timestamp_start).where(
        _A.org_id == org_id, _A.status == "running", _A.timestamp_start < before
    )
    return tx.all(_own(query, _A.agent_id, agent_id).order_by(_A.timestamp_start).limit(most))


def stale_loops(tx: Tx, org_id: str, agent_id: str | None, before: str, most: int) -> list[dict[str, Any]]:
    """Loops open since before a moment, oldest first."""
    c = loops.c
    query = (
        select(c.loop_id, c.action_id, c.description, c.created_at, _A.agent_id)
        .select_from(loops.join(actions, and_(_A.org_id == c.org_id, _A.action_id == c.action_id)))
        .where(c.org_id == org_id, c.status == "open", c.created_at < before)
    )
    return tx.all(_own(query, _A.agent_id, agent_id).order_by(c.created_at).limit(most))


def drifting_agents(tx: Tx, org_id: str, agent_id: str | None, since: str, at_least: int) -> list[dict[str, Any]]:
    """Agents with at least `at_least` assumptions invalidated after a moment."""
    c = assumptions.c
    query = (
        select(_A.agent_id, func.count().label("n"))
        .select_from(assumptions.join(actions, and_(_A.org_id == c.org_id, _A.action_id == c.action_id)))
        .where(c.org_id == org_id, c.invalidated == 1, c.invalidated_at > since)
    )
    query = _own(query, _A.agent_id, agent_id).group_by(_A.agent_id).having(func.count() >= at_least)
    return tx.all(query.order_by(func.count().desc(), _A.agent_id))


def stale_assumptions(tx: Tx, org_id: str, agent_id: str | None, before: str, most: int) -> list[dict[str, Any]]:
    """Assumptions that nobody settled since before a moment, oldest first."""
    c = assumptions.c
    query = (
        select(c.assumption_id, c.action_id, c.assumption, c.created_at, _A.agent_id)
        .select_from(assumptions.join(actions, and_(_A.org_id == c.org_id, _A.action_id == c.action_id)))
        .where(c.org_id == org_id, c.validated == 0, c.invalidated == 0, c.created_at < before)
    )
    return tx.all(_own(query, _A.agent_id, agent_id).order_by(c.created_at).limit(most))
