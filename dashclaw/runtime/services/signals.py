"""Signals: what an operator should look at, computed from the rows at the time of asking."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ..clock import ago
from ..inputs import Input, Short
from ..operations import Invocation, Operation
from ..store import signals as rows
from .agents import SILENT_MINUTES

if TYPE_CHECKING:
    from ..store.engine import Tx

MOST = 10  # rows per kind, applied after the agent filter
DETECTED = "signal.detected"
TYPES = (
    "agent_silent",
    "autonomy_spike",
    "high_impact_low_oversight",
    "repeated_failures",
    "stale_loop",
    "assumption_drift",
    "stale_assumption",
    "stale_running_action",
)


class SignalQuery(Input):
    """`agent_id` leaves the signals of one agent."""

    agent_id: Short | None = None


def signals_for(tx: Tx, org_id: str, agent_id: str | None = None, most: int = MOST) -> list[dict[str, Any]]:
    """The signals of an organisation or one agent, red before amber, else in the order of the kinds below.

    `most` is how many rows of a kind are looked at.
    """
    kinds = (
        _silent,
        _spikes,
        _unsupervised,
        _failures,
        _loops,
        _drift,
        _assumptions,
        _stuck,
    )
    found = [signal for kind in kinds for signal in kind(tx, org_id, agent_id, most)]
    return sorted(found, key=lambda signal: signal["severity"] != "red")


def _signal(
    kind: str, red: bool, agent_id: str | None, label: str, detail: str, help_: str, **ids: str
) -> dict[str, Any]:
    severity = "red" if red else "amber"
    return {
        "type": kind,
        "severity": severity,
        "label": label,
        "detail": detail,
        "help": help_,
        "agent_id": agent_id,
        **ids,
    }


def _silent(tx: Tx, org_id: str, agent_id: str | None, most: int) -> Iterator[dict[str, Any]]:
    for row in rows.silent_agents(tx, org_id, agent_id, ago(tx.now, minutes=SILENT_MINUTES), most):
        task = row["current_task_id"]
        detail = f"{row['agent_id']} was last heard at {row['last_heartbeat_at']}" + (
            f", at task {task}" if task else ""
        )
        yield _signal(
            "agent_silent",
            task is not None,
            row["agent_id"],
            "Agent is silent",
            detail,
            "Check whether the agent still runs; it counts as silent after "
            f"{SILENT_MINUTES} minutes without a sign of life",
        )


def _spikes(tx: Tx, org_id: str, agent_id: str | None, _: int) -> Iterator[dict[str, Any]]:
    for row in rows.busy_agents(tx, org_id, agent_id, ago(tx.now, hours=1), 10):
        yield _signal(
            "autonomy_spike",
            row["n"] > 20,
            row["agent_id"],
            "Unusually many actions",
            f"{row['n']} actions within an hour",
            "Look whether the agent is in a loop; a rate_limit policy bounds it",
        )


def _unsupervised(tx: Tx, org_id: str, agent_id: str | None, most: int) -> Iterator[dict[str, Any]]:
    for row in rows.unsupervised(tx, org_id, agent_id, 70, most):
        yield _signal(
            "high_impact_low_oversight",
            row["risk_score"] >= 90,
            row["agent_id"],
            "High impact without authorization",
            f"{row['declared_goal'][:200]} (risk {row['risk_score']})",
            "It cannot be undone and names no authorization_scope; have a person look at it now",
            action_id=row["action_id"],
        )


def _failures(tx: Tx, org_id: str, agent_id: str | None, _: int) -> Iterator[dict[str, Any]]:
    for row in rows.busy_agents(tx, org_id, agent_id, ago(tx.now, hours=24), 3, "failed"):
        yield _signal(
            "repeated_failures",
            row["n"] > 5,
            row["agent_id"],
            "Repeated failures",
            f"{row['n']} failed actions within 24 hours",
            "Read their error messages before the agent goes on",
        )


def _loops(tx: Tx, org_id: str, agent_id: str | None, most: int) -> Iterator[dict[str, Any]]:
    red = ago(tx.now, hours=96)
    for row in rows.stale_loops(tx, org_id, agent_id, ago(tx.now, hours=48), most):
        yield _signal(
            "stale_loop",
            row["created_at"] < red,
            row["agent_id"],
            "Loop left open",
            row["description"][:200],
            "Resolve or cancel it; it is open for more than 48 hours",
            loop_id=row["loop_id"],
            action_id=row["action_id"],
        )


def _drift(tx: Tx, org_id: str, agent_id: str | None, _: int) -> Iterator[dict[str, Any]]:
    for row in rows.drifting_agents(tx, org_id, agent_id, ago(tx.now, days=7), 2):
        yield _signal(
            "assumption_drift",
            row["n"] >= 4,
            row["agent_id"],
            "Assumptions do not hold",
            f"{row['n']} assumptions invalidated within 7 days",
            "The agent works from a wrong picture; review its sources",
        )


def _assumptions(tx: Tx, org_id: str, agent_id: str | None, most: int) -> Iterator[dict[str, Any]]:
    red = ago(tx.now, days=30)
    for row in rows.stale_assumptions(tx, org_id, agent_id, ago(tx.now, days=14), most):
        yield _signal(
            "stale_assumption",
            row["created_at"] < red,
            row["agent_id"],
            "Assumption never checked",
            row["assumption"][:200],
            "Validate or invalidate it; it is older than 14 days",
            assumption_id=row["assumption_id"],
            action_id=row["action_id"],
        )


def _stuck(tx: Tx, org_id: str, agent_id: str | None, most: int) -> Iterator[dict[str, Any]]:
    red = ago(tx.now, hours=24)
    for row in rows.long_running(tx, org_id, agent_id, ago(tx.now, hours=4), most):
        yield _signal(
            "stale_running_action",
            row["timestamp_start"] < red,
            row["agent_id"],
            "Action never finished",
            row["declared_goal"][:200],
            "Record its outcome, or find out why the agent did not",
            action_id=row["action_id"],
        )


def listing(tx: Tx, call: Invocation) -> dict[str, Any]:
    """The signals with their counts."""
    found = signals_for(tx, call.caller.org_id, call.query.agent_id)
    red = sum(signal["severity"] == "red" for signal in found)
    counts = {"red": red, "amber": len(found) - red, "total": len(found)}
    return {"signals": found, "counts": counts, "lastUpdated": tx.stamp}


OPERATIONS = (
    Operation(
        "get_signals",
        "GET",
        "/api/actions/signals",
        listing,
        "List signals",
        "signals",
        query=SignalQuery,
        role="readonly",
        also=("/api/signals",),
    ),
)
