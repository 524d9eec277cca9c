"""Links committed events into the chain, one writer of a database at a time and never in a writer's way."""

from __future__ import annotations

import logging
import os
import threading
from typing import TYPE_CHECKING, Any, NamedTuple

from ..store import evidence as rows
from .chain import SALT_BYTES, content, genesis, link, record
from .merkle import Frontier

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ..store.engine import Store, Tx

log = logging.getLogger("dashclaw")

GATHER_SECONDS = 0.25
BATCH = 250
# Data may be large: a batch begins small and then holds about as many characters as these.
_FIRST_BATCH = 50
_CHARACTERS = 2_000_000
_CLOSE_SECONDS = 10.0


def link_events(store: Store, org_id: str, most: int = BATCH) -> int:
    """Link an organisation's next events; returns how many.

    What is hashed is read and hashed outside the write transaction, which then only goes through when no other process
    linked meanwhile.
    """
    found = _link(store, org_id, most)
    return found.linked if found else 0


def link_all(store: Store, org_id: str) -> int:
    """Link all that is there now; returns how many."""
    total, size = 0, _FIRST_BATCH
    while (found := _link(store, org_id, size)) is not None:
        total += found.linked
        size = found.next
    return total


class _Batch(NamedTuple):
    """How many events were linked, 0 when another process was first, and how many fit into the next batch."""

    linked: int
    next: int


def _link(store: Store, org_id: str, most: int) -> _Batch | None:
    with store.read() as tx:
        before = rows.head(tx, org_id)
        found = rows.unlinked(tx, org_id, before.event_id if before else 0, most)
    if not found:
        return None
    characters = sum(len(event[-1]) for event in found)
    fitting = _Batch(0, max(1, min(BATCH, _CHARACTERS * len(found) // characters)))
    entries, after = _linked(org_id, before, found)
    with store.write(org_id) as tx:
        if rows.head(tx, org_id) != before:
            return fitting
        rows.append(tx, org_id, entries, after)
    return fitting._replace(linked=len(entries))


def link_within(tx: Tx, org_id: str) -> int:
    """Link all that is there, what this transaction emitted included; returns how many.

    Writers of the organisation wait meanwhile: to be called right after `link_all`.
    """
    total = 0
    while True:
        before = rows.head(tx, org_id)
        found = rows.unlinked(tx, org_id, before.event_id if before else 0, BATCH)
        if not found:
            return total
        entries, after = _linked(org_id, before, found)
        rows.append(tx, org_id, entries, after)
        total += len(entries)


def _linked(
    org_id: str, before: rows.Head | None, events: Sequence[tuple[Any, ...]]
) -> tuple[list[dict[str, Any]], rows.Head]:
    last = genesis(org_id) if before is None else before.link
    tree = Frontier() if before is None else Frontier.unpack(before.size, before.frontier)
    entries = []
    event_id = 0
    # One call for all: each gives up the interpreter's lock.
    random = os.urandom(SALT_BYTES * len(events))
    for at, event in enumerate(events):
        event_id = event[0]
        salt = random[at * SALT_BYTES : (at + 1) * SALT_BYTES]
        committed = content(salt, event[-1])
        last = link(last, record(tree.size + 1, event[:-1], committed))
        tree.append(last)
        entries.append(
            {
                "org_id": org_id,
                "seq": tree.size,
                "event_id": event_id,
                "salt": salt,
                "content": committed,
                "link": last,
            }
        )
    return entries, rows.Head(tree.size, event_id, last, tree.pack())


class Sequencer:
    """Links in a thread what this process commits, within half a second; the thread begins with the first event."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._waiting: set[str] = set()
        self._wake = threading.Event()
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None
        self._pid = os.getpid()
        store.on_events = self.note

    def note(self, org_ids: Iterable[str]) -> None:
        """Remember that organisations have new events."""
        if self._thread is not None and self._pid == os.getpid() and self._waiting.issuperset(org_ids):
            return
        with self._lock:
            self._waiting.update(org_ids)
            if not self._closing.is_set() and (self._thread is None or self._pid != os.getpid()):
                self._begin()
        self._wake.set()

    def _begin(self) -> None:
        if self._pid != os.getpid():
            self._wake, self._pid = threading.Event(), os.getpid()
        self._thread = threading.Thread(target=self._run, name="dashclaw-evidence", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Link what is left and end; closing twice is harmless."""
        self._closing.set()
        self._wake.set()
        thread = self._thread
        if thread is not None and self._pid == os.getpid() and thread is not threading.current_thread():
            thread.join(_CLOSE_SECONDS)

    def _run(self) -> None:
        failures = 0
        while True:
            self._wake.wait()
            self._closing.wait(GATHER_SECONDS * 2 ** min(failures, 5))
            self._wake.clear()
            with self._lock:
                now, self._waiting = self._waiting, set()
            try:
                for org_id in now:
                    link_all(self._store, org_id)
                failures = 0
            except Exception:
                failures += 1
                log.warning("Events could not be linked into the chain; they wait", exc_info=True)
                with self._lock:
                    self._waiting |= now
                self._wake.set()
            if self._closing.is_set() and (failures or not self._waiting):
                return
