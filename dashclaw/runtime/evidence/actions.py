"""Compares the rows of actions with what the chain tells of them, while the chain is walked."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from itertools import islice
from typing import TYPE_CHECKING

from ..store import action_digests
from ..store import actions as action_store
from ..store import evidence as rows
from .live import ACTION, fault
from .told import Told, digest_in

if TYPE_CHECKING:
    from ..store.engine import Tx
    from .findings import Findings

PAGE = 500
# Actions that are open for long, or whose start is not near the event that tells of it, are looked up instead.
_MOST_WAITING = 40 * PAGE
_NEVER = "~"  # after every moment


class Actions:
    """Rows in the order of their start, and what was told in the order of events, each waiting for the other.

    A row with the digest that was told is done with. What has no match in the end, or waits for too long, is looked up:
    its newest event, and every column of it. So is what an earlier release told, without a digest. An event that comes
    after the match has none, and so leads to a look-up.
    """

    def __init__(self, tx: Tx, org_id: str, findings: Findings) -> None:
        self._tx = tx
        self._org_id = org_id
        self._findings = findings
        self._pages = action_digests.walk(tx, org_id, PAGE)
        self._told: dict[str, str | None] = {}
        self._rows: dict[str, str] = {}
        self._doubted: dict[str, None] = {}
        self._faulty: set[str] = set()
        # Without an event, by the moment of its creation: retention may have removed it.
        self._untold: dict[str, str] = {}
        self._told_until = self._rows_until = ""
        self.seen = 0

    def tell(self, events: Iterable[Told]) -> None:
        """Take what events say of actions, in their order."""
        told, waiting = self._told, self._rows
        for action_id, data, at in events:
            digest = digest_in(data)
            if action_id in waiting and (digest is None or waiting[action_id] == digest):
                del waiting[action_id]
                told.pop(action_id, None)
                if digest is None:
                    self._doubted[action_id] = None
            else:
                told[action_id] = digest
            if at > self._told_until:
                self._told_until = at

    def settle(self) -> None:
        """Read the rows up to the last moment told, and look up what has waited for longest when too many wait."""
        while self._rows_until <= self._told_until and len(self._rows) < _MOST_WAITING and self._take_page():
            pass
        self._relieve()

    def end(self, pruned_until: str) -> None:
        """Read the rows that are left, and look up all that has no match.

        `pruned_until` is the moment up to which retention removed events; empty for none.
        """
        while self._take_page():
            self._relieve()
        self._doubted |= dict.fromkeys(self._rows) | dict.fromkeys(self._told)
        self._rows.clear()
        self._told.clear()
        self._look_up(0)
        for action_id, made in self._untold.items():
            if made > pruned_until:
                self._findings.add("row", None, f"action {action_id} was never recorded")

    def _take_page(self) -> bool:
        page = next(self._pages, None)
        if page is None:
            self._rows_until = _NEVER
            return False
        told, waiting = self._told, self._rows
        for action_id, _, digest in page:
            if action_id not in told:
                waiting[action_id] = digest
            elif told[action_id] == digest:
                del told[action_id]
            elif told[action_id] is None:
                del told[action_id]
                self._doubted[action_id] = None
            else:
                waiting[action_id] = digest
        self._rows_until = page[-1][1]
        self.seen += len(page)
        return True

    def _relieve(self) -> None:
        """Let no more wait than memory is meant for: the half that has waited for longest is looked up."""
        for waiting in (self._rows, self._told):
            if len(waiting) >= _MOST_WAITING:
                for action_id in list(islice(waiting, _MOST_WAITING // 2)):
                    del waiting[action_id]
                    self._doubted[action_id] = None
        self._look_up(PAGE)

    def _look_up(self, fewest: int) -> None:
        doubted = self._doubted
        while len(doubted) > fewest:
            ids = list(islice(doubted, PAGE))
            for action_id in ids:
                del doubted[action_id]
            self._compare([action_id for action_id in ids if action_id not in self._faulty])

    def _compare(self, ids: Collection[str]) -> None:
        """Compare actions column by column with the newest event about each."""
        found = {row["action_id"]: row for row in action_store.some(self._tx, self._org_id, ids)}
        newest = rows.newest_told(self._tx, self._org_id, "action", ids, rows.ACTION_TOLD)
        for action_id in ids:
            row, data = found.get(action_id), newest.get(action_id)
            detail: str | None = None
            if row is None:
                detail = None if data is None else "is gone"
            elif data is None:
                self._untold[action_id] = str(row["created_at"])
            else:
                digest = action_digests.digest(self._tx, self._org_id, action_id)
                detail = fault(ACTION, {**row, "row": digest}, data)
            if detail is not None:
                self._faulty.add(action_id)
                self._findings.add("row", None, f"action {action_id} {detail}")
