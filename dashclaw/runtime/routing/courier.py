"""Delivers what tasks have to tell agents and callers, once the change is committed; each message at least once."""

from __future__ import annotations

import logging
import random
import threading
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from ..clock import ago, stamp
from ..delivery import GIVE_UP_HOURS, LEASE_SECONDS
from ..senders import GRACE_SECONDS, pause_after
from ..sending import Outcome, send
from ..store import routing as rows
from ..store.engine import StoreError
from .tasks import system

if TYPE_CHECKING:
    from ..runtime import Runtime
    from ..store.engine import Tx

log = logging.getLogger("dashclaw")

AT_ONCE = 8


class Courier:
    """Sends in a thread that lives while there is something to send; messages and attempts are kept in the database.

    A process that dies leaves leases that run out, so that another one sends again.
    """

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._lock = threading.Lock()
        self._orgs: set[str] = set()
        self._thread: threading.Thread | None = None

    def look(self, tx: Tx, org_id: str) -> None:
        """Send what an organisation has to tell by now, after this transaction."""
        if rows.due_messages(tx, org_id, 1):
            self.wake(org_id)

    def wake(self, org_id: str) -> None:
        """Send the due messages of an organisation; inside a transaction, after it: the first step waits for it."""
        with self._lock:
            self._orgs.add(org_id)
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._work, name="dashclaw-courier", daemon=True)
                self._thread.start()

    def settle(self, seconds: float) -> bool:
        """Wait until nothing is being sent; false when that takes longer."""
        thread = self._thread
        if thread is not None:
            thread.join(seconds)
        return thread is None or not thread.is_alive()

    def close(self) -> None:
        """Give what is being sent two seconds; the rest is sent when its lease ends, by whoever is there then."""
        self.settle(GRACE_SECONDS)

    def _work(self) -> None:
        while (org_id := self._next()) is not None:
            try:
                while claims := self._claims(org_id):
                    self._send(claims)
            except StoreError as error:
                log.warning("Messages about tasks could not be sent now: %s", error)

    def _send(self, claims: list[dict[str, Any]]) -> None:
        # Threads of a pool would hold up the end of the process.
        threads = [
            threading.Thread(target=self._deliver, args=(row,), name="dashclaw-message", daemon=True) for row in claims
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _next(self) -> str | None:
        with self._lock:
            if self._orgs:
                return self._orgs.pop()
            self._thread = None
            return None

    def _claims(self, org_id: str) -> list[dict[str, Any]]:
        with self._runtime.store.write(org_id) as tx:
            until = stamp(tx.now + timedelta(seconds=LEASE_SECONDS))
            due = rows.due_messages(tx, org_id, AT_ONCE)
            found = [rows.claim_message(tx, org_id, key, until) for key in due]
        return [row for row in found if row is not None]

    def _deliver(self, row: dict[str, Any]) -> None:
        runtime = self._runtime
        target = {"url": row["url"], "format": "plain", "secret": runtime.settings.webhook_secret}
        outcome = send(runtime.settings, runtime.clock(), target, row["id"], row["body"])
        try:
            with runtime.store.write(row["org_id"]) as tx:
                _record(tx, row, outcome)
        except StoreError as error:
            # Nothing is lost: the lease ends and the message is due again.
            log.warning("What came of a message about task %s could not be recorded: %s", row["task_id"], error)


def _record(tx: Tx, row: dict[str, Any], outcome: Outcome) -> None:
    if outcome.error is None:
        rows.settle_message(tx, row, {"status": "delivered", "next_at": None, "error": None}, late=True)
        return
    if row["created_at"] <= ago(tx.now, hours=GIVE_UP_HOURS):
        if rows.settle_message(tx, row, {"status": "failed", "next_at": None, "error": outcome.error}):
            data = {name: row[name] for name in ("id", "task_id", "event", "url", "attempts")}
            told = {**data, "error": outcome.error}
            tx.emit(system(row["org_id"]), "routing.message.failed", "task", row["task_id"], told)
        return
    seconds = max(pause_after(row["attempts"], random.random()), outcome.retry_after)  # noqa: S311 - no secret
    again = stamp(tx.now + timedelta(seconds=seconds))
    rows.settle_message(tx, row, {"status": "retrying", "next_at": again, "error": outcome.error})
