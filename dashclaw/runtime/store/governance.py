"""Runs of policy tests and compliance snapshots, and the decisions that are evidence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select

from .engine import decode
from .records import Records
from .tables import actions, compliance_snapshots, guard_decisions, policy_test_runs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .engine import Tx

test_runs = Records(policy_test_runs)
snapshots = Records(compliance_snapshots)

_A = actions.c
_D = guard_decisions.c
_S = compliance_snapshots.c


def newest_run(tx: Tx, org_id: str) -> dict[str, Any] | None:
    """The last run of the policy tests."""
    found, _ = test_runs.page(tx, org_id, size=1)
    return found[0] if found else None


def trend(tx: Tx, org_id: str, framework: str, most: int) -> list[dict[str, Any]]:
    """The newest snapshots of a framework without their reports, newest first."""
    columns = [column for column in compliance_snapshots.columns if column.name not in ("report", "org_id")]
    query = select(*columns).where(_S.org_id == org_id, _S.framework == framework)
    return tx.all(query.order_by(_S.created_at.desc(), _S.id.desc()).limit(most))


def newest_decisions(tx: Tx, org_id: str, decisions: Sequence[str], since: str, most: int) -> list[dict[str, Any]]:
    """The newest of these decisions since a moment."""
    columns = (_D.id, _D.action_id, _D.agent_id, _D.action_type, _D.decision, _D.reasons, _D.risk_score, _D.created_at)
    found: list[dict[str, Any]] = []
    for decision in decisions:
        query = select(*columns).where(_D.org_id == org_id, _D.decision == decision, _D.created_at >= since)
        found += tx.all(query.order_by(_D.created_at.desc()).limit(most))
    found.sort(key=lambda row: (row["created_at"], row["id"]), reverse=True)
    return [decode(guard_decisions, row) for row in found[:most]]


def recorded(tx: Tx, org_id: str, since: str) -> dict[str, int]:
    """How many actions of each type started since a moment."""
    query = select(_A.action_type, func.count().label("count"))
    query = query.where(_A.org_id == org_id, _A.timestamp_start >= since).group_by(_A.action_type)
    return {row["action_type"]: row["count"] for row in tx.all(query)}


def answered(tx: Tx, org_id: str, since: str, states: Sequence[str]) -> dict[str, int]:
    """How many actions that started since a moment have each state of their approval."""
    where = (_A.org_id == org_id, _A.approval_status.is_not(None), _A.timestamp_start >= since)
    query = select(_A.approval_status, func.count().label("n")).where(*where).group_by(_A.approval_status)
    found = {row["approval_status"]: row["n"] for row in tx.all(query)}
    return {state: found.get(state, 0) for state in states}
