"""Presence of agents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, func, select, update

from .engine import Hot, decode, encode
from .tables import agents

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .engine import Tx

_P = agents.c
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


def page(tx: Tx, org_id: str, size: int, offset: int) -> tuple[list[dict[str, Any]], int]:
    """Agents, the last heard first, and how many there are."""
    query = select(agents).where(_P.org_id == org_id).order_by(_P.last_heartbeat_at.desc(), _P.agent_id)
    total = tx.scalar(select(func.count()).select_from(agents).where(_P.org_id == org_id))
    return [decode(agents, row) for row in tx.all(query.limit(size).offset(offset))], int(total)
