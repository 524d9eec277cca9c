"""Webhooks, their outbox and their history; the states of signals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, delete, exists, func, or_, select, update

from .engine import decode
from .records import Records
from .tables import events, signal_states, webhook_deliveries, webhooks

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from sqlalchemy import ColumnElement

    from .engine import Tx

hooks = Records(webhooks)
deliveries = Records(webhook_deliveries)

_W = webhooks.c
_D = webhook_deliveries.c
_S = signal_states.c
_E = events.c


def _ready(now: str) -> tuple[ColumnElement[bool], ...]:
    return _W.active == 1, or_(_W.retry_at.is_(None), _W.retry_at <= now)


def behind(tx: Tx, most: int, most_untried: int) -> list[dict[str, Any]]:
    """Webhooks that have not looked at every event, those furthest behind first.

    Only those that may be called now and have fewer than `most_untried` deliveries that were never tried.
    """
    newer = exists().where(_E.org_id == _W.org_id, _E.id > _W.cursor)
    waiting = select(func.count()).where(_D.webhook_id == _W.id, _D.next_attempt_at.is_not(None), _D.attempts == 0)
    query = select(webhooks).where(*_ready(tx.stamp), newer, waiting.scalar_subquery() < most_untried)
    return [decode(webhooks, row) for row in tx.all(query.order_by(_W.cursor, _W.id).limit(most))]


def least_cursor(tx: Tx, org_id: str) -> int | None:
    """The last event that every webhook in use of an organisation has looked at; None without webhooks."""
    found: int | None = tx.scalar(select(func.min(_W.cursor)).where(_W.org_id == org_id, _W.active == 1))
    return found


def move_cursor(tx: Tx, webhook_id: str, event_id: int) -> None:
    """Remember the last event that was looked at."""
    tx.execute(update(webhooks).where(_W.id == webhook_id).values(cursor=event_id))


def with_due(tx: Tx, busy: Collection[str], most: int) -> list[dict[str, Any]]:
    """Webhooks that may be called now and have something due, those that waited longest first."""
    due = exists().where(_D.webhook_id == _W.id, _D.next_attempt_at <= tx.stamp)
    query = select(webhooks).where(*_ready(tx.stamp), _W.id.not_in(busy), due)
    return [
        decode(webhooks, row)
        for row in tx.all(query.order_by(func.coalesce(_W.last_triggered_at, ""), _W.id).limit(most))
    ]


def due(tx: Tx, webhook_id: str, most: int) -> list[dict[str, Any]]:
    """What a webhook is to be sent now; what was never tried goes first, so that nothing waits behind a failure."""
    query = select(webhook_deliveries).where(_D.webhook_id == webhook_id, _D.next_attempt_at <= tx.stamp)
    return tx.all(query.order_by(_D.attempts, _D.event_id, _D.id).limit(most))


def lease(tx: Tx, delivery_id: str, token: str, until: str) -> bool:
    """Take a delivery until a moment; false when somebody else has it."""
    free = update(webhook_deliveries).where(_D.id == delivery_id, _D.next_attempt_at <= tx.stamp)
    return tx.execute(free.values(lease=token, next_attempt_at=until, attempts=_D.attempts + 1)) == 1


def settle(tx: Tx, delivery_id: str, token: str | None, values: Mapping[str, Any]) -> bool:
    """Write down how an attempt went; with a token only while the lease is held."""
    held = [_D.lease == token] if token is not None else []
    return tx.execute(update(webhook_deliveries).where(_D.id == delivery_id, *held).values(**values)) == 1


def close_all(tx: Tx, org_id: str, webhook_id: str, error: str) -> int:
    """Give up everything that a webhook still waits for; what was never tried gets the reason."""
    where = (_D.org_id == org_id, _D.webhook_id == webhook_id, _D.next_attempt_at.is_not(None))
    values = {"status": "failed", "next_attempt_at": None, "lease": None, "error": func.coalesce(_D.error, error)}
    return tx.execute(update(webhook_deliveries).where(*where).values(values))


def reopen(tx: Tx, org_id: str, webhook_id: str, delivery_id: str | None, give_up_at: str) -> int:
    """Let what was given up be sent again, one delivery or all of a webhook but tests; returns how many."""
    one = _D.event_id.is_not(None) if delivery_id is None else _D.id == delivery_id
    where = (_D.org_id == org_id, _D.webhook_id == webhook_id, _D.status == "failed", one)
    values = {"status": "pending", "attempts": 0, "next_attempt_at": tx.stamp, "give_up_at": give_up_at, "lease": None}
    return tx.execute(update(webhook_deliveries).where(*where).values(**values))


def note_failure(tx: Tx, webhook_id: str, claimed_at: str) -> bool:
    """Count a failure, unless the attempt began before one that is counted already."""
    fresh = or_(_W.failed_at.is_(None), _W.failed_at <= claimed_at)
    values = {"failure_count": _W.failure_count + 1, "failed_at": tx.stamp, "last_triggered_at": tx.stamp}
    return tx.execute(update(webhooks).where(_W.id == webhook_id, _W.active == 1, fresh).values(values)) == 1


def note_success(tx: Tx, webhook_id: str) -> None:
    """Forget the failures of a webhook."""
    values = {"failure_count": 0, "failed_at": None, "retry_at": None, "last_triggered_at": tx.stamp}
    tx.execute(update(webhooks).where(_W.id == webhook_id).values(values))


def history(
    tx: Tx, org_id: str, webhook_id: str, status: str | None, size: int, offset: int
) -> tuple[list[dict[str, Any]], int]:
    """The deliveries of a webhook, newest first, and how many there are."""
    where = [_D.webhook_id == webhook_id, *([_D.status == status] if status else [])]
    order = (_D.created_at.desc(), _D.event_id.desc())
    return deliveries.page(tx, org_id, where, size=size, offset=offset, order=order)


def forget(tx: Tx, before: str, most: int) -> int:
    """Delete deliveries that were settled before a moment, `most` at a time; returns how many went."""
    old = (_D.created_at < before, _D.next_attempt_at.is_(None))
    ids = select(_D.id).where(*old).order_by(_D.created_at).limit(most)
    return tx.execute(delete(webhook_deliveries).where(*old, _D.id.in_(ids)))


def signals_on(tx: Tx, org_id: str) -> set[str]:
    """The fingerprints of the signals that are on."""
    return {row["fingerprint"] for row in tx.all(select(_S.fingerprint).where(_S.org_id == org_id))}


def signal_begins(tx: Tx, row: Mapping[str, Any]) -> None:
    """Remember that a signal is on."""
    tx.insert(signal_states, row)


def signals_end(tx: Tx, org_id: str, fingerprints: Sequence[str]) -> None:
    """Forget signals that are off."""
    tx.execute(delete(signal_states).where(and_(_S.org_id == org_id, _S.fingerprint.in_(fingerprints))))
