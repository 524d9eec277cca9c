"""Schedules of agents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from .engine import decode
from .records import Records
from .tables import agent_schedules

if TYPE_CHECKING:
    from .engine import Tx

SCHEDULES = Records(agent_schedules)

_S = agent_schedules.c


def due(tx: Tx, org_id: str) -> list[dict[str, Any]]:
    """The schedules whose time has come, the longest due first."""
    query = select(agent_schedules).where(_S.next_run <= tx.stamp, _S.org_id == org_id).order_by(_S.next_run, _S.id)
    return [decode(agent_schedules, row) for row in tx.all(query)]
