"""API keys: made, hashed, recognised."""

from __future__ import annotations

import hashlib
import secrets
import uuid
from typing import TYPE_CHECKING, Any

from .identity import Caller
from .store import orgs

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .store.engine import Tx

PREFIX = "oc_live_"
_SHOWN = len(PREFIX) + 6


def hash_key(raw: str) -> str:
    """SHA-256 of a key, in hex: what is stored."""
    return hashlib.sha256(raw.encode()).hexdigest()


def key_check(key_id: str, key_hash: str) -> str:
    """What the log tells of a key's hash: enough to see that it was replaced, and not the hash."""
    return hashlib.sha256(f"{key_id}:{key_hash}".encode()).hexdigest()[:32]


def new_key(
    tx: Tx,
    caller: Caller,
    role: str,
    label: str | None,
    raw: str | None = None,
    metadata: Mapping[str, Any] | None = None,
    *,
    operator: str | None = None,
    approver_roles: Sequence[str] = (),
) -> tuple[str, dict[str, Any]]:
    """Make a key (`oc_live_` and 32 hex digits, unless `raw` is given) for the caller's organisation.

    Its raw form is only returned; the log tells that the key was made.
    """
    raw = raw or PREFIX + secrets.token_hex(16)
    key_id, hashed = f"key_{uuid.uuid4()}", hash_key(raw)
    row = {
        "id": key_id,
        "org_id": caller.org_id,
        "key_hash": hashed,
        "key_prefix": raw[:_SHOWN] if len(raw) > 2 * _SHOWN else raw[:3],
        "label": label,
        "role": role,
        "operator": operator,
        "approver_roles": list(approver_roles),
        "metadata": metadata,
        "created_at": tx.stamp,
    }
    orgs.insert_key(tx, row)
    shown = {name: value for name, value in row.items() if name not in ("key_hash", "org_id")}
    key = {**shown, "metadata": row["metadata"] or {}}
    told = {**key, "check": key_check(key_id, hashed)}
    tx.emit(caller, "key.created", "api_key", key_id, told)
    return raw, key


def caller_for_key(tx: Tx, raw: str) -> Caller | None:
    """Who a key stands for; None for an unknown or revoked one."""
    row = orgs.key_by_hash(tx, hash_key(raw))
    return None if row is None else _caller_of(row)


def caller_for_key_id(tx: Tx, org_id: str, key_id: str) -> Caller | None:
    """Who the key with an id stands for; None for an unknown or revoked one."""
    row = orgs.find_key(tx, org_id, key_id)
    return None if row is None or row["revoked_at"] is not None else _caller_of(row)


def _caller_of(row: Mapping[str, Any]) -> Caller:
    return Caller(
        row["org_id"],
        row["id"],
        row["role"],
        "api_key",
        label=row["label"],
        operator=row["operator"],
        approver_roles=tuple(row["approver_roles"] or ()),
    )


def note_use(tx: Tx, key_id: str) -> None:
    """Remember that a key was used; callers do this at most once a minute."""
    orgs.set_key(tx, key_id, {"last_used_at": tx.stamp})
