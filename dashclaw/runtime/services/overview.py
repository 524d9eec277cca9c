"""The overview: the fleet now, what its guard decides, what waits, what it costs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from ..clock import ago, stamp
from ..guard import DECISIONS
from ..inputs import Input
from ..operations import Invocation, Operation
from ..prices import dollars
from ..store import actions as action_rows
from ..store import decisions as decision_rows
from ..store import overview as rows
from ..store import policies as policy_rows
from ..store import tokens as token_rows
from ..store.engine import decode
from ..store.tables import guard_decisions
from .agents import SILENT_MINUTES
from .signals import signals_for

if TYPE_CHECKING:
    from ..store.engine import Tx

SHOWN = 6
# The policies that fired most are counted over so many of the newest decisions that stopped something.
SAMPLED = 200
STOPPING = ("block", "require_approval", "warn")


class OverviewQuery(Input):
    """The last hour by minute, the last day by hour, or the last 30 days by day."""

    window: Literal["hour", "day", "month"] = "day"


class _Window(NamedTuple):
    """How many buckets a window has, how long each is, and how much of a moment names one."""

    buckets: int
    step: timedelta
    name: int


_WINDOWS = {
    "hour": _Window(60, timedelta(minutes=1), 16),
    "day": _Window(24, timedelta(hours=1), 13),
    "month": _Window(30, timedelta(days=1), 10),
}


def show(tx: Tx, call: Invocation) -> dict[str, Any]:
    """All of it at one moment. Costs are US dollars; `series` has one entry per bucket, also for those without any."""
    org_id = call.caller.org_id
    month = tx.stamp[:7] + "-01"
    costs = token_rows.totals(tx, org_id, "day", month, tx.stamp[:10], {})
    signals = signals_for(tx, org_id)
    states = rows.action_states(tx, org_id)
    return {
        "at": tx.stamp,
        "window": call.query.window,
        "agents": rows.presences(tx, org_id, ago(tx.now, minutes=SILENT_MINUTES)),
        "actions": {"total": sum(states.values()), "by_status": states},
        "decisions": {
            "last_24h": _every(decision_rows.last_day(tx, org_id)),
            "day_before": _every(_summed(rows.decisions_by_hour(tx, org_id, *_day_before(tx.now)))),
            "series": list(_series(tx, org_id, call.query.window)),
        },
        "signals": {"total": len(signals), "newest": signals[:SHOWN]},
        "cost": {
            "today": sum(dollars(row["cost"]) for row in costs if row["key"] == tx.stamp[:10]),
            "month": sum(dollars(row["cost"]) for row in costs),
        },
        "waiting": _waiting(tx, org_id),
        "interventions": _interventions(tx, org_id),
        "policies": _policies(tx, org_id),
        "open_loops": rows.open_loops(tx, org_id),
    }


def _day_before(now: datetime) -> tuple[str, str]:
    return ago(now, hours=48), ago(now, hours=24)


def _every(counts: Mapping[str, int]) -> dict[str, int]:
    return {name: counts.get(name, 0) for name in DECISIONS}


def _summed(found: list[dict[str, Any]]) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for row in found:
        counts[row["decision"]] += int(row["n"])
    return counts


def _series(tx: Tx, org_id: str, window: str) -> Iterator[dict[str, Any]]:
    shape = _WINDOWS[window]
    first = tx.now - shape.step * (shape.buckets - 1)
    since = stamp(first)[: shape.name]
    if window == "hour":
        found = rows.decisions_by_minute(tx, org_id, since)
    elif window == "day":
        found = rows.decisions_by_hour(tx, org_id, since)
    else:
        found = rows.decisions_by_day(tx, org_id, since)
    counts = {(row["at"], row["decision"]): int(row["n"]) for row in found}
    for number in range(shape.buckets):
        at = stamp(first + shape.step * number)[: shape.name]
        yield {"at": at, **{name: counts.get((at, name), 0) for name in DECISIONS}}


def _waiting(tx: Tx, org_id: str) -> list[dict[str, Any]]:
    ids = rows.waiting_longest(tx, org_id, SHOWN)
    shown = ("action_id", "agent_id", "agent_name", "action_type", "declared_goal", "risk_score", "timestamp_start")
    known = {row["action_id"]: row for row in action_rows.some(tx, org_id, ids)}
    return [
        {**{name: known[action_id][name] for name in shown}, "expires_at": known[action_id]["approval_expires_at"]}
        for action_id in ids
    ]


def _interventions(tx: Tx, org_id: str) -> list[dict[str, Any]]:
    """The newest decisions that blocked or asked."""
    since = ago(tx.now, hours=24)
    found = [
        decode(guard_decisions, row)
        for name in ("block", "require_approval")
        for row in rows.newest_stopped(tx, org_id, name, since, SHOWN)
    ]
    return sorted(found, key=lambda row: row["created_at"], reverse=True)[:SHOWN]


def _policies(tx: Tx, org_id: str) -> list[dict[str, Any]]:
    """The policies that stopped most, over a bounded number of the newest decisions of the last 24 hours."""
    since = ago(tx.now, hours=24)
    fired: Counter[str] = Counter()
    for name in STOPPING:
        for row in rows.newest_stopped(tx, org_id, name, since, SAMPLED):
            fired.update(decode(guard_decisions, row)["matched_policies"] or [])
    names = policy_rows.names(tx, org_id) if fired else {}
    return [
        {"policy_id": policy_id, "name": names.get(policy_id, policy_id), "fired": count}
        for policy_id, count in fired.most_common(SHOWN)
    ]


OPERATIONS = (
    Operation(
        "get_overview",
        "GET",
        "/api/overview",
        show,
        "Show the fleet, its decisions, what waits and what it costs",
        "overview",
        query=OverviewQuery,
        role="readonly",
        slow=True,
    ),
)
