"""Policies as they are stored."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, func, select, update

from .engine import decode, encode
from .tables import policies

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .engine import Tx

_P = policies.c


def page(tx: Tx, org_id: str, filters: Mapping[str, Any], size: int, offset: int) -> tuple[list[dict[str, Any]], int]:
    """Policies by name, and how many the filters match."""
    where = [_P.org_id == org_id, *(_P[name] == value for name, value in filters.items())]
    query = select(policies).where(*where).order_by(_P.name, _P.id).limit(size).offset(offset)
    total = tx.scalar(select(func.count()).select_from(policies).where(*where))
    return [decode(policies, row) for row in tx.all(query)], int(total)


def active(tx: Tx, org_id: str) -> list[dict[str, Any]]:
    """Every policy in force, by name."""
    query = select(policies).where(_P.org_id == org_id, _P.active == 1).order_by(_P.name, _P.id)
    return [decode(policies, row) for row in tx.all(query)]


def names(tx: Tx, org_id: str) -> dict[str, str]:
    """The name of every policy by its id."""
    return {row["id"]: row["name"] for row in tx.all(select(_P.id, _P.name).where(_P.org_id == org_id))}


def find(tx: Tx, org_id: str, policy_id: str) -> dict[str, Any] | None:
    """One policy of the organisation."""
    row = tx.one(select(policies).where(_P.org_id == org_id, _P.id == policy_id))
    return None if row is None else decode(policies, row)


def named(tx: Tx, org_id: str, name: str) -> str | None:
    """The id of the policy with this name."""
    found: str | None = tx.scalar(select(_P.id).where(_P.org_id == org_id, _P.name == name))
    return found


def insert(tx: Tx, row: Mapping[str, Any]) -> None:
    """Add a policy."""
    tx.insert(policies, row)


def change(tx: Tx, policy_id: str, values: Mapping[str, Any]) -> None:
    """Change columns of a policy."""
    tx.execute(update(policies).where(_P.id == policy_id).values(**encode(policies, values)))


def remove(tx: Tx, policy_id: str) -> None:
    """Delete a policy; the events keep what it was."""
    tx.execute(delete(policies).where(_P.id == policy_id))
