"""People who sign in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, select, update

from .engine import decode, encode
from .records import Records
from .tables import api_keys, people, web_sessions

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import ColumnElement

    from .engine import Tx

_K = api_keys.c
_P = people.c
_S = web_sessions.c

PEOPLE = Records(people)


def by_id(tx: Tx, person_id: str) -> dict[str, Any] | None:
    """One person of the installation."""
    return _one(tx, _P.id == person_id)


def by_email(tx: Tx, folded: str) -> dict[str, Any] | None:
    """The person with this e-mail address, given in its folded form."""
    return _one(tx, _P.email_folded == folded)


def by_subject(tx: Tx, issuer: str, subject: str) -> dict[str, Any] | None:
    """The person whom an OpenID provider knows under this subject."""
    return _one(tx, _P.oidc_issuer == issuer, _P.oidc_subject == subject)


def by_invitation(tx: Tx, code_hash: str) -> dict[str, Any] | None:
    """The person who may set a password with this code now."""
    return _one(tx, _P.invitation_hash == code_hash, _P.invitation_expires_at > tx.stamp, _P.disabled_at.is_(None))


def _one(tx: Tx, *where: ColumnElement[bool]) -> dict[str, Any] | None:
    row = tx.one(select(people).where(*where))
    return None if row is None else decode(people, row)


def anybody(tx: Tx) -> bool:
    """Whether anybody has a password."""
    return tx.scalar(select(_P.id).where(_P.password_hash.is_not(None)).limit(1)) is not None


def page(
    tx: Tx, org_id: str, email: str | None, disabled: bool | None, size: int, offset: int
) -> tuple[list[dict[str, Any]], int]:
    """The people of an organisation by e-mail address, and how many there are."""
    where: list[ColumnElement[bool]] = []
    if email is not None:
        where.append(_P.email_folded == email)
    if disabled is not None:
        where.append(_P.disabled_at.is_not(None) if disabled else _P.disabled_at.is_(None))
    return PEOPLE.page(tx, org_id, where, size=size, offset=offset, order=(_P.email_folded,))


def change(tx: Tx, person_id: str, values: Mapping[str, Any]) -> None:
    """Change columns of a person."""
    tx.execute(update(people).where(_P.id == person_id).values(**encode(people, values)))


def operators(tx: Tx, org_id: str) -> list[tuple[str, str]]:
    """The ids of the keys in force that name an operator, with that name."""
    query = select(_K.id, _K.operator).where(_K.org_id == org_id, _K.revoked_at.is_(None), _K.operator.is_not(None))
    return [(row["id"], row["operator"]) for row in tx.all(query.order_by(_K.id))]


def end_sessions(tx: Tx, org_id: str, person_id: str) -> int:
    """Sign a person out everywhere; returns from how many sessions."""
    return tx.execute(delete(web_sessions).where(_S.org_id == org_id, _S.subject_id == person_id))
