"""Keeps the messages of chat channels as the actions are: across restarts, and by any number of servers.

What is to be done is not queued but seen: an action that waits and has no message gets one, a message that shows
another state than its action is changed. A lease on the channel lets one process at a time work on it. A process that
dies between sending and noting it leaves a lease that runs out, and the message may come twice; the buttons of the
first then decide nothing.
"""

from __future__ import annotations

import hashlib
import logging
import os
import random
import secrets
import uuid
from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from ..clock import moment, stamp
from ..identity import Caller
from ..lifecycle import expire_due
from ..operations import Invocation
from ..senders import Senders, pause_after
from ..services.approval_queue import show
from ..store import chat as rows
from ..store.engine import StoreError
from .calling import call, platform_of
from .card import WAITS, Buttons, card_of

if TYPE_CHECKING:
    from ..runtime import Runtime
    from ..store.engine import Tx
    from .platform import Judged, Request

log = logging.getLogger("dashclaw")

SLOTS = 8
LEASE_SECONDS = 60
GIVE_UP = timedelta(hours=24)
FIRST_PAUSE, LONGEST_PAUSE = 5.0, 300.0


class Step(NamedTuple):
    """One call that is to be made; `last` says that the message shows buttons no more."""

    channel: dict[str, Any]
    message: dict[str, Any]
    request: Request | None
    last: bool


def hash_of(token: str) -> str:
    """What is kept of the token of a button."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


class Messenger:
    """Works on each channel in a thread of its own; `finished` is called whenever one is done."""

    def __init__(
        self,
        runtime: Runtime,
        *,
        finished: Callable[[], None] = lambda: None,
        luck: Callable[[], float] = random.random,
    ) -> None:
        self._runtime = runtime
        self._luck = luck
        self._senders = Senders("dashclaw-chat", finished)
        self.settle = self._senders.settle
        self.close = self._senders.close

    def round(self) -> None:
        """Expire what is due and start on the channels that have something to send."""
        with self._runtime.store.read() as tx:
            if not rows.any_active(tx):
                return
            overdue = rows.overdue(tx)
        for org_id in overdue:
            expire_due(self._runtime, org_id)
        with self._runtime.store.read() as tx:
            channels = rows.with_work(tx)
        busy = self._senders.busy()
        idle = [channel for channel in channels if channel["id"] not in busy]
        for channel in idle[: SLOTS - busy.total()]:
            self._senders.start(channel["id"], partial(self._work, channel))

    def _work(self, channel: Mapping[str, Any]) -> None:
        token = os.urandom(16).hex()
        try:
            while not self._senders.closed and self._step(channel, token):
                pass
            with self._runtime.store.write(channel["org_id"]) as tx:
                rows.release(tx, channel["id"], token)
        except StoreError as error:
            # Nothing is lost: the lease ends, and what is to be done is seen again.
            log.warning("The chat channel %s could not be worked on: %s", channel["id"], error)
        except Exception:
            log.exception("The chat channel %s could not be worked on", channel["id"])

    def _step(self, channel: Mapping[str, Any], token: str) -> bool:
        """Send one message or change one; false when there is nothing to do, or it failed."""
        with self._runtime.store.write(channel["org_id"]) as tx:
            if not rows.lease(tx, channel["id"], token, stamp(tx.now + timedelta(seconds=LEASE_SECONDS))):
                return False
            step = self._next(tx, channel["id"])
        if step is None:
            return False
        if step.request is None:
            return True
        settings = self._runtime.settings
        judged = call(settings, platform_of(settings, step.channel["platform"]), step.channel, step.request)
        with self._runtime.store.write(channel["org_id"]) as tx:
            self._note(tx, step, judged)
        return judged.error is None

    def _next(self, tx: Tx, channel_id: str) -> Step | None:
        channel = rows.by_id(tx, channel_id)
        message = rows.next_stale(tx, channel_id) if channel is not None else None
        if channel is not None and message is None and (new := rows.next_new(tx, channel_id)) is not None:
            message = _fresh(tx, channel, new)
        if channel is None or message is None:
            return None
        return self._prepared(tx, channel, message)

    def _prepared(self, tx: Tx, channel: dict[str, Any], message: dict[str, Any]) -> Step:
        """Give a message other buttons, for the state of the action that it is to show."""
        system = Caller(channel["org_id"], "chat", "readonly", "system")
        asked = Invocation(self._runtime, system, {"action_id": message["action_id"]}, None, None, {})
        dossier = show(tx, asked)
        waits = dossier["action"]["status"] == WAITS
        buttons = Buttons(secrets.token_urlsafe(24), secrets.token_urlsafe(24)) if waits else None
        never_sent = message["reference"] is None
        values = {
            "seen": dossier["action"]["updated_at"],
            "approve_hash": hash_of(buttons.approve) if buttons else None,
            "deny_hash": hash_of(buttons.deny) if buttons else None,
            "used_at": None,
            "sent_at": None,
            # Nobody has to hear of what was decided before the message could be sent.
            "closed_at": tx.stamp if never_sent and not waits else None,
        }
        rows.change_message(tx, message["id"], values)
        settings = self._runtime.settings
        platform, card = platform_of(settings, channel["platform"]), card_of(dossier, settings.public_url)
        request = None
        if never_sent:
            request = platform.post(channel, message["id"], card, buttons) if waits else None
        else:
            request = platform.edit(channel, message["reference"], card, buttons)
        return Step(channel, message, request, not waits)

    def _note(self, tx: Tx, step: Step, judged: Judged) -> None:
        channel, message = step.channel, step.message
        if judged.error is None:
            reference = message["reference"] or judged.reference
            values = {"sent_at": tx.stamp, "error": None, "reference": reference}
            rows.change_message(tx, message["id"], {**values, "closed_at": tx.stamp if step.last else None})
            fine = {"error": None, "failed_at": None, "failure_count": 0, "retry_at": None, "sent_at": tx.stamp}
            rows.CHANNELS.change(tx, channel["org_id"], channel["id"], fine)
            return
        over = judged.gone or tx.stamp >= message["give_up_at"]
        rows.change_message(tx, message["id"], {"error": judged.error, "closed_at": tx.stamp if over else None})
        if judged.gone:
            return
        failures = channel["failure_count"] + 1
        seconds = max(pause_after(failures, self._luck(), FIRST_PAUSE, LONGEST_PAUSE), judged.retry_after)
        failed = {"error": judged.error, "failed_at": tx.stamp, "failure_count": failures}
        failed["retry_at"] = stamp(tx.now + timedelta(seconds=seconds))
        rows.CHANNELS.change(tx, channel["org_id"], channel["id"], failed)
        log.warning("Chat channel %s: %s", channel["id"], judged.error)


def _fresh(tx: Tx, channel: Mapping[str, Any], action: Mapping[str, Any]) -> dict[str, Any]:
    row: dict[str, Any] = {
        "id": f"cm_{uuid.uuid4()}",
        "org_id": channel["org_id"],
        "channel_id": channel["id"],
        "action_id": action["action_id"],
        "reference": None,
        "give_up_at": stamp(moment(action["approval_expires_at"]) + GIVE_UP),
        "created_at": tx.stamp,
    }
    rows.MESSAGES.add(tx, row)
    return row
