"""Compares the rows of decisions with what the chain tells of them, while the chain is walked."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ..store import decisions as decision_store
from ..store import evidence as rows
from ..store.tables import DECISION_ERASED
from .told import Told, digest_in

if TYPE_CHECKING:
    from ..store.engine import Tx
    from .findings import Findings

PAGE = 1000
# An event of a wrong time does not bring the whole table into memory.
_MOST_WAITING = 20 * PAGE
_NEVER = "~"  # after every moment


class Verdicts:
    """Rows in the order of time, and what was told in the order of events, each waiting for the other.

    The two orders are nearly the same, so that few wait. `sets` are the policy sets that are whole.
    """

    def __init__(self, tx: Tx, org_id: str, findings: Findings, sets: set[str]) -> None:
        self._tx = tx
        self._org_id = org_id
        self._findings = findings
        self._sets = sets | {decision_store.NOTHING}
        self._pages = decision_store.walk(tx, org_id, PAGE)
        # What is told of a decision when it is erased takes the place of what was told when it was made.
        self._erased = {name: digest_in(data) for name, data in rows.told_by(tx, org_id, DECISION_ERASED)}
        self._pruned_before = rows.decisions_pruned_before(tx, org_id)
        self._told: dict[str, tuple[str | None, str]] = {}
        self._rows: dict[str, tuple[str, str]] = {}
        self._told_until = self._rows_until = ""
        self.seen = 0

    def tell(self, events: Iterable[Told]) -> None:
        """Take what events say of decisions, in their order."""
        told, waiting, erased, until = self._told, self._rows, self._erased, self._told_until
        for decision_id, data, at in events:
            digest = erased[decision_id] if decision_id in erased else digest_in(data)
            row = waiting.get(decision_id)
            # What an earlier release told has no digest, nor has what was removed.
            if row is not None and digest in (None, row[0]):
                del waiting[decision_id]
            else:
                told[decision_id] = digest, at
            if at > until:
                until = at
        self._told_until = until

    def settle(self) -> None:
        """Read the rows up to the last moment told, and give up on those that would have come by now."""
        while self._rows_until <= self._told_until and len(self._rows) < _MOST_WAITING and self._take_page():
            pass
        for decision_id, (_, at) in list(self._told.items()):
            if at < self._rows_until and decision_id not in self._rows:
                del self._told[decision_id]
                if at >= self._pruned_before:
                    self._findings.add("row", None, f"decision {decision_id} is gone")

    def end(self) -> None:
        """Read the rows that are left, and find fault with what has no match."""
        while self._take_page():
            pass
        self.settle()
        for decision_id in self._rows:
            what = "is not what was recorded" if decision_id in self._told else "was never recorded"
            self._findings.add("row", None, f"decision {decision_id} {what}")

    def _take_page(self) -> bool:
        page = next(self._pages, None)
        if page is None:
            self._rows_until = _NEVER
            return False
        told, waiting, sets = self._told, self._rows, self._sets
        for decision_id, at, policy_set, digest in page:
            found = told.get(decision_id)
            if found is not None and found[0] in (None, digest):
                del told[decision_id]
            else:
                waiting[decision_id] = digest, at
            if policy_set not in sets:
                sets.add(policy_set)
                detail = f"the policy set {policy_set[:16]}… of {decision_id} is gone"
                self._findings.add("policy", None, detail)
        self._rows_until = page[-1][1]
        self.seen += len(page)
        return True
