"""The events of single records, and of what hangs together with them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, literal_column, select

from dashclaw._json import compact

from .engine import Hot, decode
from .tables import DECISION_MADE, events, evidence_entries, guard_decisions

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .engine import Tx

MOST_EVENTS = 1_000
SEARCHED = 5_000
NEAR = 20_000
# Other organisations may write between two events of one transaction.
_SAME_CHANGE = 1_000
_E = events.c
_N = evidence_entries.c
# Spelt out rather than bound, so that the planner sees that the partial indexes apply.
_IS_CHANGE = _E.event != literal_column(f"'{DECISION_MADE}'")
_NEXT = Hot(
    select(_E.id, _E.created_at)
    .where(_E.org_id == bindparam("org"), _E.id >= bindparam("least"))
    .order_by(_E.id)
    .limit(1)
)
_BETWEEN = select(events).where(
    _E.org_id == bindparam("org"), _E.id >= bindparam("least"), _E.id <= bindparam("greatest")
)
_OF_DECISION = _BETWEEN.where(_E.resource_id == bindparam("decision"), _E.event == bindparam("name")).limit(1)
_FORWARDS, _BACKWARDS = Hot(_OF_DECISION.order_by(_E.id)), Hot(_OF_DECISION.order_by(_E.id.desc()))
_SAME = Hot(_BETWEEN.where(_E.event == bindparam("name"), _E.created_at == bindparam("at")).order_by(_E.id).limit(1))
_ENTRY = Hot(
    select(_N.seq, _N.link, _N.salt).where(_N.org_id == bindparam("org"), _N.event_id == bindparam("event_id_"))
)


def of_record(tx: Tx, org_id: str, kind: str, record_id: str) -> list[dict[str, Any]]:
    """The events of one record, oldest first, at most 1,000; guard decisions have to be found by `of_decision`."""
    query = (
        select(events)
        .where(_E.org_id == org_id, _E.resource_id == record_id, _IS_CHANGE, _E.resource_type == kind)
        .order_by(_E.id)
        .limit(MOST_EVENTS)
    )
    return [decode(events, row) for row in tx.all(query)]


def naming(tx: Tx, org_id: str, kind: str, since: str, field: str, value: str) -> list[str]:
    """The ids of records whose event says `field: value`, among the first 5,000 events of their kind after `since`.

    So a record is found that was removed from its table.
    """
    first = (
        select(_E.resource_id, _E.data)
        .where(_E.org_id == org_id, _IS_CHANGE, _E.resource_type == kind, _E.created_at >= since)
        .order_by(_E.created_at, _E.id)
        .limit(SEARCHED)
        .subquery()
    )
    query = select(first.c.resource_id, first.c.data)
    query = query.where(first.c.data.contains(f'"{field}":{compact(value)}', autoescape=True))
    found = (decode(events, row) for row in tx.all(query))
    return list(dict.fromkeys(row["resource_id"] for row in found if _says(row["data"], field, value)))


def _says(data: Any, field: str, value: str) -> bool:
    return isinstance(data, dict) and data.get(field) == value


def of_decision(tx: Tx, org_id: str, decision_id: str, before: int, at: str | None) -> dict[str, Any] | None:
    """The event of a guard decision, made at `at`, that is not newer than the event `before`.

    Decisions are in no index by their id: most events are theirs. The event of a decision stands right before that of
    its action or, when the agent asked the guard first, up to minutes earlier. So the 20,000 ids before are looked
    at, then those of the moment `at`.
    """
    found = _decision_between(tx, _BACKWARDS, org_id, decision_id, max(0, before - NEAR), before)
    if found is None and at is not None:
        least = first_since(tx, org_id, at, before)
        found = _decision_between(tx, _FORWARDS, org_id, decision_id, least, min(before, least + NEAR))
    return found


def _decision_between(
    tx: Tx, statement: Hot, org_id: str, decision_id: str, least: int, greatest: int
) -> dict[str, Any] | None:
    row = tx.one(statement, org=org_id, decision=decision_id, name=DECISION_MADE, least=least, greatest=greatest)
    return None if row is None else decode(events, row)


def first_since(tx: Tx, org_id: str, at: str, before: int) -> int:
    """The id of the organisation's first event that is not older than `at`; ids are given in the order of time."""
    least, greatest = 0, before
    while least < greatest:
        row = tx.one(_NEXT, org=org_id, least=(least + greatest) // 2)
        if row is not None and row["created_at"] < at:
            least = row["id"] + 1
        else:
            greatest = (least + greatest) // 2
    row = tx.one(_NEXT, org=org_id, least=least)
    return before if row is None else int(row["id"])


def followed_by(tx: Tx, event: Mapping[str, Any], name: str) -> dict[str, Any] | None:
    """The next event of a name that the transaction of `event` recorded after it."""
    span = {"least": event["id"] + 1, "greatest": event["id"] + _SAME_CHANGE}
    row = tx.one(_SAME, org=event["org_id"], name=name, at=event["created_at"], **span)
    return None if row is None else decode(events, row)


def stored_decision(tx: Tx, org_id: str, decision_id: str) -> dict[str, Any] | None:
    """The row of a decision exactly as it is stored, for its digest."""
    d = guard_decisions.c
    return tx.one(select(guard_decisions).where(d.org_id == org_id, d.id == decision_id))


def entries(tx: Tx, org_id: str, event_ids: Iterable[int]) -> dict[int, dict[str, Any]]:
    """The entries of the chain that stand for events: `{seq, hash, erased}` by the event's id."""
    found: dict[int, dict[str, Any]] = {}
    for event_id in set(event_ids):
        # One by one: asked for several, SQLite reads every entry of the organisation.
        for seq, link, salt in tx.tuples(_ENTRY, org=org_id, event_id_=event_id):
            found[event_id] = {"seq": seq, "hash": bytes(link).hex(), "erased": salt is None}
    return found


def newest_before(tx: Tx, org_id: str, kind: str, record_id: str, before: int) -> dict[str, Any] | None:
    """The last event of a record that is older than the event `before`."""
    query = (
        select(events)
        .where(_E.org_id == org_id, _E.resource_id == record_id, _IS_CHANGE, _E.resource_type == kind, _E.id < before)
        .order_by(_E.id.desc())
        .limit(1)
    )
    row = tx.one(query)
    return None if row is None else decode(events, row)
