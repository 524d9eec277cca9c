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


def new_key(
    tx: Tx,
    org_id: str,
    role: str,
    label: str | None,
    raw: str | None = None,
    metadata: Mapping[str, Any] | None = None,
    *,
    operator: str | None = None,
    approver_roles: Sequence[str] = (),
) -> tuple[str, dict[str, Any]]:
    """Make a key (`oc_live_` and 32 hex digits, unless `raw` is given), whose raw form is only returned."""
    raw = raw or PREFIX + secrets.token_hex(16)
    row = {
        "id": f"key_{uuid.uuid4()}",
        "org_id": org_id,
        "key_hash": hash_key(raw),
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
    return raw, {**shown, "metadata": row["metadata"] or {}}


def caller_for_key(tx: Tx, raw: str) -> Caller | None:
    """Who a key stands for; None for an unknown or revoked one."""
    row = orgs.key_by_hash(tx, hash_key(raw))
    if row is None:
        return None
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
