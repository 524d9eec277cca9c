"""The votes of people about actions: added and read, never changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from .engine import decode
from .tables import approval_votes

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from .engine import Tx

_V = approval_votes.c


def add(tx: Tx, vote: Mapping[str, Any]) -> None:
    """Add a vote; raises `DuplicateError` when the person has voted about the action."""
    tx.insert(approval_votes, vote)


def votes_of(tx: Tx, org_id: str, action_ids: Collection[str]) -> dict[str, list[dict[str, Any]]]:
    """The votes about each action that has any, in the order in which they were given."""
    query = select(approval_votes).where(_V.org_id == org_id, _V.action_id.in_(action_ids))
    found: dict[str, list[dict[str, Any]]] = {}
    for row in tx.all(query.order_by(_V.action_id, _V.number)):
        found.setdefault(row["action_id"], []).append(decode(approval_votes, row))
    return found
