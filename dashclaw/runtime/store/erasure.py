"""Finds what speaks of an action, and puts nothing in the place of its text."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, delete, literal_column, or_, select, text, update
from sqlalchemy.exc import DBAPIError

from dashclaw._json import compact

from .engine import decode
from .tables import (
    DECISION_MADE,
    approval_votes,
    attachment_pieces,
    attachments,
    events,
    evidence_entries,
    guard_decisions,
    idempotency,
    messages,
    recommendation_events,
    webhook_deliveries,
    webhooks,
)

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement

    from .engine import Store, Tx

# What stands in the place of a text, and of the data of an event.
ERASED = "[erased]"
ERASED_DATA = compact({"erased": True})
_AT_ONCE = 500
_PATIENCE_MILLISECONDS = 250
_E = events.c
_N = evidence_entries.c
_D = guard_decisions.c
_V = approval_votes.c
_M = messages.c
_I = idempotency.c
_W = webhook_deliveries.c
_R = recommendation_events.c
_IS_CHANGE = _E.event != literal_column(f"'{DECISION_MADE}'")


@contextmanager
def overwriting(tx: Tx) -> Iterator[None]:
    """Overwrite with zeros what is deleted inside, instead of only freeing its place (SQLite)."""
    if tx.dialect != "sqlite":
        yield
        return
    before = tx.scalar(text("PRAGMA secure_delete"))
    tx.scalar(text("PRAGMA secure_delete=ON"))
    try:
        yield
    finally:
        tx.scalar(text(f"PRAGMA secure_delete={'FAST' if before == 2 else int(before)}"))


def empty_log(store: Store) -> bool:
    """Empty the write-ahead log, which still holds what was overwritten (SQLite); false while others use it.

    Waits a quarter of a second for them.
    """
    if store.dialect != "sqlite":
        return True
    with store.read() as tx:
        waits = tx.scalar(text("PRAGMA busy_timeout"))
    with store.engine.connect() as connection:
        try:
            connection.execute(text(f"PRAGMA busy_timeout={_PATIENCE_MILLISECONDS}"))
            return not connection.execute(text("PRAGMA wal_checkpoint(TRUNCATE)")).scalar()
        except DBAPIError:
            return False
        finally:
            connection.execute(text(f"PRAGMA busy_timeout={waits}"))


def naming(tx: Tx, org_id: str, name: str, after: int) -> list[dict[str, Any]]:
    """The changes after an event whose data holds `name` as a whole text, oldest first."""
    wanted = compact(name)
    query = select(events).where(_E.org_id == org_id, _E.id > after, _IS_CHANGE)
    found = tx.all(query.where(_E.data.contains(wanted, autoescape=True)).order_by(_E.id))
    # SQLite's LIKE takes letters of either case for the same.
    return [decode(events, row) for row in found if wanted in row["data"]]


def of_records(tx: Tx, org_id: str, kind: str, ids: Iterable[str]) -> list[dict[str, Any]]:
    """The changes of these records."""
    query = select(events).where(_E.org_id == org_id, _E.resource_type == kind, _IS_CHANGE)
    return [decode(events, row) for part in _parts(ids) for row in tx.all(query.where(_E.resource_id.in_(part)))]


def by_ids(tx: Tx, org_id: str, ids: Iterable[int]) -> list[dict[str, Any]]:
    """These events of the organisation."""
    query = select(events).where(_E.org_id == org_id)
    return [decode(events, row) for part in _parts(ids) for row in tx.all(query.where(_E.id.in_(part)))]


def entries(tx: Tx, org_id: str, event_ids: Iterable[int]) -> dict[int, tuple[int, bool]]:
    """The place in the chain of each of these events, and whether its text was erased."""
    query = select(_N.event_id, _N.seq, _N.salt.is_(None).label("erased")).where(_N.org_id == org_id)
    return {
        row["event_id"]: (int(row["seq"]), bool(row["erased"]))
        for part in _parts(event_ids)
        for row in tx.all(query.where(_N.event_id.in_(part)))
    }


def shred(tx: Tx, org_id: str, event_ids: Sequence[int]) -> None:
    """Destroy the data of events and the salts under which their entries committed to it."""
    for part in _parts(event_ids):
        tx.execute(update(events).where(_E.org_id == org_id, _E.id.in_(part)).values(data=ERASED_DATA))
        of_these = (_N.org_id == org_id, _N.event_id.in_(part))
        tx.execute(update(evidence_entries).where(*of_these).values(salt=None))


def decisions_about(tx: Tx, action: Mapping[str, Any], since: str, until: str) -> list[dict[str, Any]]:
    """The decision that an action rests on, and those of its agent about the same body without an action."""
    own = and_(_D.org_id == action["org_id"], _D.id == action["decision_id"])
    found = tx.all(select(guard_decisions).where(own))
    if action["digest"]:
        query = select(guard_decisions).where(_D.org_id == action["org_id"], _D.agent_id == action["agent_id"])
        query = query.where(_D.created_at >= since, _D.created_at <= until, _D.digest == action["digest"])
        found += tx.all(query.where(_D.action_id.is_(None), _D.id != (action["decision_id"] or "")))
    return [decode(guard_decisions, row) for row in found]


def votes(tx: Tx, org_id: str, action_id: str) -> int:
    """Take the reasons, and the digest of what was decided about, out of the votes; returns how many had any."""
    about = and_(_V.org_id == org_id, _V.action_id == action_id)
    given = and_(about, _V.reason.is_not(None), _V.reason != ERASED)
    changed = tx.execute(update(approval_votes).where(given).values(reason=ERASED))
    tx.execute(update(approval_votes).where(about, _V.digest.is_not(None)).values(digest=None))
    return changed


def messages_about(tx: Tx, org_id: str, action_id: str, since: str) -> list[dict[str, Any]]:
    """The messages since a moment that refer to an action as their document or in a field of their own."""
    wanted = compact(action_id)
    names = or_(_M.doc_ref == action_id, _M.metadata.contains(wanted, autoescape=True))
    found = tx.all(select(messages).where(_M.org_id == org_id, _M.created_at >= since, names))
    return [decode(messages, row) for row in found if row["doc_ref"] == action_id or wanted in row["metadata"]]


def drop_attachments(tx: Tx, org_id: str, message_ids: Iterable[str]) -> int:
    """Delete the files of messages; returns how many."""
    files = attachments.c
    gone = 0
    for part in _parts(message_ids):
        of_these = select(files.id).where(files.org_id == org_id, files.message_id.in_(part))
        pieces = attachment_pieces.c
        tx.execute(delete(attachment_pieces).where(pieces.org_id == org_id, pieces.attachment_id.in_(of_these)))
        gone += tx.execute(delete(attachments).where(files.org_id == org_id, files.message_id.in_(part)))
    return gone


def recommendation_events_about(tx: Tx, org_id: str, action_id: str) -> list[dict[str, Any]]:
    """What was reported about recommendations in connection with an action."""
    found = tx.all(select(recommendation_events).where(_R.org_id == org_id, _R.action_id == action_id))
    return [decode(recommendation_events, row) for row in found]


def forget_answers(tx: Tx, org_id: str, names: Iterable[str]) -> int:
    """Forget the kept answers that hold one of these ids, and the digests of what was asked; the keys stay used."""
    # Answers are kept in ASCII.
    holds: list[ColumnElement[bool]] = [_I.body.contains(json.dumps(name), autoescape=True) for name in names]
    where = (_I.org_id == org_id, or_(*holds))
    return tx.execute(update(idempotency).where(*where).values(body=None, fingerprint=""))


def empty_deliveries(tx: Tx, org_id: str, event_ids: Iterable[int]) -> int:
    """Take the data of events out of what webhooks are sent or would be sent again; returns how many deliveries."""
    changed = 0
    hooks = select(webhooks.c.id).where(webhooks.c.org_id == org_id)
    query = select(_W.id, _W.payload).where(_W.org_id == org_id, _W.webhook_id.in_(hooks))
    for part in _parts(event_ids):
        of_these = query.where(_W.event_id.in_(part), or_(_W.payload.is_not(None), _W.response_body.is_not(None)))
        for row in tx.all(of_these):
            payload = None if row["payload"] is None else _emptied(row["payload"])
            values = {"payload": payload, "response_body": None}
            tx.execute(update(webhook_deliveries).where(_W.org_id == org_id, _W.id == row["id"]).values(**values))
            changed += 1
    return changed


def _emptied(payload: str) -> str:
    found = {**json.loads(payload), "data": {"erased": True}}
    if "signals" in found:
        found["signals"] = [found["data"]]
    return compact(found)


def _parts(values: Iterable[Any]) -> Iterator[list[Any]]:
    found = list(values)
    for start in range(0, len(found), _AT_ONCE):
        yield found[start : start + _AT_ONCE]
