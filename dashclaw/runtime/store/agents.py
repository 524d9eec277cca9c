"""Presence of agents, and what they have done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import Executable, bindparam, func, or_, select, update

from .decisions import DECISIONS
from .engine import Hot, decode, encode
from .tables import action_counts, agents, decision_counts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .engine import Tx

STATUSES = ("running", "completed", "failed", "cancelled", "pending_approval", "blocked")
_P = agents.c
_N = action_counts.c
_D = decision_counts.c
_FIND = Hot(select(agents).where(_P.org_id == bindparam("org"), _P.agent_id == bindparam("agent")))
_SEEN = Hot(
    update(agents)
    .where(_P.org_id == bindparam("org"), _P.agent_id == bindparam("agent"))
    .values(last_heartbeat_at=bindparam("now"))
)


def find(tx: Tx, org_id: str, agent_id: str) -> dict[str, Any] | None:
    """One agent."""
    row = tx.one(_FIND, org=org_id, agent=agent_id)
    return None if row is None else decode(agents, row)


def insert(tx: Tx, row: Mapping[str, Any]) -> None:
    """Add an agent."""
    tx.insert(agents, row)


def seen(tx: Tx, org_id: str, agent_id: str) -> bool:
    """Move an agent's last sign of life to now; false when it is unknown."""
    return tx.execute(_SEEN, org=org_id, agent=agent_id, now=tx.stamp) == 1


def change(tx: Tx, org_id: str, agent_id: str, values: Mapping[str, Any]) -> None:
    """Change columns of an agent."""
    tx.execute(update(agents).where(_P.org_id == org_id, _P.agent_id == agent_id).values(**encode(agents, values)))


def page(
    tx: Tx, org_id: str, agent_id: str | None, search: str | None, size: int, offset: int
) -> tuple[list[dict[str, Any]], int]:
    """Agents, the last heard first, and how many there are; `search` is looked for in ids and names."""
    where = [_P.org_id == org_id]
    if agent_id is not None:
        where.append(_P.agent_id == agent_id)
    if search:
        where.append(
            or_(_P.agent_id.icontains(search, autoescape=True), _P.agent_name.icontains(search, autoescape=True))
        )
    query = select(agents).where(*where).order_by(_P.last_heartbeat_at.desc(), _P.agent_id)
    total = tx.scalar(select(func.count()).select_from(agents).where(*where))
    return [decode(agents, row) for row in tx.all(query.limit(size).offset(offset))], int(total)


def counts(tx: Tx, org_id: str, agent_ids: Sequence[str]) -> dict[str, dict[str, Any]]:
    """What agents have done, from the counters: `actions` by status, `decisions` by kind, `cost`, `avg_risk`."""
    found: dict[str, dict[str, Any]] = {
        agent_id: {
            "actions": dict.fromkeys(("total", *STATUSES), 0),
            "decisions": dict.fromkeys(("total", *DECISIONS), 0),
            "cost": 0.0,
            "avg_risk": 0.0,
        }
        for agent_id in agent_ids
    }
    for row in tx.all(_actions(org_id, agent_ids)):
        agent, n = found[row["agent_id"]], int(row["n"])
        agent["actions"][row["status"]] = n
        agent["actions"]["total"] += n
        agent["cost"] = round(agent["cost"] + float(row["cost"]), 6)
        agent["avg_risk"] += float(row["risk"])
    for row in tx.all(_decisions(org_id, agent_ids)):
        agent = found[row["agent_id"]]["decisions"]
        agent[row["decision"]] = int(row["n"])
        agent["total"] += int(row["n"])
    for agent in found.values():
        agent["avg_risk"] = round(agent["avg_risk"] / (agent["actions"]["total"] or 1), 2)
    return found


def _actions(org_id: str, agent_ids: Sequence[str]) -> Executable:
    sums = (func.sum(_N.n).label("n"), func.sum(_N.n * _N.risk_score).label("risk"), func.sum(_N.cost).label("cost"))
    query = select(_N.agent_id, _N.status, *sums).where(_N.org_id == org_id, _N.agent_id.in_(agent_ids), _N.n > 0)
    return query.group_by(_N.agent_id, _N.status)


def _decisions(org_id: str, agent_ids: Sequence[str]) -> Executable:
    return select(_D.agent_id, _D.decision, _D.n).where(_D.org_id == org_id, _D.agent_id.in_(agent_ids), _D.n > 0)
