"""Hashes over actions as they are stored, by which a row is compared with what was last recorded about it."""

from __future__ import annotations

import sqlite3
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from sqlalchemy import LargeBinary, bindparam, cast, func, select

from dashclaw._json import compact

from .approvals import stored_votes
from .engine import Hot
from .tables import actions

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from .engine import Tx

_A = actions.c
# The order is part of the digest. The cost comes last: it is a float, and only drivers give every digit of it.
DIGEST_COLUMNS = (
    "org_id",
    "action_id",
    "agent_id",
    "agent_name",
    "swarm_id",
    "parent_action_id",
    "action_type",
    "declared_goal",
    "reasoning",
    "authorization_scope",
    "trigger",
    "systems_touched",
    "input_summary",
    "status",
    "resolution",
    "reversible",
    "risk_score",
    "confidence",
    "recommendation_id",
    "recommendation_applied",
    "recommendation_override_reason",
    "output_summary",
    "side_effects",
    "artifacts_created",
    "error_message",
    "timestamp_start",
    "timestamp_end",
    "duration_ms",
    "tokens_in",
    "tokens_out",
    "model",
    "session_id",
    "idempotency_key",
    "metadata",
    "signature",
    "verified",
    "created_by",
    "decision_id",
    "digest",
    "approval_status",
    "approval_needs",
    "decided_by",
    "approval_at",
    "approval_reason",
    "approval_expires_at",
    "approval_consumed_at",
    "self_approved",
    "created_at",
    "updated_at",
    "cost_estimate",
)
_TEXT = [_A[name] for name in DIGEST_COLUMNS[:-1]]
_HEAD = (_A.action_id, _A.timestamp_start, _A.approval_status, _A.cost_estimate)
_OF_ORG = _A.org_id == bindparam("org")


def _by_start(*columns: Any) -> Hot:
    return Hot(select(*_HEAD, *columns).where(_OF_ORG).order_by(_A.timestamp_start))


def _by_id(*columns: Any) -> Hot:
    return Hot(select(*_HEAD, *columns).where(_OF_ORG, _A.action_id == bindparam("action")))


# SQLite makes the array in half the time that its driver takes to hand over the columns.
_ARRAY = cast(func.json_array(*_TEXT), LargeBinary)
_WALK = {"sqlite": _by_start(_ARRAY), "postgresql": _by_start(*_TEXT)}
_ONE = {"sqlite": _by_id(_ARRAY), "postgresql": _by_id(*_TEXT)}
_WITHOUT = _by_start()


def digest(tx: Tx, org_id: str, action_id: str) -> str:
    """SHA-256 in hex over an action and its votes as they are stored; empty when there is none.

    It is that of the compact JSON array of `DIGEST_COLUMNS`, flags as 0 and 1, JSON as the text it is kept as, the cost
    in its shortest form behind the array, and the votes behind that. A row with a BLOB, which none of ours has,
    has no digest.
    """
    try:
        page = tx.tuples(_ONE[tx.dialect], org=org_id, action=action_id)
    except sqlite3.OperationalError as error:
        _check_blob(error)
        return ""
    return _digests(tx, org_id, page)[0] if page else ""


def walk(tx: Tx, org_id: str, size: int) -> Iterator[list[tuple[str, str, str]]]:
    """Every action of the organisation in the order of its start, by pages: action_id, start, digest."""
    seen = 0
    try:
        for page in tx.pages(_WALK[tx.dialect], size, org=org_id):
            yield _with_digests(page, _digests(tx, org_id, page))
            seen += len(page)
    except sqlite3.OperationalError as error:
        _check_blob(error)
        # The order is the same. That of the rows behind which there is a BLOB is found out one by one.
        for page in tx.pages(_WITHOUT, size, org=org_id):
            rest, seen = page[seen:], max(0, seen - len(page))
            if rest:
                yield _with_digests(rest, [""] * len(rest))


def _check_blob(error: sqlite3.OperationalError) -> None:
    if "BLOB" not in str(error):
        raise error


def _with_digests(page: Sequence[tuple[Any, ...]], digests: Sequence[str]) -> list[tuple[str, str, str]]:
    return [(row[0], str(row[1]), digest_) for row, digest_ in zip(page, digests, strict=True)]


def row_digest(stored: Mapping[str, Any]) -> str:
    """The `digest` of an action without votes, from its row."""
    return _hashed(compact([stored[name] for name in DIGEST_COLUMNS[:-1]]).encode(), stored["cost_estimate"], None)


def _digests(tx: Tx, org_id: str, page: Sequence[tuple[Any, ...]]) -> list[str]:
    waited = [row[0] for row in page if row[2] is not None]
    votes = stored_votes(tx, org_id, waited) if waited else {}
    if tx.dialect == "sqlite":
        return [_hashed(array, cost, votes.get(action_id)) for action_id, _, _, cost, array in page]
    return [_hashed(compact(row[len(_HEAD) :]).encode(), row[3], votes.get(row[0])) for row in page]


def _hashed(array: bytes, cost: float | None, votes: str | None) -> str:
    if cost is not None:
        array += repr(cost).encode()
    if votes is not None:
        array += votes.encode()
    return sha256(array).hexdigest()
