"""The entries of the evidence chain that a report rests on, by which an auditor can check it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, literal_column, select

from . import evidence, history
from .tables import DECISION_MADE, events, evidence_entries

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .engine import Tx

MOST = 100
_AT_ONCE = 500
_E = events.c
_N = evidence_entries.c
_IS_CHANGE = _E.event != literal_column(f"'{DECISION_MADE}'")


def of_records(tx: Tx, org_id: str, records: Mapping[str, Iterable[str]]) -> dict[str, Any]:
    """The newest entry of each record, by kind of record and id; at most 100 entries are listed."""
    found: list[dict[str, Any]] = []
    for kind, ids in records.items():
        wanted = sorted(set(ids))
        for start in range(0, len(wanted), _AT_ONCE):
            newest = (
                select(func.max(_E.id))
                .where(_E.org_id == org_id, _IS_CHANGE, _E.resource_type == kind)
                .where(_E.resource_id.in_(wanted[start : start + _AT_ONCE]))
                .group_by(_E.resource_id)
            )
            found += tx.all(select(_E.id, _E.event).where(_E.org_id == org_id, _E.id.in_(newest)))
    found.sort(key=lambda row: int(row["id"]), reverse=True)
    return _references(tx, org_id, found[:MOST], len(found))


def of_window(tx: Tx, org_id: str, since: str) -> dict[str, Any]:
    """The entries of all events since a moment: how many, from which to which, and the newest 100."""
    last = tx.scalar(select(func.max(_E.id)).where(_E.org_id == org_id)) or 0
    first = history.first_since(tx, org_id, since, last + 1)
    inside = (_E.org_id == org_id, _E.id >= first)
    total = int(tx.scalar(select(func.count()).select_from(events).where(*inside)))
    newest = tx.all(select(_E.id, _E.event).where(*inside).order_by(_E.id.desc()).limit(MOST))
    # Entries follow each other as their events do.
    linked = select(_N.seq).where(_N.org_id == org_id, _N.event_id >= first).limit(1)
    return {
        **_references(tx, org_id, newest, total),
        "first_seq": tx.scalar(linked.order_by(_N.event_id)),
        "last_seq": tx.scalar(linked.order_by(_N.event_id.desc())),
    }


def _references(tx: Tx, org_id: str, rows: list[dict[str, Any]], total: int) -> dict[str, Any]:
    linked = history.entries(tx, org_id, (row["id"] for row in rows))
    listed = []
    for row in rows:
        if (entry := linked.get(row["id"])) is not None:
            listed.append({"seq": entry["seq"], "event_id": row["id"], "event": row["event"], "hash": entry["hash"]})
    head = evidence.head(tx, org_id)
    return {
        "entries": listed,
        "total": total,
        "checkpoint": _checkpoint(evidence.last_checkpoint(tx, org_id)),
        "unlinked": evidence.tail(tx, org_id, head.event_id if head else 0),
    }


def _checkpoint(row: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if row is None:
        return None
    stated = json.loads(row["text"])
    return {name: stated.get(name) for name in ("size", "root", "at")}
