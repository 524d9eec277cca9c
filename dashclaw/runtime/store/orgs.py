"""Organisations and their API keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, func, select, update

from .engine import Hot, decode, encode
from .tables import api_keys, organizations

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .engine import Tx

_O = organizations.c
_K = api_keys.c
_SHOWN = [column for column in api_keys.c if column.name != "key_hash"]
_FIND = Hot(select(organizations).where(_O.id == bindparam("org")))
_BUMP = Hot(
    update(organizations)
    .where(_O.id == bindparam("org"))
    .values(policy_revision=_O.policy_revision + 1, updated_at=bindparam("now"))
)
_BY_HASH = Hot(select(api_keys).where(_K.key_hash == bindparam("hash_"), _K.revoked_at.is_(None)))


def find(tx: Tx, org_id: str) -> dict[str, Any] | None:
    """One organisation."""
    row = tx.one(_FIND, org=org_id)
    return None if row is None else decode(organizations, row)


def every_id(tx: Tx) -> list[str]:
    """The ids of all organisations."""
    return [row["id"] for row in tx.all(select(_O.id).order_by(_O.id))]


def slug_taken(tx: Tx, slug: str) -> bool:
    """Whether an organisation has this slug."""
    return tx.scalar(select(_O.id).where(_O.slug == slug)) is not None


def insert(tx: Tx, org_id: str, name: str, slug: str, metadata: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Add an organisation on the plan `free`."""
    row = {
        "id": org_id,
        "name": name,
        "slug": slug,
        "plan": "free",
        "settings": {},
        "policy_revision": 1,
        "metadata": metadata,
        "created_at": tx.stamp,
        "updated_at": tx.stamp,
    }
    tx.insert(organizations, row)
    return row


def change(tx: Tx, org_id: str, values: Mapping[str, Any]) -> None:
    """Change columns of an organisation."""
    stored = encode(organizations, {**values, "updated_at": tx.stamp})
    tx.execute(update(organizations).where(_O.id == org_id).values(**stored))


def bump_policies(tx: Tx, org_id: str) -> None:
    """Tell every process that the policies or settings of an organisation changed."""
    tx.execute(_BUMP, org=org_id, now=tx.stamp)
    tx.governance = None


def insert_key(tx: Tx, row: Mapping[str, Any]) -> None:
    """Add an API key; only its hash is stored."""
    tx.insert(api_keys, row)


def key_by_hash(tx: Tx, key_hash: str) -> dict[str, Any] | None:
    """The key with this hash, unless it was revoked."""
    row = tx.one(_BY_HASH, hash_=key_hash)
    return None if row is None else decode(api_keys, row)


def find_key(tx: Tx, org_id: str, key_id: str) -> dict[str, Any] | None:
    """One key of the organisation, without its hash."""
    row = tx.one(select(*_SHOWN).where(_K.org_id == org_id, _K.id == key_id))
    return None if row is None else decode(api_keys, row)


def hash_of_key(tx: Tx, org_id: str, key_id: str) -> str:
    """The stored hash of a key that is there."""
    found: str = tx.scalar(select(_K.key_hash).where(_K.org_id == org_id, _K.id == key_id))
    return found


def keys(tx: Tx, org_id: str, size: int, offset: int) -> tuple[list[dict[str, Any]], int]:
    """The keys of an organisation, newest first, and how many there are; never their hashes."""
    query = select(*_SHOWN).where(_K.org_id == org_id).order_by(_K.created_at.desc(), _K.id)
    total = tx.scalar(select(func.count()).select_from(api_keys).where(_K.org_id == org_id))
    return [decode(api_keys, row) for row in tx.all(query.limit(size).offset(offset))], int(total)


def active_keys(tx: Tx, org_id: str, role: str | None = None) -> int:
    """How many keys of an organisation are in force."""
    query = select(func.count()).select_from(api_keys).where(_K.org_id == org_id, _K.revoked_at.is_(None))
    return int(tx.scalar(query if role is None else query.where(_K.role == role)))


def set_key(tx: Tx, key_id: str, values: Mapping[str, Any]) -> None:
    """Change columns of a key."""
    tx.execute(update(api_keys).where(_K.id == key_id).values(**values))
