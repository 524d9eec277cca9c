"""How people come in: by password, and by the code of an invitation, with which they choose one.

Passwords go through these functions only: no operation takes one, so that none is in a request that is kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import passwords
from .approvers import folded
from .people import caller_of, change, end_sessions, hash_code
from .problems import Problem, invalid
from .store import people as rows

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .identity import Caller
    from .store.engine import Store, Tx


def has_people(store: Store) -> bool:
    """Whether anybody has a password at all."""
    with store.read() as tx:
        return rows.anybody(tx)


def by_password(store: Store, email: str, password: str) -> Caller | None:
    """Who has this e-mail address and password; None for nobody, after the same time. Takes a tenth of a second."""
    with store.read() as tx:
        row = rows.by_email(tx, folded(email))
    kept = row["password_hash"] if row is not None and row["disabled_at"] is None else None
    if not passwords.matches(kept, password) or row is None or kept is None:
        return None
    anew = passwords.hashed(password) if passwords.outdated(kept) else None
    with store.write(row["org_id"]) as tx:
        row = rows.by_id(tx, row["id"])
        if row is None or row["disabled_at"] is not None or row["password_hash"] != kept:
            return None
        rows.change(tx, row["id"], {"last_seen_at": tx.stamp})
        if anew is not None:
            row = change(tx, caller_of(row), row, {"password_hash": anew}, "password kept anew")
        return caller_of(row)


def by_code(store: Store, code: str, password: str) -> Caller:
    """Set the password of the person who was given a code, which is used up by it.

    Ends the sessions of the person. Raises `Problem` 410 for a code that is not open, 400 for a bad password.
    """
    code_hash = hash_code(code)
    with store.read() as tx:
        row = rows.by_invitation(tx, code_hash)
    if row is None:
        raise _not_open()
    kept = _accepted(row, password)
    with store.write(row["org_id"]) as tx:
        row = rows.by_invitation(tx, code_hash)
        if row is None:
            raise _not_open()
        return _set(tx, row, kept, {"last_seen_at": tx.stamp})


def change_password(store: Store, caller: Caller, current: str, password: str) -> Caller:
    """Change one's own password.

    Ends the sessions of the person. Raises `Problem` 403 when the present one is wrong, 400 for a bad new one.
    """
    with store.read() as tx:
        row = rows.by_id(tx, caller.actor_id) if caller.actor_type == "user" else None
    before = row["password_hash"] if row is not None else None
    if not passwords.matches(before, current) or row is None:
        raise Problem(403, "WRONG_PASSWORD", "The present password is another one")
    kept = _accepted(row, password)
    with store.write(row["org_id"]) as tx:
        row = rows.by_id(tx, row["id"])
        if row is None or row["disabled_at"] is not None or row["password_hash"] != before:
            raise Problem(409, "CONFLICT", "The password was changed meanwhile")
        return _set(tx, row, kept, {})


def _accepted(row: Mapping[str, Any], password: str) -> str:
    why = passwords.objection(password, row["email"], row["name"])
    if why is not None:
        raise invalid("password", why)
    return passwords.hashed(password)


def _set(tx: Tx, row: Mapping[str, Any], kept: str, more: Mapping[str, Any]) -> Caller:
    values = {
        "password_hash": kept,
        "password_set_at": tx.stamp,
        "invitation_hash": None,
        "invitation_expires_at": None,
        **more,
    }
    caller = caller_of(row)
    change(tx, caller, row, values, "password")
    end_sessions(tx, row)
    return caller


def _not_open() -> Problem:
    text = "This code was used, has expired or is unknown: ask an administrator for another one"
    return Problem(410, "INVITATION_EXPIRED", text)
