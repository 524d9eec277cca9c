"""What an export reads beside the entries: places in time, removals, policies, keys of agents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, func, select

from .engine import Hot, decode
from .tables import (
    DECISION_MADE,
    events,
    evidence_checkpoints,
    evidence_entries,
    identities,
    policy_sets,
    policy_versions,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .engine import Tx

_E = events.c
_N = evidence_entries.c
_P = evidence_checkpoints.c
_I = identities.c
_SEQ_OF = Hot(select(_N.seq).where(_N.org_id == bindparam("org"), _N.event_id == bindparam("event")))
_EVENT_ID = Hot(select(_N.event_id).where(_N.org_id == bindparam("org"), _N.seq == bindparam("seq")))


def seq_of(tx: Tx, org_id: str, event_id: int) -> int | None:
    """The entry of an event; None when it is not linked."""
    found: int | None = tx.scalar(_SEQ_OF, org=org_id, event=event_id)
    return found


def event_id_of(tx: Tx, org_id: str, seq: int) -> int | None:
    """The event of an entry; None when there is no such entry."""
    found: int | None = tx.scalar(_EVENT_ID, org=org_id, seq=seq)
    return found


def told_after(tx: Tx, org_id: str, names: Sequence[str], event_id: int) -> list[dict[str, Any]]:
    """The events with these names after another one, the oldest first."""
    query = select(events).where(_E.org_id == org_id, _E.event.in_(names), _E.event != DECISION_MADE)
    return [decode(events, row) for row in tx.all(query.where(_E.id > event_id).order_by(_E.id))]


def first_checkpoint(tx: Tx, org_id: str, size: int) -> dict[str, Any] | None:
    """The smallest checkpoint of at least `size` entries."""
    query = select(evidence_checkpoints).where(_P.org_id == org_id, _P.size >= size)
    return tx.one(query.order_by(_P.size).limit(1))


def checkpoint_page(tx: Tx, org_id: str, limit: int, offset: int) -> tuple[list[dict[str, Any]], int]:
    """Checkpoints, the newest first, and how many there are."""
    where = _P.org_id == org_id
    total = int(tx.scalar(select(func.count()).select_from(evidence_checkpoints).where(where)))
    query = select(evidence_checkpoints).where(where).order_by(_P.size.desc()).limit(limit).offset(offset)
    return tx.all(query), total


def policy_texts(tx: Tx, org_id: str) -> Iterator[tuple[str, str, str]]:
    """Every policy, then every set of them: "policy" or "set", the hash, the text as stored."""
    for kind, table in (("policy", policy_versions), ("set", policy_sets)):
        query = select(table.c.hash, table.c.document).where(table.c.org_id == org_id)
        for row in tx.all(query.order_by(table.c.created_at, table.c.hash)):
            yield kind, row["hash"], row["document"]


def agent_keys(tx: Tx, org_id: str) -> list[dict[str, Any]]:
    """Every public key that an agent has or had, without what was noted beside it."""
    query = select(*(column for column in identities.c if column.name != "metadata")).where(_I.org_id == org_id)
    return tx.all(query.order_by(_I.created_at, _I.id))
