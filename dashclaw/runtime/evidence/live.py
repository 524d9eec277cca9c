"""Compares live rows with what was recorded about them: actions, policies, API keys, people, agents' keys."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import select

from ..action_rows import action_row
from ..keys import key_check
from ..people import told as person_told
from ..public_keys import read_public_key
from ..store import evidence as rows
from ..store.engine import decode
from ..store.tables import actions, api_keys, identities, people, policies

if TYPE_CHECKING:
    from sqlalchemy import Table

    from ..store.engine import Tx
    from .findings import Findings

PAGE = 500


class _Kind(NamedTuple):
    """Rows of one table and the events that tell of them.

    `names` are the events, `made` those that a row begins with, `told` takes the row out of an event's data
    (None when it was removed), `now` is the row as it would be told. Columns in `moves` change without an event.
    """

    what: str
    table: Table
    resource_type: str
    identity: str
    made: tuple[str, ...]
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


def _action_now(row: Mapping[str, Any]) -> Mapping[str, Any]:
    return {**action_row(row), "row": row["row"]}


ACTION = _Kind(
    "action",
    actions,
    "action",
    "action_id",
    ("action.created",),
    rows.ACTION_TOLD,
    lambda data: data,
    _action_now,
)
_KINDS = (
    _Kind("policy", policies, "policy", "id", ("policy.updated",), ("policy.updated",), _policy_told, dict),
    _Kind(
        "API key",
        api_keys,
        "api_key",
        "id",
        ("key.created",),
        ("key.created", "key.revoked"),
        lambda data: data,
        _key_now,
        frozenset({"last_used_at"}),
    ),
    _Kind(
        "person",
        people,
        "person",
        "id",
        ("person.created",),
        ("person.created", "person.updated", "person.disabled"),
        lambda data: data,
        person_told,
    ),
    _Kind(
        "identity",
        identities,
        "identity",
        "id",
        ("identity.created", "identity.replaced"),
        ("identity.created", "identity.updated", "identity.replaced", "identity.revoked", "identity.deleted"),
        lambda data: data,
        _identity_now,
        frozenset({"replaced", "status"}),
    ),
)


def compare_rows(tx: Tx, org_id: str, findings: Findings, pruned_until: str) -> int:
    """Compare the live rows of the organisation, those of decisions and actions left out; returns how many.

    `pruned_until` is the moment up to which retention removed events; empty for none.
    """
    return sum(_records(tx, org_id, findings, kind, pruned_until) for kind in _KINDS)


def _records(tx: Tx, org_id: str, findings: Findings, kind: _Kind, pruned_until: str) -> int:
    seen = 0
    for page in _pages(tx, org_id, kind):
        seen += len(page)
        between = (page[0][kind.identity], page[-1][kind.identity])
        last = rows.last_told(tx, org_id, kind.resource_type, between, kind.names)
        for row in page:
            data = last.get(row[kind.identity])
            if data is None and row["created_at"] <= pruned_until:
                continue
            if (detail := fault(kind, row, data)) is not None:
                findings.add("row", None, f"{kind.what} {row[kind.identity]} {detail}")
    for gone in _gone(tx, org_id, kind):
        findings.add("row", None, f"{kind.what} {gone} is gone")
    return seen


def _pages(tx: Tx, org_id: str, kind: _Kind) -> Iterator[list[dict[str, Any]]]:
    column = kind.table.c[kind.identity]
    after = ""
    while True:
        query = select(kind.table).where(kind.table.c.org_id == org_id, column > after).order_by(column).limit(PAGE)
        page = [decode(kind.table, row) for row in tx.all(query)]
        if not page:
            return
        yield page
        after = page[-1][kind.identity]


def fault(kind: _Kind, row: Mapping[str, Any], data: str | None) -> str | None:
    """What is wrong with a row by the data of the newest event about it; None for nothing."""
    if data is None:
        return "was never recorded"
    try:
        told = kind.told(json.loads(data))
    except (ValueError, TypeError, AttributeError):
        return "cannot be compared: what was last recorded cannot be read"
    if told is None:
        return "was removed, and is there"
    now = kind.now(row)
    if told.items() <= now.items():
        return None
    now = json.loads(json.dumps(now, default=repr))
    other = sorted(name for name, value in told.items() if name not in kind.moves and now.get(name, value) != value)
    # The digest covers columns that are not told.
    named = [name for name in other if name != "row"] or other
    return f"differs from what was last recorded in {', '.join(named)}" if named else None


def _gone(tx: Tx, org_id: str, kind: _Kind) -> Iterator[str]:
    """The ids of records that were made and are not there, although nothing says that they were removed."""
    for record_id in rows.told_and_gone(tx, org_id, kind.made, kind.table.c[kind.identity]):
        last = rows.last_told(tx, org_id, kind.resource_type, (record_id, record_id), kind.names)
        if record_id not in last or not _says_removed(kind, last[record_id]):
            yield record_id


def _says_removed(kind: _Kind, data: str) -> bool:
    try:
        return kind.told(json.loads(data)) is None
    except (ValueError, TypeError, AttributeError):
        return False
