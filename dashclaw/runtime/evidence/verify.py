"""Verifies the chain of a live database: every entry, its event, the checkpoints, and the rows it speaks of."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from ..policy_sets import hash_of
from ..store import evidence as rows
from ..store import policy_sets as policy_rows
from ..store.erasure import ERASED_DATA
from ..store.tables import DECISION_MADE, policy_sets, policy_versions
from .actions import Actions
from .chain import genesis, line_of
from .checkpoints import Checkpoint
from .findings import Findings, Report
from .live import compare_rows
from .merkle import Frontier
from .spans import Spans
from .told import Told
from .trust import Trust
from .verdicts import Verdicts

if TYPE_CHECKING:
    from sqlalchemy import Table

    from ..store.engine import Store, Tx

PAGE = 2000
_EXCUSES = ("evidence.erased", rows.PRUNED)

# Told how many entries are done and how many there are.
Progress = Callable[[int, int], None]


def _silent(_: int, __: int) -> None:
    """Tell nobody."""


def verify(
    store: Store,
    org_id: str,
    *,
    trusted: Sequence[str] = (),
    anchors: Sequence[Checkpoint] = (),
    live_rows: bool = True,
    progress: Progress = _silent,
) -> Report:
    """Verify an organisation's chain from one consistent snapshot.

    `trusted` are ids of keys that are known from elsewhere; without any, the keys of the database are believed.
    `anchors` are checkpoints that were kept elsewhere. `live_rows` says whether decisions, actions, policies and keys
    are compared with what was recorded about them. Memory does not grow with the chain.
    """
    with store.read() as tx:
        findings = Findings()
        sets = _check_policies(tx, org_id, findings)
        live = _Live(tx, org_id, findings, sets) if live_rows else None
        walk = _Walk(tx, org_id, findings, Trust(rows.keys(tx), trusted, findings), anchors, live)
        walk.run(progress)
        walk.check_end()
        compared = 0
        if live is not None:
            compared = live.end(walk.event_id, walk.pruned_until)
            compared += compare_rows(tx, org_id, findings, walk.pruned_until)
        count, first, last = rows.tail_span(tx, org_id, walk.event_id)
        return Report(
            org_id=org_id,
            findings=tuple(findings.found),
            left_out=findings.left_out,
            entries=walk.tree.size,
            root=walk.tree.root().hex(),
            link=walk.before.hex(),
            unlinked=count,
            tail_first=first,
            tail_last=last,
            erased=walk.erased.count(),
            pruned=walk.pruned.count(),
            checkpoints=walk.checked,
            covered=walk.covered,
            rows=compared,
        )


class _Live:
    """The rows that are compared while the chain is walked, and what a part of it told of them."""

    def __init__(self, tx: Tx, org_id: str, findings: Findings, sets: set[str]) -> None:
        self._tx = tx
        self._org_id = org_id
        self._verdicts = Verdicts(tx, org_id, findings, sets)
        self._actions = Actions(tx, org_id, findings)
        self.decided: list[Told] = []
        self.acted: list[Told] = []

    def tell(self, name: str, record_id: Any, data: str | None, at: Any) -> None:
        """Take one event, whatever it is about; SQLite keeps a value of any type in any column."""
        if not isinstance(record_id, str) or not isinstance(at, str):
            return
        if name == DECISION_MADE:
            self.decided.append((record_id, data, at))
        elif name in rows.ACTION_TOLD:
            self.acted.append((record_id, data, at))

    def settle(self) -> None:
        """Compare what can be compared by now."""
        self._verdicts.tell(self.decided)
        self._actions.tell(self.acted)
        self.decided.clear()
        self.acted.clear()
        self._verdicts.settle()
        self._actions.settle()

    def end(self, after: int, pruned_until: str) -> int:
        """Take what was told after an event, and compare the rest; returns how many rows there were."""
        while tail := rows.told_after(self._tx, self._org_id, after, PAGE):
            for _, name, *told in tail:
                self.tell(name, *told)
            after = tail[-1][0]
            self.settle()
        self._verdicts.end()
        self._actions.end(pruned_until)
        return self._verdicts.seen + self._actions.seen


class _Walk:
    """One pass over the entries, from the first to the last."""

    def __init__(
        self,
        tx: Tx,
        org_id: str,
        findings: Findings,
        trust: Trust,
        anchors: Sequence[Checkpoint],
        live: _Live | None,
    ) -> None:
        self.tx = tx
        self.org_id = org_id
        self.findings = findings
        self.trust = trust
        self.live = live
        self.anchors = sorted(anchors, key=lambda kept: kept.read()["size"])
        self.tree = Frontier()
        self.before = genesis(org_id)
        self.event_id = 0
        # No event has an id below 1, unless somebody slipped it in.
        self.seen = -(2**63)
        self.gaps = False
        self.checked = self.covered = 0
        self.erased, self.pruned, self.excused = Spans(), Spans(), Spans()
        self.pruned_until = ""

    def run(self, progress: Progress) -> None:
        """Check every entry and every checkpoint up to the last entry."""
        head = rows.head(self.tx, self.org_id)
        expected = head.size if head else 0
        seq = 0
        while page := rows.entries(self.tx, self.org_id, seq, PAGE):
            last = page[-1][0]
            due = self._due(seq, last)
            start = 0
            for size, checkpoint in due:
                end = start if self.gaps else max(start, min(size - seq, len(page)))
                self._entries(page[start:end])
                start = end
                self._check(checkpoint, size)
            self._entries(page[start:])
            self._look_for_inserted(page)
            if self.live is not None:
                self.live.settle()
            seq = last
            progress(seq, max(seq, expected))

    def _due(self, after: int, until: int) -> list[tuple[int, Checkpoint]]:
        """Checkpoints of the database and from elsewhere over these entries, by size."""
        kept = rows.checkpoints(self.tx, self.org_id, after, until)
        found = [(row["size"], Checkpoint(row["text"], row["signature"])) for row in kept]
        while self.anchors and self.anchors[0].read()["size"] <= until:
            anchor = self.anchors.pop(0)
            found.append((anchor.read()["size"], anchor))
        return sorted(found)

    def _entries(self, page: Sequence[tuple[Any, ...]]) -> None:
        before, following = self.before, self.tree.size + 1
        links: list[bytes] = []
        decided: list[Told] = []
        acted: list[Told] = []
        for (
            seq,
            event_id,
            salt,
            committed,
            linked,
            kept,
            known_id,
            at,
            name,
            kind,
            actor,
            agent,
            about,
            of,
            data,
        ) in page:
            if seq != following and not self.gaps:
                self._gap(following, seq)
            following += 1
            try:
                if at is None:
                    line = self._kept_record(seq, event_id, kept)
                else:
                    line = line_of(committed, seq, known_id, at, name, kind, actor, agent, about, of)
                    if salt is None or sha256(salt + data.encode()).digest() != committed or name in _EXCUSES:
                        self._look_at(seq, event_id, salt, committed, name, data)
                    if name == DECISION_MADE:
                        decided.append((of, data, at))
                    elif name in rows.ACTION_TOLD:
                        acted.append((of, data, at))
                holds = line is None or sha256(b"\x00" + before + line.encode()).digest() == linked
            except (TypeError, AttributeError):
                # SQLite keeps a value of any type in any column.
                holds = False
            if not holds:
                self.findings.add("relinked", seq, f"event {event_id} or its link is not what was linked")
            before = linked if type(linked) is bytes else b""
            links.append(before)
        if self.live is not None:
            self.live.decided += decided
            self.live.acted += acted
        if page:
            self.tree.extend(links)
            self.before, self.event_id = before, page[-1][1]

    def _look_at(self, seq: int, event_id: int, salt: bytes | None, committed: bytes, name: str, data: str) -> None:
        """Check the data of an event that is not simply what was linked, or that may explain why another is not."""
        if salt is None:
            self.erased.add(seq)
            if data != ERASED_DATA:
                self.findings.add("changed", seq, f"event {event_id} was erased, and holds data")
        elif sha256(salt + data.encode()).digest() != committed:
            self.findings.add("changed", seq, f"the data of event {event_id} is not what was linked")
        elif name in _EXCUSES:
            try:
                for first, last in json.loads(data).get("entries") or ():
                    self.excused.add(int(first), int(last))
            except (ValueError, TypeError, AttributeError):
                self.findings.add("changed", seq, f"event {event_id} names no entries that can be read")

    def _gap(self, first: int, seq: int) -> None:
        self.findings.add("missing", first, "gone from the chain", until=seq - 1)
        # The tree has lost its shape; what comes after is still checked link by link.
        self.gaps = True

    def _kept_record(self, seq: int, event_id: int, line: str | None) -> str | None:
        """The record of an entry whose event is gone; None, with a finding, when it says nothing."""
        if line is None:
            self.findings.add("removed", seq, f"event {event_id} is gone")
            return None
        self.pruned.add(seq)
        try:
            _, _, at, name, _, _, _, _, resource_id, _ = json.loads(line)
        except (ValueError, TypeError):
            self.findings.add("relinked", seq, "its record cannot be read")
            return None
        self.pruned_until = max(self.pruned_until, at)
        if self.live is not None:
            self.live.tell(name, resource_id, None, at)
        return line

    def _look_for_inserted(self, page: Sequence[tuple[Any, ...]]) -> None:
        known = {row[1] for row in page if row[7] is not None}
        first, last = self.seen, page[-1][1]
        self.seen = last
        if len(known) == last - first and min(known) > first and max(known) == last:
            # Every id in between is that of a linked event.
            return
        if rows.events_between(self.tx, self.org_id, first, last) == len(known):
            return
        for event_id in rows.event_ids_between(self.tx, self.org_id, first, last):
            if event_id not in known:
                after = sum(1 for row in page if row[1] < event_id)
                near = page[max(0, after - 1)][0]
                self.findings.add("inserted", near, f"event {event_id} stands after it and was never linked")

    def _check(self, checkpoint: Checkpoint, size: int) -> None:
        stated = self.trust.states(*checkpoint)
        if stated is None:
            return
        self.checked += 1
        if stated.get("org") != self.org_id or stated.get("size") != size:
            self.findings.add("signature", size, f"the checkpoint kept for {size} entries states another chain")
        elif not self.gaps and self.tree.root().hex() != stated.get("root"):
            detail = f"not the ones that the checkpoint of {stated.get('at')} covers"
            self.findings.add("rewritten", self.covered + 1, detail, until=size)
        else:
            self.covered = size

    def check_end(self) -> None:
        """Check what lies beyond the last entry: checkpoints that cover more, the noted end, unexplained removals."""
        size = self.tree.size
        for beyond, checkpoint in self._due(size, 2**62):
            if self.trust.states(*checkpoint) is not None:
                self.checked += 1
                self.findings.add("truncated", size + 1, f"gone: a checkpoint covers {beyond} entries", until=beyond)
        head = rows.head(self.tx, self.org_id)
        if head is not None and head.size > size and not self.gaps:
            self.findings.add("truncated", size + 1, "gone from the end of the chain", until=head.size)
        elif (head is None and size) or (head is not None and not self.gaps and head != self._end()):
            self.findings.add("relinked", size, "the noted end of the chain is not its last entry")
        for spans, what in ((self.erased, "its text is gone"), (self.pruned, "its event is gone")):
            for first, last in spans.without(self.excused):
                self.findings.add("removed", first, f"{what} and nothing recorded says why", until=last)

    def _end(self) -> rows.Head:
        return rows.Head(self.tree.size, self.event_id, self.before, self.tree.pack())


def _check_policies(tx: Tx, org_id: str, findings: Findings) -> set[str]:
    """Check every policy and set against its own hash; returns the names of the sets that are whole."""
    versions = _texts(tx, org_id, findings, policy_versions, "policy")
    sets = _texts(tx, org_id, findings, policy_sets, "set of policies")
    for name, document in list(sets.items()):
        if gone := sorted(set(json.loads(document)["policies"]) - set(versions)):
            findings.add("policy", None, f"the policy {gone[0][:16]}… of the set {name[:16]}… is gone")
            del sets[name]
    return set(sets)


def _texts(tx: Tx, org_id: str, findings: Findings, table: Table, what: str) -> dict[str, str]:
    found = {}
    for name, document in policy_rows.every(tx, table, org_id):
        if hash_of(document) == name:
            found[name] = document
        else:
            findings.add("policy", None, f"the text of the {what} {name[:16]}… is another one")
    return found
