"""The votes of people about actions: added and read, never changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from dashclaw._json import compact

from .engine import decode
from .tables import approval_votes

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from .engine import Tx

_V = approval_votes.c
# The order is part of the digests of actions.
_STORED = (
    "number",
    "person",
    "actor_type",
    "actor_id",
    "name",
    "role",
    "approver_roles",
    "own",
    "decision",
    "reason",
    "origin",
    "digest",
    "created_at",
)


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


def stored_votes(tx: Tx, org_id: str, action_ids: Collection[str]) -> dict[str, str]:
    """The votes about each action that has any, as they are stored: a line of compact JSON for each."""
    query = select(_V.action_id, *(_V[name] for name in _STORED)).where(_V.org_id == org_id)
    found: dict[str, str] = {}
    for row in tx.all(query.where(_V.action_id.in_(action_ids)).order_by(_V.action_id, _V.number)):
        line = compact([_spelt(row[name]) for name in _STORED])
        found[row["action_id"]] = f"{found.get(row['action_id'], '')}\n{line}"
    return found


def _spelt(value: Any) -> Any:
    # SQLite keeps a value of any type in any column; stored text holds no NUL.
    return value if value is None or type(value) in (str, int) else f"{value}\0"
