"""People: the caller that one acts as, how one reads on the wire and in the log, and the codes of invitations."""

from __future__ import annotations

import hashlib
import secrets
import uuid
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from .approvers import folded
from .clock import stamp
from .identity import Caller
from .store import people as rows

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from .store.engine import Tx

INVITATION_HOURS = 72
_SECRET = ("password_hash", "invitation_hash")
_TOLD_OTHERWISE = frozenset({*_SECRET, "org_id", "email_folded", "last_seen_at"})


def caller_of(row: Mapping[str, Any]) -> Caller:
    """Who a person acts as; the e-mail address is the operator, so that a key of the same person is no second one."""
    return Caller(
        row["org_id"],
        row["id"],
        row["role"],
        "user",
        label=row["name"],
        operator=row["email"],
        approver_roles=tuple(row["approver_roles"]),
    )


def caller_for_person(tx: Tx, person_id: str) -> Caller | None:
    """Who a person acts as now; None for one that is unknown or disabled."""
    row = rows.by_id(tx, person_id)
    return None if row is None or row["disabled_at"] is not None else caller_of(row)


def note_seen(tx: Tx, person_id: str) -> None:
    """Remember that a person was here; callers do this at most once a minute."""
    rows.change(tx, person_id, {"last_seen_at": tx.stamp})


def add(
    tx: Tx,
    caller: Caller | None,
    *,
    org_id: str,
    email: str,
    name: str | None,
    role: str,
    approver_roles: Sequence[str] = (),
    metadata: Mapping[str, Any] | None = None,
    **more: Any,
) -> dict[str, Any]:
    """Add a person, with more columns where some are known; None as the caller means that the person came alone.

    Raises `DuplicateError` when the e-mail address is taken.
    """
    row = {
        "id": f"person_{uuid.uuid4()}",
        "org_id": org_id,
        "email": email,
        "email_folded": folded(email),
        "name": name,
        "role": role,
        "approver_roles": list(approver_roles),
        "password_hash": None,
        "password_set_at": None,
        "oidc_issuer": None,
        "oidc_subject": None,
        "invitation_hash": None,
        "invitation_expires_at": None,
        "metadata": metadata,
        "created_at": tx.stamp,
        "updated_at": tx.stamp,
        "disabled_at": None,
        "last_seen_at": None,
        **more,
    }
    rows.PEOPLE.add(tx, row)
    tx.emit(caller or caller_of(row), "person.created", "person", row["id"], told(row))
    return row


def change(
    tx: Tx, caller: Caller, row: Mapping[str, Any], values: Mapping[str, Any], what: str, event: str = "updated"
) -> dict[str, Any]:
    """Change a person and tell the log; `what` names the change. Returns the person as it is now."""
    after = {**row, **values, "updated_at": tx.stamp}
    rows.change(tx, row["id"], {**values, "updated_at": tx.stamp})
    tx.emit(caller, f"person.{event}", "person", row["id"], {**told(after), "change": what})
    return after


def end_sessions(tx: Tx, row: Mapping[str, Any]) -> None:
    """Sign a person out everywhere, as part of what changes the person."""
    rows.end_sessions(tx, row["org_id"], row["id"])


def wire(row: Mapping[str, Any], now: str) -> dict[str, Any]:
    """How a person reads on the wire; `now` decides whether an invitation is still open."""
    open_ = row["invitation_hash"] is not None and row["invitation_expires_at"] > now
    return {
        "id": row["id"],
        "email": row["email"],
        "name": row["name"],
        "role": row["role"],
        "approver_roles": row["approver_roles"],
        "status": "disabled" if row["disabled_at"] else "active" if _may_sign_in(row) else "invited",
        "has_password": row["password_hash"] is not None,
        "oidc": row["oidc_subject"] is not None,
        "invited_until": row["invitation_expires_at"] if open_ else None,
        "created_at": row["created_at"],
        "updated_at": row["updated_at"],
        "last_seen_at": row["last_seen_at"],
        "disabled_at": row["disabled_at"],
        "metadata": row["metadata"] or {},
    }


def _may_sign_in(row: Mapping[str, Any]) -> bool:
    return row["password_hash"] is not None or row["oidc_subject"] is not None


def told(row: Mapping[str, Any]) -> dict[str, Any]:
    """What the log tells of a person: no hash, but enough to see that one was replaced."""
    shown = {name: value for name, value in row.items() if name not in _TOLD_OTHERWISE}
    return {**shown, "metadata": row["metadata"] or {}, "check": person_check(row)}


def person_check(row: Mapping[str, Any]) -> str:
    """What the log tells of the hashes of a person."""
    said = ":".join([row["id"], *(row[name] or "" for name in _SECRET)])
    return hashlib.sha256(said.encode()).hexdigest()[:32]


def new_code(now: datetime) -> tuple[str, dict[str, str]]:
    """A code with which a person sets a password once, and the columns that stand for it."""
    code = secrets.token_urlsafe(24)
    until = stamp(now + timedelta(hours=INVITATION_HOURS))
    return code, {"invitation_hash": hash_code(code), "invitation_expires_at": until}


def hash_code(code: str) -> str:
    """SHA-256 of a code, in hex: what is stored."""
    return hashlib.sha256(code.encode("utf-8", "surrogatepass")).hexdigest()
