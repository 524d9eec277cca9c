"""The actions that wait for a person, those that were decided, and what became of their like."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, Integer, bindparam, cast, func, or_, select

from dashclaw._json import compact

from .engine import Hot, decode
from .tables import actions

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .engine import Tx

_A = actions.c
DECIDED = ("approved", "denied", "expired")
_ORDERS = {
    "risk": (_A.risk_score.desc(), _A.approval_expires_at, _A.action_id),
    "oldest": (_A.created_at, _A.action_id),
    "expiring": (_A.approval_expires_at, _A.action_id),
}
_SIMILAR = Hot(
    select(
        _A.action_id,
        _A.declared_goal,
        _A.risk_score,
        _A.status,
        _A.resolution,
        _A.approval_status,
        _A.decided_by,
        _A.approval_at,
        _A.approval_reason,
        _A.approval_expires_at,
    )
    .where(_A.org_id == bindparam("org"), _A.agent_id == bindparam("agent"), _A.action_type == bindparam("type_"))
    .where(_A.approval_status.is_not(None), _A.approval_status != "pending")
    .order_by(_A.timestamp_start.desc())
    .limit(bindparam("most"))
)


def waiting(
    tx: Tx, org_id: str, filters: Mapping[str, str], order: str, size: int, offset: int
) -> tuple[list[str], dict[str, int]]:
    """The ids of those that wait, the most urgent first, with the number of all and the highest risk of any."""
    where = _waits(org_id, filters)
    query = select(_A.action_id).where(*where).order_by(*_ORDERS[order]).limit(size).offset(offset)
    totals = select(func.count().label("total"), func.max(_A.risk_score).label("highest_risk")).where(*where)
    found = tx.one(totals) or {}
    return [row["action_id"] for row in tx.all(query)], {name: int(n or 0) for name, n in found.items()}


def asked_by(tx: Tx, org_id: str, most: int) -> list[dict[str, Any]]:
    """Agent and needs of those that wait, for counting who asks and what asked for it; the oldest ones."""
    query = select(_A.agent_id, _A.agent_name, _A.approval_needs).where(*_waits(org_id, {}))
    return [decode(actions, row) for row in tx.all(query.order_by(_A.timestamp_start).limit(most))]


def _waits(org_id: str, filters: Mapping[str, str]) -> list[ColumnElement[bool]]:
    where = [_A.org_id == org_id, _A.status == "pending_approval"]
    if "agent_id" in filters:
        where.append(_A.agent_id == filters["agent_id"])
    if "action_type" in filters:
        where.append(_A.action_type == filters["action_type"])
    if "policy_id" in filters:
        # Needs are stored as compact JSON, in which a quote inside of a value is escaped.
        mark = '"policy_id":' + compact(filters["policy_id"])
        where.append(_A.approval_needs.contains(mark, autoescape=True))
    return where


def decided(
    tx: Tx, org_id: str, status: str | None, agent_id: str | None, size: int, offset: int
) -> tuple[list[str], int]:
    """The ids of those that do not wait any more, the last decided first, and how many there are.

    What nobody decided is in its place by the moment at which it expired.
    """
    wanted = DECIDED if status is None else (status,)
    most = size + offset
    found = [row for name in wanted for row in tx.all(_ended(org_id, name, agent_id).limit(most))]
    found.sort(key=lambda row: (row["at"], row["action_id"]), reverse=True)
    where = (_A.org_id == org_id, or_(*(_A.approval_status == name for name in wanted)))
    total = tx.scalar(select(cast(func.count(), Integer)).where(*where, *_of(agent_id)))
    return [row["action_id"] for row in found[offset:most]], int(total)


def _ended(org_id: str, status: str, agent_id: str | None) -> Any:
    at = _A.approval_expires_at if status == "expired" else _A.approval_at
    query = select(_A.action_id, at.label("at")).where(
        _A.org_id == org_id, _A.approval_status == status, at.is_not(None)
    )
    return query.where(*_of(agent_id)).order_by(at.desc())


def _of(agent_id: str | None) -> list[ColumnElement[bool]]:
    return [] if agent_id is None else [_A.agent_id == agent_id]


def similar(tx: Tx, action: Mapping[str, Any], most: int) -> list[dict[str, Any]]:
    """Decided actions of the same agent and type, the newest start first."""
    asked = {"org": action["org_id"], "agent": action["agent_id"], "type_": action["action_type"]}
    return tx.all(_SIMILAR, **asked, most=most)
