"""Pushed states: what each push stored, and which entries are there already."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import bindparam, select

from .engine import Hot
from .records import Records
from .tables import synced_entries, syncs

if TYPE_CHECKING:
    from .engine import Tx

_E = synced_entries.c
_KNOWN = Hot(
    select(_E.digest).where(
        _E.org_id == bindparam("org"),
        _E.agent_id == bindparam("agent"),
        _E.section == bindparam("section_"),
        _E.digest == bindparam("digest_"),
    )
)

runs = Records(syncs)


def is_known(tx: Tx, org_id: str, agent_id: str, section: str, digest: str) -> bool:
    """Whether an entry was stored by an earlier push of the agent."""
    return tx.scalar(_KNOWN, org=org_id, agent=agent_id, section_=section, digest_=digest) is not None


def remember(tx: Tx, org_id: str, agent_id: str, section: str, digest: str) -> None:
    """Note that an entry is stored."""
    row = {"org_id": org_id, "agent_id": agent_id, "section": section, "digest": digest, "created_at": tx.stamp}
    tx.insert(synced_entries, row)
