"""Turns signals into events: one when a signal begins, and another when it comes back after it had ended."""

from __future__ import annotations

import hashlib
import threading
from typing import TYPE_CHECKING, Any

from .identity import Caller
from .services.signals import DETECTED, signals_for
from .store import orgs
from .store import webhooks as rows

if TYPE_CHECKING:
    from .runtime import Runtime
    from .store.engine import Tx

# Above what is shown, so that a signal that others push out of the list does not seem to end.
MOST = 1000
_SUBJECT = ("type", "agent_id", "action_id", "loop_id", "assumption_id")


def detect(runtime: Runtime, stop: threading.Event | None = None) -> int:
    """Compare the signals of every organisation with those that are known; returns how many began.

    Each organisation has transactions of its own; `stop` ends the walk between two of them.
    """
    begun = 0
    with runtime.store.read() as tx:
        org_ids = orgs.every_id(tx)
    for org_id in org_ids:
        if stop is not None and stop.is_set():
            break
        with runtime.store.read() as tx:
            found, known = _found(tx, org_id), rows.signals_on(tx, org_id)
        if found.keys() != known:
            with runtime.store.write(org_id) as tx:
                begun += _compare(tx, org_id)
    return begun


def _found(tx: Tx, org_id: str) -> dict[str, dict[str, Any]]:
    return {_fingerprint(signal): signal for signal in signals_for(tx, org_id, most=MOST)}


def _fingerprint(signal: dict[str, Any]) -> str:
    subject = "\n".join(str(signal.get(name) or "") for name in _SUBJECT)
    return hashlib.sha256(subject.encode()).hexdigest()


def _compare(tx: Tx, org_id: str) -> int:
    found, known = _found(tx, org_id), rows.signals_on(tx, org_id)
    rows.signals_end(tx, org_id, sorted(known - found.keys()))
    new = [fingerprint for fingerprint in found if fingerprint not in known]
    caller = Caller(org_id, "signals", "admin", "system")
    for fingerprint in new:
        signal = found[fingerprint]
        row = {"type": signal["type"], "agent_id": signal["agent_id"], "began_at": tx.stamp}
        rows.signal_begins(tx, {"org_id": org_id, "fingerprint": fingerprint, **row})
        tx.emit(caller, DETECTED, "signal", fingerprint, signal, signal["agent_id"])
    return len(new)
