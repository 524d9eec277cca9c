"""Policy versions and policy sets: added once, never changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import Table, bindparam, select

from .engine import Hot
from .tables import policy_sets, policy_versions

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ..policy_sets import PolicySetText
    from .engine import Tx

_AT_ONCE = 500
_KEPT_AT = Hot(
    select(policy_sets.c.created_at).where(
        policy_sets.c.org_id == bindparam("org"), policy_sets.c.hash == bindparam("hash_")
    )
)


def keep(tx: Tx, org_id: str, found: PolicySetText) -> bool:
    """Store a set with its policies; true when another transaction had stored it already."""
    kept_at = tx.scalar(_KEPT_AT, org=org_id, hash_=found.hash)
    if kept_at is not None:
        return bool(kept_at != tx.stamp)
    known = _texts(tx, policy_versions, org_id, found.versions)
    for name, text in found.versions.items():
        if name not in known:
            _add(tx, policy_versions, org_id, name, text)
    _add(tx, policy_sets, org_id, found.hash, found.document)
    return False


def _add(tx: Tx, table: Table, org_id: str, name: str, text: str) -> None:
    tx.insert(table, {"org_id": org_id, "hash": name, "document": text, "created_at": tx.stamp})


def find(tx: Tx, org_id: str, name: str) -> str | None:
    """The text of a policy set, as it is stored."""
    return _texts(tx, policy_sets, org_id, [name]).get(name)


def versions(tx: Tx, org_id: str, names: Iterable[str]) -> dict[str, str]:
    """The texts of policies by hash, as they are stored; those that are not there are left out."""
    return _texts(tx, policy_versions, org_id, names)


def _texts(tx: Tx, table: Table, org_id: str, names: Iterable[str]) -> dict[str, str]:
    columns = table.c
    found: dict[str, str] = {}
    for chunk in _chunks(list(names)):
        query = select(columns.hash, columns.document).where(columns.org_id == org_id, columns.hash.in_(chunk))
        found |= {row["hash"]: row["document"] for row in tx.all(query)}
    return found


def _chunks(names: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(names), _AT_ONCE):
        yield names[start : start + _AT_ONCE]


def every(tx: Tx, table: Table, org_id: str) -> list[tuple[str, str]]:
    """Every hash of the organisation in a table, with its text."""
    query = select(table.c.hash, table.c.document).where(table.c.org_id == org_id).order_by(table.c.hash)
    return [(row["hash"], row["document"]) for row in tx.all(query)]
