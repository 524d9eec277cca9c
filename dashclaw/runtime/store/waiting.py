"""How much waits for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import bindparam, func, select

from .engine import Hot
from .tables import actions

if TYPE_CHECKING:
    from .engine import Tx

_A = actions.c
_APPROVALS = Hot(
    select(func.count())
    .select_from(actions)
    .where(_A.org_id == bindparam("org"), _A.approval_status == bindparam("pending"))
    .where(_A.approval_expires_at > bindparam("now"))
)


def approvals(tx: Tx, org_id: str) -> int:
    """How many actions wait for approval; the cost grows with this number, not with the history."""
    return int(tx.scalar(_APPROVALS, org=org_id, pending="pending", now=tx.stamp))
