"""Links with which one person decides about one action, once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, select, update

from .records import Records
from .tables import decision_links

if TYPE_CHECKING:
    from .engine import Tx

LINKS = Records(decision_links)
_L = decision_links.c


def by_id(tx: Tx, link_id: str) -> dict[str, Any] | None:
    """One link of the installation."""
    return tx.one(select(decision_links).where(_L.id == link_id))


def use(tx: Tx, link_id: str) -> bool:
    """Use a link up; false when it was used before."""
    unused = update(decision_links).where(_L.id == link_id, _L.used_at.is_(None))
    return tx.execute(unused.values(used_at=tx.stamp)) == 1


def forget(tx: Tx, before: str, most: int) -> int:
    """Delete links that were made before a moment, `most` at a time; returns how many went."""
    ids = select(_L.id).where(_L.created_at < before).order_by(_L.created_at).limit(most)
    return tx.execute(delete(decision_links).where(_L.id.in_(ids)))
