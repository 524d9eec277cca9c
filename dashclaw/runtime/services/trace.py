"""What an action hangs together with, and what may have caused its failure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from ..action_rows import action_row
from ..clock import moment, stamp
from ..store import actions as rows
from .assumptions import assumptions_of
from .loops import loops_of

if TYPE_CHECKING:
    from ..store.engine import Tx

RELATED_HOURS = 1


def trace(tx: Tx, action: Mapping[str, Any]) -> dict[str, Any]:
    """Assumptions, loops, at most ten ancestors, sub-actions, at most twenty related actions, and indicators.

    Related are other actions started within an hour either side that share the agent or the same systems.
    """
    begun = moment(action["timestamp_start"])
    span = timedelta(hours=RELATED_HOURS)
    assumptions = assumptions_of(tx, action["org_id"], action["action_id"])
    loops = loops_of(tx, action["org_id"], action["action_id"])
    parents = rows.parents(tx, action)
    related = rows.around(tx, action, stamp(begun - span), stamp(begun + span))
    return {
        "assumptions": _assumptions(assumptions),
        "loops": _loops(loops),
        "parent_chain": [action_row(row) for row in parents],
        "sub_actions": [action_row(row) for row in rows.children(tx, action)],
        "related_actions": [action_row(row) for row in related],
        "root_cause_indicators": _indicators(assumptions, loops, parents, related),
    }


def _assumptions(items: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {
        "total": len(items),
        "validated": sum(bool(item["validated"]) for item in items),
        "invalidated": sum(bool(item["invalidated"]) for item in items),
        "unvalidated": sum(not item["validated"] and not item["invalidated"] for item in items),
        "items": list(items),
    }


def _loops(items: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    counts = {status: sum(item["status"] == status for item in items) for status in ("open", "resolved", "cancelled")}
    return {"total": len(items), **counts, "items": list(items)}


def _indicators(
    assumptions: Sequence[Mapping[str, Any]],
    loops: Sequence[Mapping[str, Any]],
    parents: Sequence[Mapping[str, Any]],
    related: Sequence[Mapping[str, Any]],
) -> list[dict[str, Any]]:
    wrong = [item["assumption"] for item in assumptions if item["invalidated"]]
    waiting = [item["description"] for item in loops if item["status"] == "open"]
    failed_parents = [row["declared_goal"] for row in parents if row["status"] == "failed"]
    failed_related = [row["declared_goal"] for row in related if row["status"] == "failed"]
    found = (
        ("invalidated_assumptions", "high", wrong),
        ("unresolved_loops", "medium", waiting),
        ("parent_failures", "high", failed_parents),
        ("related_failures", "medium", failed_related),
    )
    return [
        {"type": kind, "severity": severity, "count": len(items), "detail": "; ".join(items[:3])}
        for kind, severity, items in found
        if items
    ]
