"""Keys that a signature may be of, and the nonces that were used."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, delete, select

from .engine import Hot
from .tables import identities, signature_nonces

if TYPE_CHECKING:
    from .engine import Tx

_I = identities.c
_N = signature_nonces.c
# An agent that had more keys than this is verified with its newest ones; so is a body that names no agent.
MOST_KEYS = 64
_KEYS = (
    _I.id,
    _I.agent_id,
    _I.algorithm,
    _I.public_key,
    _I.fingerprint,
    _I.not_before,
    _I.not_after,
    _I.replaced_at,
    _I.revoked_at,
)
_OF_ORG = select(*_KEYS).where(_I.org_id == bindparam("org")).limit(MOST_KEYS)
_OF_AGENT = Hot(_OF_ORG.where(_I.agent_id == bindparam("agent")).order_by(_I.created_at.desc(), _I.id))
# Keys that were given up come last: they explain a refusal, and take no place from one that may sign.
_GIVEN_UP = _I.revoked_at.is_not(None) | _I.replaced_at.is_not(None)
_OF_ANY = Hot(_OF_ORG.order_by(_GIVEN_UP, _I.created_at.desc(), _I.id))
_USED = Hot(
    select(_N.expires_at).where(
        _N.org_id == bindparam("org"), _N.agent_id == bindparam("agent"), _N.nonce_hash == bindparam("hash_")
    )
)


def keys(tx: Tx, org_id: str, agent_id: str | None) -> list[dict[str, Any]]:
    """Keys that an agent has or had, newest first; without an agent those of the organisation; 64 at most."""
    if agent_id is None:
        return tx.all(_OF_ANY, org=org_id)
    return tx.all(_OF_AGENT, org=org_id, agent=agent_id)


def use_nonce(tx: Tx, org_id: str, agent_id: str, nonce: str, expires_at: str) -> bool:
    """Remember a nonce with the write that carries it; false when it was used before.

    Writers of one organisation follow each other, so nobody can come between the look and the insert.
    """
    hashed = hashlib.sha256(nonce.encode()).hexdigest()
    if tx.one(_USED, org=org_id, agent=agent_id, hash_=hashed) is not None:
        return False
    row = {"org_id": org_id, "agent_id": agent_id, "nonce_hash": hashed, "expires_at": expires_at}
    tx.insert(signature_nonces, row)
    return True


def forget_nonces(tx: Tx, before: str, most: int) -> int:
    """Delete at most so many nonces that expired before a time; returns how many went."""
    old = _N.expires_at < before
    hashes = select(_N.nonce_hash).where(old).order_by(_N.expires_at).limit(most)
    return tx.execute(delete(signature_nonces).where(old, _N.nonce_hash.in_(hashes)))
