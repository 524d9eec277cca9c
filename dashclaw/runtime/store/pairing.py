"""Requests to pair, and the keys that came of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import or_, select

from .engine import decode
from .records import Records
from .tables import identities, pairings

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement

    from .engine import Tx

_I = identities.c
_P = pairings.c

REQUESTS = Records(pairings)
KEYS = Records(identities)


def in_force(tx: Tx, org_id: str, agent_id: str) -> dict[str, Any] | None:
    """The key of an agent that was neither replaced nor revoked; earlier ones may still be valid for a while."""
    query = select(identities).where(_I.org_id == org_id, _I.agent_id == agent_id)
    row = tx.one(query.where(_I.replaced_at.is_(None), _I.revoked_at.is_(None)))
    return None if row is None else decode(identities, row)


def was_revoked(tx: Tx, org_id: str, fingerprint: str) -> bool:
    """Whether a key was revoked in this organisation, whoever had it."""
    where = (_I.org_id == org_id, _I.fingerprint == fingerprint, _I.revoked_at.is_not(None))
    return tx.scalar(select(_I.id).where(*where).limit(1)) is not None


def open_request(tx: Tx, org_id: str, agent_id: str, fingerprint: str) -> dict[str, Any] | None:
    """The request of this agent for this key that still waits."""
    query = select(pairings).where(_P.org_id == org_id, _P.agent_id == agent_id, _P.fingerprint == fingerprint)
    row = tx.one(query.where(_P.status == "pending", _P.expires_at > tx.stamp).limit(1))
    return None if row is None else decode(pairings, row)


def request_page(
    tx: Tx, org_id: str, status: str | None, agent_id: str | None, size: int, offset: int
) -> tuple[list[dict[str, Any]], int]:
    """Requests, newest first; one that nobody decided about in time counts as expired."""
    where: list[ColumnElement[bool]] = []
    if status in ("pending", "expired"):
        waits = _P.expires_at > tx.stamp
        where += [_P.status == "pending", waits if status == "pending" else ~waits]
    elif status is not None:
        where.append(_P.status == status)
    if agent_id is not None:
        where.append(_P.agent_id == agent_id)
    return REQUESTS.page(tx, org_id, where, size=size, offset=offset)


def key_page(
    tx: Tx, org_id: str, agent_id: str | None, history: bool, size: int, offset: int
) -> tuple[list[dict[str, Any]], int]:
    """Keys by agent, newest first; those that were revoked, or replaced and have ended, only when asked for."""
    lives = or_(_I.replaced_at.is_(None), _I.not_after > tx.stamp)
    where: list[ColumnElement[bool]] = [] if history else [_I.revoked_at.is_(None), lives]
    if agent_id is not None:
        where.append(_I.agent_id == agent_id)
    order = (_I.agent_id, _I.created_at.desc(), _I.id)
    return KEYS.page(tx, org_id, where, size=size, offset=offset, order=order)
