"""Entries of the chain and its newest end."""

from __future__ import annotations

import json
from contextlib import suppress
from functools import lru_cache
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import bindparam, exists, func, literal_column, select, text, update
from sqlalchemy.dialects import postgresql, sqlite

from .engine import Hot, decode
from .tables import (
    DECISION_MADE,
    events,
    evidence_checkpoints,
    evidence_entries,
    evidence_heads,
    evidence_keys,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from sqlalchemy import Column, ColumnElement

    from .engine import Tx

_E = events.c
_N = evidence_entries.c
_H = evidence_heads.c
_P = evidence_checkpoints.c
PRUNED = "evidence.pruned"
ACTION_TOLD = ("action.created", "action.updated")
# Spelt out, or SQLite does not use the partial indexes.
_CHANGE = text(f"events.event <> '{DECISION_MADE}'")
_IDENTITY = (_E.id, _E.created_at, _E.event, _E.actor_type, _E.actor_id, _E.agent_id, _E.resource_type, _E.resource_id)
_UNLINKED = Hot(
    select(*_IDENTITY, _E.data)
    .where(_E.org_id == bindparam("org"), _E.id > bindparam("after"))
    .order_by(_E.id)
    .limit(bindparam("most"))
)
_TAIL = Hot(select(func.count()).where(_E.org_id == bindparam("org"), _E.id > bindparam("after")))
_HEAD = Hot(select(_H.size, _H.event_id, _H.link, _H.frontier).where(_H.org_id == bindparam("org")))
_LINKS = Hot(
    select(_N.link)
    .where(_N.org_id == bindparam("org"), _N.seq > bindparam("after"), _N.seq <= bindparam("until"))
    .order_by(_N.seq)
)


def _is(column: ColumnElement[str], names: tuple[str, ...]) -> ColumnElement[bool]:
    """The names spelt out, for a statement that is compiled once."""
    return column.in_([literal_column(f"'{name}'") for name in names])


def _upsert(dialect: Any) -> Hot:
    names = ("size", "event_id", "link", "frontier")
    statement = dialect.insert(evidence_heads).values({name: bindparam(name) for name in ("org_id", *names)})
    new = {name: statement.excluded[name] for name in names}
    return Hot(statement.on_conflict_do_update(index_elements=["org_id"], set_=new))


_MOVE_HEAD = {"sqlite": _upsert(sqlite), "postgresql": _upsert(postgresql)}


class Head(NamedTuple):
    """The newest end of a chain: how many entries, the last event and link, the packed frontier of the tree."""

    size: int
    event_id: int
    link: bytes
    frontier: bytes


def head(tx: Tx, org_id: str) -> Head | None:
    """The newest end of an organisation's chain; None before its first entry."""
    rows = tx.tuples(_HEAD, org=org_id)
    return Head(*rows[0]) if rows else None


def unlinked(tx: Tx, org_id: str, after: int, most: int) -> list[tuple[Any, ...]]:
    """The next events without an entry, the data as stored in the last place."""
    return tx.tuples(_UNLINKED, org=org_id, after=after, most=most)


def tail(tx: Tx, org_id: str, after: int) -> int:
    """How many events come after the last linked one."""
    return int(tx.scalar(_TAIL, org=org_id, after=after))


def append(tx: Tx, org_id: str, entries: Sequence[Mapping[str, Any]], now: Head) -> None:
    """Add entries and move the end; raises `DuplicateError` when one is there already."""
    tx.insert_many(evidence_entries, entries)
    tx.execute(_MOVE_HEAD[tx.dialect], org_id=org_id, **now._asdict())


def links(tx: Tx, org_id: str, after: int, until: int) -> list[bytes]:
    """The links of entries `after` + 1 to `until`."""
    return [bytes(row[0]) for row in tx.tuples(_LINKS, org=org_id, after=after, until=until)]


def key(tx: Tx, key_id: str) -> dict[str, Any] | None:
    """One key that signs checkpoints, or did."""
    row = tx.one(select(evidence_keys).where(evidence_keys.c.id == key_id))
    return None if row is None else decode(evidence_keys, row)


def keys(tx: Tx) -> list[dict[str, Any]]:
    """Every key that signs checkpoints, or did, the oldest first."""
    query = select(evidence_keys).order_by(evidence_keys.c.created_at, evidence_keys.c.id)
    return [decode(evidence_keys, row) for row in tx.all(query)]


def add_key(tx: Tx, row: Mapping[str, Any]) -> None:
    """Make a key known."""
    tx.insert(evidence_keys, row)


def retire_key(tx: Tx, key_id: str, at: str) -> None:
    """Say that a key signs no more."""
    tx.execute(update(evidence_keys).where(evidence_keys.c.id == key_id).values(retired_at=at))


def is_registered(tx: Tx, org_id: str, key_id: str) -> bool:
    """Whether the organisation's log names the key."""
    named = ("evidence.key.created", "evidence.key.rotated")
    query = select(_E.id).where(_E.org_id == org_id, _E.resource_type == "evidence_key", _E.event != DECISION_MADE)
    return tx.scalar(query.where(_E.resource_id == key_id, _E.event.in_(named)).limit(1)) is not None


def add_checkpoint(tx: Tx, row: Mapping[str, Any]) -> None:
    """Keep a signed checkpoint."""
    tx.insert(evidence_checkpoints, row)


def last_checkpoint(tx: Tx, org_id: str) -> dict[str, Any] | None:
    """The newest checkpoint of an organisation."""
    return tx.one(select(evidence_checkpoints).where(_P.org_id == org_id).order_by(_P.size.desc()).limit(1))


_CHECKPOINTS = Hot(
    select(evidence_checkpoints)
    .where(_P.org_id == bindparam("org"), _P.size > bindparam("after"), _P.size <= bindparam("until"))
    .order_by(_P.size)
)
_EVER = 2**62


def checkpoints(tx: Tx, org_id: str, after: int, until: int = _EVER) -> list[dict[str, Any]]:
    """The checkpoints of more than `after` entries and at most `until`, the smallest first."""
    return tx.all(_CHECKPOINTS, org=org_id, after=after, until=until)


_BESIDE = evidence_entries.outerjoin(events, (_E.id == _N.event_id) & (_E.org_id == _N.org_id))
_ENTRIES = Hot(
    select(_N.seq, _N.event_id, _N.salt, _N.content, _N.link, _N.record, *_IDENTITY, _E.data)
    .select_from(_BESIDE)
    .where(_N.org_id == bindparam("org"), _N.seq > bindparam("after"))
    .order_by(_N.seq)
    .limit(bindparam("most"))
)
_EVENTS_BETWEEN = Hot(
    select(_E.id).where(_E.org_id == bindparam("org"), _E.id > bindparam("after"), _E.id <= bindparam("until"))
)
_COUNT_BETWEEN = Hot(
    select(func.count()).where(_E.org_id == bindparam("org"), _E.id > bindparam("after"), _E.id <= bindparam("until"))
)


def entries(tx: Tx, org_id: str, after: int, most: int) -> list[tuple[Any, ...]]:
    """The entries after `after`, each beside its event: seq, event_id, salt, content, link, record, then the event.

    The event is id, created_at, event, actor_type, actor_id, agent_id, resource_type, resource_id and data, each None
    when it is gone.
    """
    return tx.tuples(_ENTRIES, org=org_id, after=after, most=most)


def events_between(tx: Tx, org_id: str, after: int, until: int) -> int:
    """How many events of the organisation have an id above `after` and up to `until`."""
    return int(tx.scalar(_COUNT_BETWEEN, org=org_id, after=after, until=until))


def event_ids_between(tx: Tx, org_id: str, after: int, until: int) -> list[int]:
    """The ids of those events."""
    return [row[0] for row in tx.tuples(_EVENTS_BETWEEN, org=org_id, after=after, until=until)]


def tail_span(tx: Tx, org_id: str, after: int) -> tuple[int, int | None, int | None]:
    """How many events come after an id, the first of them and the last."""
    found = (func.count().label("n"), func.min(_E.id).label("first"), func.max(_E.id).label("last"))
    query = select(*found).where(_E.org_id == org_id, _E.id > after)
    row = tx.all(query)[0]
    return row["n"], row["first"], row["last"]


_TOLD = Hot(
    select(_E.id, _E.event, _E.resource_id, _E.data, _E.created_at)
    .where(_E.org_id == bindparam("org"), _E.id > bindparam("after"))
    .where(_is(_E.event, (DECISION_MADE, *ACTION_TOLD)))
    .order_by(_E.id)
    .limit(bindparam("most"))
)


def told_after(tx: Tx, org_id: str, after: int, most: int) -> list[tuple[Any, ...]]:
    """What was told of decisions and actions, by the id of the event: id, event, record, data as stored, moment."""
    return tx.tuples(_TOLD, org=org_id, after=after, most=most)


def told_by(tx: Tx, org_id: str, name: str) -> list[tuple[str, str]]:
    """Every event with a name that is told seldom, in the order of ids: the record it is about, and its data."""
    # Put in order here: asked to do it, SQLite reads every event in that order rather than the few by their name.
    query = select(_E.id, _E.resource_id, _E.data).where(_E.org_id == org_id, _E.event == name, _CHANGE)
    return [(row["resource_id"], row["data"]) for row in sorted(tx.all(query), key=itemgetter("id"))]


def decisions_pruned_before(tx: Tx, org_id: str) -> str:
    """The moment before which decisions were deleted, by what is linked; empty when none were."""
    end = head(tx, org_id)
    query = select(_E.id, _E.data).where(_E.org_id == org_id, _E.event == PRUNED, _CHANGE)
    found = ""
    for row in tx.all(query):
        if end is None or row["id"] > end.event_id:
            continue
        # What cannot be read is found where the chain is walked.
        with suppress(ValueError, TypeError, AttributeError):
            found = max(found, json.loads(row["data"]).get("decisions_before") or "")
    return found


@lru_cache(maxsize=64)
def _last_told(resource_type: str, names: tuple[str, ...]) -> Hot:
    newest = select(func.max(_E.id)).where(_E.org_id == bindparam("org"), _CHANGE, _is(_E.event, names))
    newest = newest.where(_E.resource_id >= bindparam("first"), _E.resource_id <= bindparam("last"))
    newest = newest.where(_is(_E.resource_type, (resource_type,))).group_by(_E.resource_id)
    return Hot(select(_E.resource_id, _E.data).where(_E.id.in_(newest)))


def newest_told(
    tx: Tx, org_id: str, resource_type: str, ids: Collection[str], names: tuple[str, ...]
) -> dict[str, str]:
    """The data of the newest event with one of these names about each of these records, as stored."""
    newest = select(func.max(_E.id)).where(_E.org_id == org_id, _CHANGE, _is(_E.event, names))
    newest = newest.where(_E.resource_id.in_(ids), _E.resource_type == resource_type).group_by(_E.resource_id)
    return {row["resource_id"]: row["data"] for row in tx.all(select(_E.resource_id, _E.data).where(_E.id.in_(newest)))}


def last_told(tx: Tx, org_id: str, resource_type: str, ids: tuple[str, str], names: tuple[str, ...]) -> dict[str, str]:
    """The data of the newest event with one of these names about each record from one id to another, as stored."""
    return dict(tx.tuples(_last_told(resource_type, names), org=org_id, first=ids[0], last=ids[1]))


@lru_cache(maxsize=64)
def _told_and_gone(names: tuple[str, ...], identity: Column[str]) -> Hot:
    there = exists().where(identity.table.c.org_id == _E.org_id, identity == _E.resource_id)
    query = select(_E.resource_id).where(_E.org_id == bindparam("org"), _CHANGE, _is(_E.event, names))
    return Hot(query.where(~there))


def told_and_gone(tx: Tx, org_id: str, names: tuple[str, ...], identity: Column[str]) -> list[str]:
    """The records that events with these names are about and that are not in the table of the column."""
    return list(dict.fromkeys(row[0] for row in tx.tuples(_told_and_gone(names, identity), org=org_id)))
