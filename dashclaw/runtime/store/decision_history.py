"""Guard decisions in the order of time, a window at a time: what a look back at history reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, func, or_, select

from .engine import Hot
from .tables import guard_decisions

if TYPE_CHECKING:
    from .engine import Tx

_D = guard_decisions.c
_TIMES_BEFORE = Hot(
    select(_D.created_at)
    .where(_D.org_id == bindparam("org"), _D.agent_id == bindparam("agent"), _D.created_at > bindparam("since"))
    .where(_D.created_at <= bindparam("at"), or_(_D.created_at < bindparam("at"), _D.id < bindparam("before")))
    .order_by(_D.created_at.desc(), _D.id.desc())
    .limit(bindparam("most"))
)
_WINDOW = (
    select(
        _D.id,
        _D.agent_id,
        _D.action_type,
        _D.decision,
        _D.reasons,
        _D.warnings,
        _D.context,
        _D.policy_set,
        _D.facts,
        _D.created_at,
    )
    .where(_D.org_id == bindparam("org"), _D.created_at >= bindparam("at"), _D.created_at <= bindparam("until"))
    .where(or_(_D.created_at > bindparam("at"), _D.id > bindparam("after")))
    .order_by(_D.created_at, _D.id)
    .limit(bindparam("most"))
)
_IN_ORDER = Hot(_WINDOW)
_IN_ORDER_OF_AGENT = Hot(_WINDOW.where(_D.agent_id == bindparam("agent")))


def times_before(tx: Tx, org_id: str, agent_id: str, since: str, place: tuple[str, str], most: int) -> list[str]:
    """When the agent's last decisions after `since` and before a place in the order of time were made, oldest first."""
    params = {"org": org_id, "agent": agent_id, "since": since, "at": place[0], "before": place[1], "most": most}
    return [row["created_at"] for row in reversed(tx.all(_TIMES_BEFORE, **params))]


def in_order(tx: Tx, org_id: str, after: tuple[str, str], until: str, agent_id: str | None, most: int) -> list[Any]:
    """The next decisions after a place in the order of time, as they are stored: those columns that decide again."""
    params = {"org": org_id, "at": after[0], "after": after[1], "until": until, "most": most}
    if agent_id is None:
        return tx.all(_IN_ORDER, **params)
    return tx.all(_IN_ORDER_OF_AGENT, **params, agent=agent_id)


def place_of_newest(tx: Tx, org_id: str, until: str, agent_id: str | None, number: int) -> tuple[str, str] | None:
    """The place of the decision before the `number` newest ones, None when there are no more than those."""
    query = select(_D.created_at, _D.id).where(_D.org_id == org_id, _D.created_at <= until)
    if agent_id is not None:
        query = query.where(_D.agent_id == agent_id)
    row = tx.one(query.order_by(_D.created_at.desc(), _D.id.desc()).offset(number).limit(1))
    return None if row is None else (row["created_at"], row["id"])


def count_between(tx: Tx, org_id: str, after: tuple[str, str], until: str, agent_id: str | None) -> int:
    """How many decisions there are after a place in the order of time."""
    query = select(func.count()).select_from(guard_decisions).where(_D.org_id == org_id, _D.created_at <= until)
    query = query.where(_D.created_at >= after[0], or_(_D.created_at > after[0], _D.id > after[1]))
    if agent_id is not None:
        query = query.where(_D.agent_id == agent_id)
    return int(tx.scalar(query))
