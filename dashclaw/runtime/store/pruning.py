"""Takes old events out of the log; their entries stay in the chain and keep who, what and when."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, delete, literal_column, null, select, update

from ..evidence.chain import content, record
from ..evidence.sequencer import link_within
from ..evidence.spans import Spans
from ..identity import Caller
from .engine import Hot
from .erasure import ERASED_DATA, overwriting
from .tables import DECISION_MADE, events, evidence_entries

if TYPE_CHECKING:
    from .engine import Tx

ERASED_EVENT, PRUNED_EVENT = "evidence.erased", "evidence.pruned"
# Events about the chain itself explain what is missing from it.
NEVER_PRUNED = "evidence."
_E = events.c
_N = evidence_entries.c
_KEEP_RECORD = Hot(
    update(evidence_entries)
    .where(_N.org_id == bindparam("org"), _N.seq == bindparam("seq_"))
    .values(record=bindparam("line"), salt=null())
)
_ENTRIES = (
    select(
        _N.seq,
        _N.salt,
        _N.content,
        _E.id,
        _E.created_at,
        _E.event,
        _E.actor_type,
        _E.actor_id,
        _E.agent_id,
        _E.resource_type,
        _E.resource_id,
        _E.data,
    )
    .select_from(evidence_entries.join(events, _N.event_id == _E.id))
    .order_by(_N.seq)
)
_ABOUT_EVENT = (
    "id",
    "created_at",
    "event",
    "actor_type",
    "actor_id",
    "agent_id",
    "resource_type",
    "resource_id",
)


def prune_events(tx: Tx, org_id: str, ids: Sequence[int], reason: str) -> int:
    """Delete linked events and tell which; returns how many.

    What an entry needs to verify without its event is kept with it; its salt is destroyed, so that nothing can be
    learned of the data. An event that is not what was linked stays: retention hides no change.
    """
    if not ids:
        return 0
    found = tx.all(_ENTRIES.where(_N.org_id == org_id, _E.org_id == org_id, _N.event_id.in_(ids)))
    erased = _erased(tx, org_id) if any(row["salt"] is None for row in found) else Spans()
    whole = [row for row in found if _is_whole(row, erased)]
    if not whole:
        return 0
    with overwriting(tx):
        for row in whole:
            line = record(row["seq"], tuple(row[name] for name in _ABOUT_EVENT), bytes(row["content"]))
            tx.execute(_KEEP_RECORD, org=org_id, seq_=row["seq"], line=line)
        tx.execute(delete(events).where(_E.org_id == org_id, _E.id.in_([row["id"] for row in whole])))
    spans = Spans((row["seq"], row["seq"]) for row in whole)
    told = {"entries": [list(span) for span in spans], "count": len(whole), "reason": reason, "at": tx.stamp}
    _tell(tx, org_id, "events", told)
    return len(whole)


def tell_decisions(tx: Tx, org_id: str, before: str, count: int, reason: str) -> None:
    """Tell that so many decisions made before a moment were deleted in this transaction."""
    told = {"entries": [], "decisions_before": before, "count": count, "reason": reason, "at": tx.stamp}
    _tell(tx, org_id, "decisions", told)


def _tell(tx: Tx, org_id: str, what: str, told: Mapping[str, Any]) -> None:
    tx.emit(Caller(org_id, "retention", "admin", "system"), PRUNED_EVENT, "evidence", what, told)
    # At no moment is anything gone that the chain does not explain.
    link_within(tx, org_id)


def _is_whole(row: Mapping[str, Any], erased: Spans) -> bool:
    if row["salt"] is not None:
        return content(bytes(row["salt"]), row["data"]) == bytes(row["content"])
    return bool(row["data"] == ERASED_DATA) and _within(row["seq"], erased)


def _within(seq: int, spans: Iterable[tuple[int, int]]) -> bool:
    return any(first <= seq <= last for first, last in spans)


def _erased(tx: Tx, org_id: str) -> Spans:
    """The entries of which some event says that their text was erased."""
    is_change = _E.event != literal_column(f"'{DECISION_MADE}'")
    query = select(_E.data).where(_E.org_id == org_id, _E.event == ERASED_EVENT, is_change)
    found = Spans()
    for row in tx.all(query):
        for first, last in json.loads(row["data"])["entries"]:
            found.add(first, last)
    return found
