"""How guard(), signals and lists behave on a full database: 1,000,000 decisions and 200,000 actions, SQLite.

Run it with `python benchmarks/growth.py`; filling takes about a minute. The calls on the empty and on the full
database alternate in one run.
"""

from __future__ import annotations

import json
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

from dashclaw import DashClaw

DECISIONS = 1_000_000
ACTIONS = 200_000
AGENTS = 200
DAYS = 90
ORG = "org_default"
CONTEXT = {"action_type": "research", "risk_score": 20, "declared_goal": "Compare three vendors"}
LISTS = (
    "/api/actions",
    "/api/actions?agent_id=agent-7",
    "/api/actions?status=failed",
    "/api/actions?status=pending_approval&limit=200",
    "/api/actions?action_type=deploy&risk_min=70",
    "/api/actions?offset=1000",
    "/api/guard?limit=50",
    "/api/guard?agent_id=agent-7",
    "/api/guard?decision=block",
    "/api/activity",
    "/api/activity?agent_id=agent-7",
    "/api/activity?actor_id=key_agent&action=action.created",
    "/api/activity?resource_type=policy",
    "/api/activity?before=2000-01-01T00:00:00Z",
    "/api/actions/loops",
    "/api/actions/assumptions",
)


def fill(path: Path) -> None:
    """Write the rows as the runtime would have written them, their counters included."""
    connection = sqlite3.connect(path)
    with connection:
        connection.executemany(
            "INSERT INTO guard_decisions (id, org_id, agent_id, action_type, decision, risk_score, risk_breakdown,"
            " reasons, warnings, matched_policies, context, digest, created_at) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)",
            decisions(),
        )
        connection.execute(
            "INSERT INTO decision_counts (org_id, agent_id, decision, n)"
            " SELECT org_id, agent_id, decision, count(*) FROM guard_decisions GROUP BY 1, 2, 3"
        )
        connection.execute(
            "INSERT INTO decision_hours (org_id, hour, decision, n)"
            " SELECT org_id, substr(created_at, 1, 13), decision, count(*) FROM guard_decisions GROUP BY 1, 2, 3"
        )
        connection.executemany(
            "INSERT INTO actions (org_id, action_id, agent_id, action_type, declared_goal, status, risk_score,"
            " reversible, timestamp_start, timestamp_end, duration_ms, cost_estimate, created_by, digest, created_at,"
            " updated_at) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
            actions(),
        )
        connection.execute(
            "INSERT INTO action_counts (org_id, agent_id, swarm_id, action_type, status, resolution, risk_score, n,"
            " cost) SELECT org_id, agent_id, '', action_type, status, '', risk_score, count(*), sum(cost_estimate)"
            " FROM actions GROUP BY 1, 2, 4, 5, 7"
        )
        connection.executemany(
            "INSERT INTO events (org_id, event, actor_type, actor_id, agent_id, resource_type, resource_id, data,"
            " created_at) VALUES (?,?,?,?,?,?,?,?,?)",
            events(),
        )
    connection.close()


def moments(count: int) -> Iterator[str]:
    """Times spread evenly over the last days, oldest first."""
    end = datetime.now(timezone.utc)
    step = timedelta(days=DAYS) / count
    for n in range(count):
        yield (end - step * (count - n)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def decisions() -> Iterator[tuple[object, ...]]:
    """Rows of decisions."""
    context = json.dumps(CONTEXT)
    for n, at in enumerate(moments(DECISIONS)):
        decision = ("allow", "allow", "allow", "warn", "block", "require_approval")[n % 6]
        agent = f"agent-{n % AGENTS}"
        yield (f"gd_{n}", ORG, agent, "research", decision, n % 100, "{}", "[]", "[]", "[]", context, f"{n:064x}", at)


def actions() -> Iterator[tuple[object, ...]]:
    """Rows of actions: most completed, some failed, few running, as in life."""
    for n, at in enumerate(moments(ACTIONS)):
        status = "failed" if n % 20 == 0 else "running" if n % 1000 == 1 else "completed"
        kind = ("research", "deploy", "email.send", "db.write")[n % 4]
        agent, goal = f"agent-{n % AGENTS}", "Compare three vendors"
        end = None if status == "running" else at
        yield (
            *(ORG, f"act_{n}", agent, kind, goal, status, n % 100, n % 2, at, end, 1200, 0.01),
            *("key_agent", f"{n:064x}", at, at),
        )


def events() -> Iterator[tuple[object, ...]]:
    """An event for each decision, and for every fifth an action."""
    for n, at in enumerate(moments(DECISIONS)):
        data = json.dumps({"decision_id": f"gd_{n}", "decision": "allow"})
        agent = f"agent-{n % AGENTS}"
        yield (ORG, "guard.decision.created", "agent", "key_agent", agent, "decision", f"gd_{n}", data, at)
        if n % 5 == 0:
            yield (ORG, "action.created", "agent", "key_agent", agent, "action", f"act_{n // 5}", "{}", at)


def opened(path: Path) -> DashClaw:
    """A client of a new database with a rate_limit policy."""
    claw = DashClaw.local(path, agent_id="agent-7", starter_policies=False)
    body = {"name": "Not too fast", "policy_type": "rate_limit", "rules": {"max_actions": 100, "window_minutes": 60}}
    claw.request("POST", "/api/policies", body=body)
    return claw


def median_ms(work: Callable[[], object], runs: int) -> float:
    """Median milliseconds of a call."""
    return statistics.median(timed(work) for _ in range(runs))


def timed(work: Callable[[], object]) -> float:
    """Milliseconds of one call."""
    begun = time.perf_counter()
    work()
    return (time.perf_counter() - begun) * 1000


def guard_ratio(empty: DashClaw, full: DashClaw) -> tuple[float, float]:
    """Median milliseconds of guard() on the empty and on the full database, in turn."""
    for claw in (empty, full):
        median_ms(lambda claw=claw: claw.guard(CONTEXT), 150)
    pairs = [(timed(lambda: empty.guard(CONTEXT)), timed(lambda: full.guard(CONTEXT))) for _ in range(2000)]
    return statistics.median(a for a, _ in pairs), statistics.median(b for _, b in pairs)


def report(name: str, value: str, goal: str, reached: bool) -> None:
    """Print one line."""
    print(f"{name:<58} {value:>18}  goal {goal:<9} {'ok' if reached else 'MISSED'}")


def main() -> None:
    """Fill, measure, print."""
    with tempfile.TemporaryDirectory() as folder:
        empty, full = opened(Path(folder) / "empty.db"), opened(Path(folder) / "full.db")
        with empty, full:
            begun = time.perf_counter()
            fill(Path(folder) / "full.db")
            print(f"filled in {time.perf_counter() - begun:.0f} s")
            before, after = guard_ratio(empty, full)
            shown = f"{before:.3f} -> {after:.3f} ms"
            report("guard() with rate_limit, empty -> full", shown, "1.3 x", after <= 1.3 * before)
            signals = median_ms(lambda: full.request("GET", "/api/actions/signals"), 20)
            report("signals", f"{signals:.1f} ms", "150 ms", signals <= 150)
            for target in LISTS:
                path, _, query = target.partition("?")
                asked = dict(part.split("=") for part in query.split("&")) if query else None
                taken = median_ms(lambda path=path, asked=asked: full.request("GET", path, query=asked), 20)
                report(f"GET {target}", f"{taken:.2f} ms", "10 ms", taken <= 10)


if __name__ == "__main__":
    main()
