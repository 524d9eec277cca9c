"""Forgets what was kept long enough, and nothing that later evidence needs."""

from __future__ import annotations

from collections.abc import Callable
from itertools import takewhile
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, select

from ..clock import ago
from ..evidence.sequencer import link_all
from ..guard.policy import MAX_WINDOW_MINUTES
from . import chat, decision_links, decisions, evidence, routing, signatures, webhooks
from .erasure import overwriting
from .pruning import NEVER_PRUNED, prune_events, tell_decisions
from .tables import actions, events, idempotency, organizations

if TYPE_CHECKING:
    from ..settings import Settings
    from .engine import Store, Tx

BATCH = 1000
REPLAY_HOURS = 24
_E = events.c
_A = actions.c

# Looks at the rows after a cursor; returns how many it deleted and the next cursor, None at the end.
Step = Callable[["Tx", Any], tuple[int, Any]]


def sweep(store: Store, settings: Settings) -> dict[str, int]:
    """Delete what is older than the settings allow, in short transactions; returns what went.

    Replayable answers go after 24 hours, nonces of signatures when their time stamps are too old by an hour. Decisions
    go after `decision_days`, unless an action rests on them or a rate limit may still count them (7 days); events after
    `event_days`, unless their action runs or waits for a person, or a webhook has still to look at them. Settled
    deliveries of webhooks, messages in chats, links and messages about tasks go after `delivery_days`.
    None keeps for ever. The chain keeps the entry of every event and tells what went, in the transaction in which it
    goes. Every transaction looks at 1,000 rows at the most.
    """
    with store.read() as tx:
        orgs: list[str] = [row["id"] for row in tx.all(select(organizations.c.id))]
    gone = {
        "idempotency": _walk(store, "", _forget_answers),
        "nonces": _walk(store, "", _forget_nonces),
        "decisions": 0,
        "events": 0,
        "deliveries": 0,
    }
    if (days := settings.delivery_days) is not None:
        gone["deliveries"] = _walk(store, "", _forget_deliveries(days))
    for org_id in orgs:
        if (days := settings.delivery_days) is not None:
            gone["deliveries"] += _walk(store, org_id, _forget_messages(org_id, days))
        link_all(store, org_id)
        if (days := settings.decision_days) is not None:
            gone["decisions"] += _walk(store, org_id, _forget_decisions(org_id, days))
        if (days := settings.event_days) is not None:
            gone["events"] += _walk(store, org_id, _forget_events(org_id, days))
    return gone


def _walk(store: Store, org_id: str, step: Step) -> int:
    total, cursor = 0, None
    while True:
        with store.write(org_id) as tx:
            gone, cursor = step(tx, cursor)
        total += gone
        if cursor is None:
            return total


def _forget_answers(tx: Tx, _: Any) -> tuple[int, bool | None]:
    old = idempotency.c.created_at < ago(tx.now, hours=REPLAY_HOURS)
    keys = select(idempotency.c.key).where(old).order_by(idempotency.c.created_at).limit(BATCH)
    gone = tx.execute(delete(idempotency).where(old, idempotency.c.key.in_(keys)))
    return gone, True if gone >= BATCH else None


def _forget_nonces(tx: Tx, _: Any) -> tuple[int, bool | None]:
    # The hour is for servers whose clocks differ.
    gone = signatures.forget_nonces(tx, ago(tx.now, hours=1), BATCH)
    return gone, True if gone >= BATCH else None


def _forget_deliveries(days: int) -> Step:
    def step(tx: Tx, _: Any) -> tuple[int, bool | None]:
        before = ago(tx.now, days=days)
        gone = [forget(tx, before, BATCH) for forget in (webhooks.forget, chat.forget, decision_links.forget)]
        return sum(gone), True if max(gone) >= BATCH else None

    return step


def _forget_messages(org_id: str, days: int) -> Step:
    def step(tx: Tx, _: Any) -> tuple[int, bool | None]:
        gone = routing.forget_messages(tx, org_id, ago(tx.now, days=days), BATCH)
        return gone, True if gone >= BATCH else None

    return step


def _forget_decisions(org_id: str, days: int) -> Step:
    minutes = max(days * 24 * 60, MAX_WINDOW_MINUTES)

    def step(tx: Tx, after: tuple[str, str] | None) -> tuple[int, tuple[str, str] | None]:
        before = ago(tx.now, minutes=minutes)
        with overwriting(tx):
            gone, cursor = decisions.forget(tx, org_id, after or ("", ""), before, BATCH)
        if gone:
            tell_decisions(tx, org_id, before, gone, f"decision_days={days}")
        return gone, cursor

    return step


def _forget_events(org_id: str, days: int) -> Step:
    def step(tx: Tx, after: int | None) -> tuple[int, int | None]:
        head = evidence.head(tx, org_id)
        last = 0 if head is None else head.event_id
        if (seen := webhooks.least_cursor(tx, org_id)) is not None:
            last = min(last, seen)
        next_ = select(_E.id, _E.created_at, _E.event, _E.resource_type, _E.resource_id).where(
            _E.org_id == org_id, _E.id > (after or 0), _E.id <= last
        )
        rows = tx.all(next_.order_by(_E.id).limit(BATCH))
        before = ago(tx.now, days=days)
        # Ids are given in the order of time, so that the first one to keep ends the search.
        old = list(takewhile(lambda row: row["created_at"] < before, rows))
        needed = _open_actions(tx, org_id, {row["resource_id"] for row in old if row["resource_type"] == "action"})
        ids = [
            row["id"]
            for row in old
            if not row["event"].startswith(NEVER_PRUNED)
            and (row["resource_type"] != "action" or row["resource_id"] not in needed)
        ]
        gone = prune_events(tx, org_id, ids, f"event_days={days}")
        return gone, old[-1]["id"] if len(old) == BATCH else None

    return step


def _open_actions(tx: Tx, org_id: str, ids: set[str]) -> set[str]:
    if not ids:
        return set()
    is_open = _A.status.in_(("running", "pending_approval"))
    return {
        row["action_id"]
        for row in tx.all(select(_A.action_id).where(_A.org_id == org_id, _A.action_id.in_(ids), is_open))
    }
