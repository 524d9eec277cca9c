"""Delivers events to webhooks: each at least once, across restarts and by any number of servers.

What has to outlive this process is in the database: how far each webhook has looked, a row per webhook and event, and
a lease on what is being sent. A process that dies leaves leases that run out; the receiver then sees the same
`X-DashClaw-Delivery` twice. The order of events is not kept; payloads carry the event's id.
"""

from __future__ import annotations

import json
import logging
import os
import random
import uuid
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from dashclaw._json import compact

from .clock import stamp
from .feed import events_after
from .identity import Caller
from .payloads import is_wanted, plain_payload
from .senders import Senders, pause_after
from .sending import Outcome, send
from .store import webhooks as rows
from .store.engine import StoreError

if TYPE_CHECKING:
    from .runtime import Runtime
    from .store.engine import Tx

log = logging.getLogger("dashclaw")

SLOTS = 16
SLOTS_PER_HOOK = 4
EVENTS_AT_ONCE = 100
LOOKS_AT_ONCE = 20
MOST_UNTRIED = 500
LEASE_SECONDS = 60
GIVE_UP_HOURS = 24
FAILURES_TO_DISABLE = 10


class Claim(NamedTuple):
    """A delivery that this process sends now."""

    hook: dict[str, Any]
    delivery: dict[str, Any]
    token: str
    claimed_at: str


class Deliverer:
    """Sends what is due in threads of its own; `finished` is called whenever one of them is done."""

    def __init__(
        self,
        runtime: Runtime,
        *,
        finished: Callable[[], None] = lambda: None,
        luck: Callable[[], float] = random.random,
    ) -> None:
        self._runtime = runtime
        self._luck = luck
        self._senders = Senders("dashclaw-webhook", finished)
        self.settle = self._senders.settle
        # What is not sent by then is sent again when its lease ends.
        self.close = self._senders.close

    def round(self) -> None:
        """Look at new events and start what is due, as much as there are free slots for."""
        for claim in self._claims():
            self._senders.start(claim.hook["id"], partial(self._deliver, claim))

    def _claims(self) -> list[Claim]:
        busy = self._senders.busy()
        room = 0 if self._senders.closed else SLOTS - busy.total()
        if not room:
            return []
        full = {hook_id for hook_id, count in busy.items() if count >= SLOTS_PER_HOOK}
        store = self._runtime.store
        with store.read() as tx:
            behind = bool(rows.behind(tx, 1, MOST_UNTRIED))
            if not behind and not rows.with_due(tx, full, 1):
                return []
        for _ in range(LOOKS_AT_ONCE):
            if not behind or self._senders.closed:
                break
            behind = self._look()
        # The deliverers of all servers follow each other; the writers of an organisation are not held up.
        with store.write() as tx:
            return _claimed(tx, busy, full, room)

    def _look(self) -> bool:
        """Let the webhook that is furthest behind look at its next events; false when none is behind."""
        with self._runtime.store.write() as tx:
            for hook in rows.behind(tx, 1, MOST_UNTRIED):
                _queue_events(tx, hook)
                return True
        return False

    def _deliver(self, claim: Claim) -> None:
        try:
            self._record(claim, self._send(claim))
        except StoreError as error:
            # Nothing is lost: the lease ends and the delivery is due again.
            log.warning("A delivery to webhook %s could not be recorded: %s", claim.hook["id"], error)

    def _send(self, claim: Claim) -> Outcome:
        try:
            payload = json.loads(claim.delivery["payload"])
            return send(self._runtime.settings, self._runtime.clock(), claim.hook, claim.delivery["id"], payload)
        except Exception:
            log.exception("The delivery %s could not be made", claim.delivery["id"])
            return Outcome(None, "", "it could not be made; the server's log says why", 0)

    def _record(self, claim: Claim, outcome: Outcome) -> None:
        hook_id, org_id = claim.hook["id"], claim.hook["org_id"]
        found = {
            "lease": None,
            "response_status": outcome.status,
            "response_body": outcome.body,
            "error": outcome.error,
            "duration_ms": outcome.duration_ms,
        }
        with self._runtime.store.write(org_id) as tx:
            found["attempted_at"] = tx.stamp
            if outcome.error is None:
                # What arrived has arrived, whoever holds the lease by now; the event itself stays in the log.
                found |= {"status": "success", "next_attempt_at": None, "payload": None}
                rows.settle(tx, claim.delivery["id"], None, found)
                rows.note_success(tx, hook_id)
            elif rows.settle(tx, claim.delivery["id"], claim.token, {**found, **self._next(tx, claim, outcome)}):
                self._note_failure(tx, claim, outcome)

    def _next(self, tx: Tx, claim: Claim, outcome: Outcome) -> dict[str, Any]:
        """When a failed delivery is tried again; after 24 hours it is given up."""
        if tx.stamp >= claim.delivery["give_up_at"]:
            return {"status": "failed", "next_attempt_at": None}
        seconds = max(pause_after(claim.delivery["attempts"], self._luck()), outcome.retry_after)
        again = stamp(tx.now + timedelta(seconds=seconds))
        return {"status": "retrying", "next_attempt_at": min(again, claim.delivery["give_up_at"])}

    def _note_failure(self, tx: Tx, claim: Claim, outcome: Outcome) -> None:
        """Leave the webhook alone for a while; after ten failures in a row, for good."""
        org_id, hook_id = claim.hook["org_id"], claim.hook["id"]
        if not rows.note_failure(tx, hook_id, claim.claimed_at):
            return
        hook = rows.hooks.find(tx, org_id, hook_id)
        failures = hook["failure_count"] if hook is not None else 0
        if failures >= FAILURES_TO_DISABLE:
            disable(tx, Caller(org_id, "webhooks", "admin", "system"), claim.hook, failures, outcome.error)
        else:
            seconds = max(pause_after(failures, self._luck()), outcome.retry_after)
            rows.hooks.change(tx, org_id, hook_id, {"retry_at": stamp(tx.now + timedelta(seconds=seconds))})


