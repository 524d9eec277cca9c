"""Compares live rows with what was recorded about them: decisions, actions, policies, API keys, agents' keys."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import select

from dashclaw._json import compact

from ..action_rows import action_row
from ..keys import key_check
from ..public_keys import read_public_key
from ..store import actions as action_store
from ..store import decisions as decision_store
from ..store import evidence as rows
from ..store.engine import decode
from ..store.tables import actions, api_keys, identities, policies

if TYPE_CHECKING:
    from sqlalchemy import Table

    from ..store.engine import Tx
    from .findings import Findings

PAGE = 2000


_NEVER = "~"  # after every moment
_AWAITED = ""  # no digest: it is told again


class Lost(NamedTuple):
    """What retention removed: events up to a moment, and decisions made before one; empty for nothing."""

    events_until: str
    decisions_before: str


class _Kind(NamedTuple):
    """Rows of one table and the events that tell of them.

    `names` are the events, `made` the one that every row begins with, `told` takes the row out of an event's data
    (None when it was removed), `now` is the row as it would be told. Columns in `moves` change without an event.
    """

    what: str
    table: Table
    resource_type: str
    identity: str
    made: str
    names: tuple[str, ...]
    told: Callable[[dict[str, Any]], Mapping[str, Any] | None]
    now: Callable[[Mapping[str, Any]], Mapping[str, Any]]
    moves: frozenset[str] = frozenset()


def _policy_told(data: dict[str, Any]) -> Mapping[str, Any] | None:
    found: Mapping[str, Any] | None = data.get("policy") if data.get("change") != "deleted" else None
    return found


def _identity_now(row: Mapping[str, Any]) -> Mapping[str, Any]:
    try:
        fingerprint = read_public_key(row["public_key"], row["algorithm"]).fingerprint
    except (ValueError, KeyError):
        fingerprint = "unreadable"
    return {**row, "fingerprint": fingerprint}


def _key_now(row: Mapping[str, Any]) -> Mapping[str, Any]:
    return {**row, "metadata": row["metadata"] or {}, "check": key_check(row["id"], row["key_hash"])}


_KINDS = (
    _Kind(
        "action",
        actions,
        "action",
        "action_id",
        "action.created",
        ("action.created", "action.updated"),
        lambda data: data,
        action_row,
    ),
    _Kind("policy", policies, "policy", "id", "policy.updated", ("policy.updated",), _policy_told, dict),
    _Kind(
        "API key",
        api_keys,
        "api_key",
        "id",
        "key.created",
        ("key.created", "key.revoked"),
        lambda data: data,
        _key_now,
        frozenset({"last_used_at"}),
    ),
    _Kind(
        "identity",
        identities,
        "identity",
        "id",
        "identity.created",
        ("identity.created", "identity.updated", "identity.replaced", "identity.revoked", "identity.deleted"),
        lambda data: data,
        _identity_now,
        frozenset({"replaced", "status"}),
    ),
)


def compare_rows(tx: Tx, org_id: str, findings: Findings, sets: set[str], lost: Lost) -> int:
    """Compare every live row of the organisation; returns how many. `sets` are the policy sets that are whole."""
    return _decisions(tx, org_id, findings, sets, lost) + sum(
        _records(tx, org_id, findings, kind, lost) for kind in _KINDS
    )


def _decisions(tx: Tx, org_id: str, findings: Findings, sets: set[str], lost: Lost) -> int:
    """Match the rows of decisions, in the order of time, with what was told of them, in the order of ids.

    The two orders are nearly the same, so that few wait for the other side.
    """
    match = _Match(findings, sets, lost)
    pages = decision_store.walk(tx, org_id, PAGE)
    after = seen = 0
    while told := rows.decision_events(tx, org_id, after, PAGE):
        after = told[-1][0]
        for _, *event in told:
            match.tell(*event)
        while match.rows_until <= match.told_until and (page := next(pages, None)):
            seen += match.take(page)
        match.settle()
    for page in pages:
        seen += match.take(page)
    match.rows_until = match.told_until = _NEVER
    match.settle()
    match.end()
    return seen


class _Match:
    """What was told and what is stored of decisions, each waiting for the other."""

    def __init__(self, findings: Findings, sets: set[str], lost: Lost) -> None:
        self._findings = findings
        self._sets = sets
        self._lost = lost
        self._told: dict[str, tuple[str | None, str]] = {}
        self._rows: dict[str, tuple[str, str]] = {}
        self.told_until = self.rows_until = ""

    def tell(self, decision_id: str, data: str, at: str) -> None:
        """Take what an event says of a decision."""
        said = json.loads(data)
        self.told_until = max(self.told_until, at)
        before = self._told.get(decision_id)
        # What is told when a decision is erased says when it was made; the event of its making is then empty.
        made = said.get("created_at", at) if before is None else before[1]
        forgotten = "created_at" in said and made <= self._lost.events_until
        if before is None and forgotten and decision_id not in self._rows:
            return
        self._told[decision_id] = (_AWAITED if "erased" in said else said.get("row"), made)
        self._meet(decision_id)

    def take(self, page: Sequence[decision_store.Stored]) -> int:
        """Take rows; returns how many."""
        for row in page:
            self._rows[row.id] = (row.digest, row.created_at)
            if row.policy_set is not None and row.policy_set not in self._sets:
                self._sets.add(row.policy_set)
                self._findings.add("policy", None, f"the policy set {row.policy_set[:16]}… of {row.id} is gone")
            self._meet(row.id)
        self.rows_until = page[-1].created_at
        return len(page)

    def _meet(self, decision_id: str) -> None:
        told, row = self._told.get(decision_id), self._rows.get(decision_id)
        # What an earlier release told has no digest.
        if told is not None and row is not None and told[0] in (None, row[0]):
            del self._told[decision_id], self._rows[decision_id]

    def settle(self) -> None:
        """Give up on rows that would have come by now."""
        for decision_id, (_, at) in list(self._told.items()):
            if at < self.rows_until and decision_id not in self._rows:
                del self._told[decision_id]
                if at >= self._lost.decisions_before:
                    self._findings.add("row", None, f"decision {decision_id} is gone")
        for decision_id, (_, at) in list(self._rows.items()):
            if at <= self._lost.events_until and at < self.told_until and decision_id not in self._told:
                del self._rows[decision_id]

    def end(self) -> None:
        """Find fault with every row that found no match."""
        for decision_id in self._rows:
            what = "is not what was recorded" if decision_id in self._told else "was never recorded"
            self._findings.add("row", None, f"decision {decision_id} {what}")


def _records(tx: Tx, org_id: str, findings: Findings, kind: _Kind, lost: Lost) -> int:
    seen = 0
    for page in _pages(tx, org_id, kind):
        seen += len(page)
        for row in page:
            if (detail := _fault(tx, org_id, kind, row, lost)) is not None:
                findings.add("row", None, f"{kind.what} {row[kind.identity]} {detail}")
    for gone in _gone(tx, org_id, kind):
        findings.add("row", None, f"{kind.what} {gone} is gone")
    return seen


def _pages(tx: Tx, org_id: str, kind: _Kind) -> Iterator[list[dict[str, Any]]]:
    if kind.table is actions:
        yield from action_store.walk(tx, org_id, PAGE)
        return
    column = kind.table.c[kind.identity]
    after = ""
    while True:
        query = select(kind.table).where(kind.table.c.org_id == org_id, column > after).order_by(column).limit(PAGE)
        page = [decode(kind.table, row) for row in tx.all(query)]
        if not page:
            return
        yield page
        after = page[-1][kind.identity]


def _fault(tx: Tx, org_id: str, kind: _Kind, row: Mapping[str, Any], lost: Lost) -> str | None:
    data = rows.last_told(tx, org_id, kind.resource_type, row[kind.identity], kind.names)
    if data is None:
        return None if row["created_at"] <= lost.events_until else "was never recorded"
    told = kind.told(json.loads(data))
    if told is None:
        return "was removed, and is there"
    now = json.loads(compact(kind.now(row)))
    other = sorted(name for name, value in told.items() if name not in kind.moves and now.get(name, value) != value)
    return f"differs from what was last recorded in {', '.join(other)}" if other else None


def _gone(tx: Tx, org_id: str, kind: _Kind) -> Iterator[str]:
    """The ids of records that were made and are not there, although nothing says that they were removed."""
    column = kind.table.c[kind.identity]
    after = 0
    while made := rows.told_of(tx, org_id, kind.made, after, PAGE):
        after = made[-1][0]
        asked = sorted({record_id for _, record_id in made})
        query = select(column).where(kind.table.c.org_id == org_id, column.in_(asked))
        there = {row[kind.identity] for row in tx.all(query)}
        for record_id in asked:
            if record_id not in there and not _removed(tx, org_id, kind, record_id):
                yield record_id


def _removed(tx: Tx, org_id: str, kind: _Kind, record_id: str) -> bool:
    data = rows.last_told(tx, org_id, kind.resource_type, record_id, kind.names)
    return data is not None and kind.told(json.loads(data)) is None
