"""Sessions of the dashboard, and the secret that signs its cookies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, delete, or_, select, update

from .engine import Hot
from .tables import site_secrets, web_sessions

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .engine import Tx

_S = web_sessions.c
_FIND = Hot(
    select(web_sessions)
    .where(or_(_S.token_hash == bindparam("hash_"), _S.previous_hash == bindparam("hash_")))
    .limit(1)
)
_BY_ID = Hot(select(web_sessions).where(_S.id == bindparam("session")))


def insert(tx: Tx, row: Mapping[str, Any]) -> None:
    """Add a session."""
    tx.insert(web_sessions, row)


def find(tx: Tx, token_hash: str) -> dict[str, Any] | None:
    """The session with this token, or with this one before its last rotation."""
    return tx.one(_FIND, hash_=token_hash)


def by_id(tx: Tx, session_id: str) -> dict[str, Any] | None:
    """One session."""
    return tx.one(_BY_ID, session=session_id)


def change(tx: Tx, session_id: str, token_hash: str, values: Mapping[str, Any]) -> bool:
    """Change columns of a session that still has this token; false when another request was first."""
    where = (_S.id == session_id, _S.token_hash == token_hash)
    return tx.execute(update(web_sessions).where(*where).values(**values)) == 1


def end(tx: Tx, session_id: str) -> bool:
    """Forget a session; false when there is none."""
    return tx.execute(delete(web_sessions).where(_S.id == session_id)) == 1


def of_subject(tx: Tx, org_id: str, subject_id: str) -> list[dict[str, Any]]:
    """The sessions of a key or person, the last used first."""
    where = (_S.org_id == org_id, _S.subject_id == subject_id)
    return tx.all(select(web_sessions).where(*where).order_by(_S.seen_at.desc(), _S.id))


def forget_old(tx: Tx, seen_before: str, made_before: str) -> int:
    """Forget the sessions that were not used since a moment, or were begun before another."""
    return tx.execute(delete(web_sessions).where(or_(_S.seen_at < seen_before, _S.created_at < made_before)))


def secret(tx: Tx, name: str) -> str | None:
    """A secret of the site."""
    found: str | None = tx.scalar(select(site_secrets.c.value).where(site_secrets.c.name == name))
    return found


def keep_secret(tx: Tx, name: str, value: str) -> str:
    """Keep a secret, unless another process was first; returns the one that is kept."""
    if (kept := secret(tx, name)) is not None:
        return kept
    tx.insert(site_secrets, {"name": name, "value": value, "created_at": tx.stamp})
    return value