def disable(tx: Tx, caller: Caller, hook: dict[str, Any], failures: int, error: str | None) -> None:
    """Switch a webhook off after failures, give up what waits for it, and say so with an event."""
    reason = f"{failures} failures in a row; at last {error}"
    values = {"active": False, "disabled_at": tx.stamp, "disabled_reason": reason, "retry_at": None}
    rows.hooks.change(tx, hook["org_id"], hook["id"], {**values, "updated_at": tx.stamp})
    given_up = rows.close_all(tx, hook["org_id"], hook["id"], "the webhook was disabled")
    data = {"webhook_id": hook["id"], "reason": reason, "failure_count": failures, "given_up": given_up}
    tx.emit(caller, "webhook.disabled", "webhook", hook["id"], data)
    log.warning("Webhook %s was disabled after %s", hook["id"], reason)


def _queue_events(tx: Tx, hook: dict[str, Any]) -> None:
    """Queue the next events that a webhook asked for, and remember how far it has looked."""
    found = events_after(tx, hook["org_id"], hook["cursor"], EVENTS_AT_ONCE)
    for event in found:
        if is_wanted(hook["events"], event):
            rows.deliveries.add(tx, _delivery(tx, hook, event))
    if found:
        rows.move_cursor(tx, hook["id"], found[-1]["id"])


def _delivery(tx: Tx, hook: dict[str, Any], event: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": f"wd_{uuid.uuid4()}",
        "org_id": hook["org_id"],
        "webhook_id": hook["id"],
        "event_id": event["id"],
        "event_type": event["event"],
        "payload": compact(plain_payload(event)),
        "status": "pending",
        "next_attempt_at": tx.stamp,
        "give_up_at": stamp(tx.now + timedelta(hours=GIVE_UP_HOURS)),
        "created_at": tx.stamp,
    }


def _claimed(tx: Tx, busy: Counter[str], full: set[str], room: int) -> list[Claim]:
    """Lease what is due, a few per webhook; one that failed is tried with a single delivery first."""
    claims: list[Claim] = []
    token, until = os.urandom(16).hex(), stamp(tx.now + timedelta(seconds=LEASE_SECONDS))
    for hook in rows.with_due(tx, full, room):
        most = min(room - len(claims), (1 if hook["failure_count"] else SLOTS_PER_HOOK) - busy[hook["id"]])
        for found in rows.due(tx, hook["id"], most) if most > 0 else ():
            if rows.lease(tx, found["id"], token, until):
                claims.append(Claim(hook, {**found, "attempts": found["attempts"] + 1}, token, tx.stamp))
    return claims
