"""Policies against recorded history: decisions per second of CPU time and peak memory, in parts as the command asks.

Run it with `python benchmarks/simulation.py [DECISIONS]` (100,000 without a number). The history has 40 agents and
contexts as agents declare them; the sets put to it are 10 plain policies, the same with a rate limit whose counts are
in the record, and with a rate limit and a budget that have to be counted again.
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from guard_decision import actions
from local_guard import POLICIES

from dashclaw.runtime.bootstrap import DEFAULT_ORG, ensure_default_org
from dashclaw.runtime.decisions import decide_and_record
from dashclaw.runtime.identity import Caller
from dashclaw.runtime.inputs import NoInput
from dashclaw.runtime.operations import Invocation
from dashclaw.runtime.runtime import Runtime

GOAL = 20_000
AT_ONCE = 500
ADMIN = Caller(DEFAULT_ORG, "bench", "admin")
RATE = ("rate_limit", {"max_actions": 50, "window_minutes": 60})
OTHER_RATE = ("rate_limit", {"max_actions": 40, "window_minutes": 30, "action": "block"})
BUDGET = ("cost_budget", {"max_usd": 5, "window_minutes": 1440})
SETS = {
    "10 plain policies": POLICIES,
    "… and a rate limit, counts in the record": [*POLICIES, RATE],
    "… and a rate limit, counted again": [*POLICIES, OTHER_RATE],
    "… and a rate limit and a budget, counted again": [*POLICIES, OTHER_RATE, BUDGET],
}


class Clock:
    """A second passes per look."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 1, tzinfo=timezone.utc)

    def __call__(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now


def ask(runtime: Runtime, path: str, body: dict[str, Any]) -> Any:
    """The answer of an operation."""
    operation, params = runtime.registry.match("POST", path)
    return runtime.execute(operation, ADMIN, params=params, query={}, body=body).body


def fill(runtime: Runtime, count: int) -> None:
    """Record that many decisions under ten policies and a rate limit."""
    for number, (kind, rules) in enumerate([*POLICIES, RATE]):
        ask(runtime, "/api/policies", {"name": f"policy {number}", "policy_type": kind, "rules": rules})
    contexts = actions(100)
    for _ in range(0, count, AT_ONCE):
        with runtime.store.batch():
            for _ in range(AT_ONCE):
                body = next(contexts)
                call = Invocation(runtime, ADMIN, {}, NoInput(), None, body)
                with runtime.store.write(DEFAULT_ORG) as tx:
                    decide_and_record(tx, call, body, body["agent_id"])


def simulate(runtime: Runtime, drafts: list[tuple[str, dict[str, Any]]]) -> tuple[int, int, float]:
    """Decisions, those that would change, and the CPU seconds it took."""
    rows = [{"name": f"d{n}", "policy_type": kind, "rules": rules} for n, (kind, rules) in enumerate(drafts)]
    body = {"yaml": json.dumps({"policies": rows}), "since": "9999d"}
    begun, done, changed, cursor = time.process_time(), 0, 0, None
    while True:
        part = ask(runtime, "/api/policies/simulate", body | ({"cursor": cursor} if cursor else {}))
        done, changed, cursor = done + part["evaluated"], changed + part["changed"], part["cursor"]
        if cursor is None:
            return done, changed, time.process_time() - begun


def main() -> None:
    """Print the figures."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    with tempfile.TemporaryDirectory() as folder:
        runtime = Runtime.open(str(Path(folder) / "bench.db"), clock=Clock())
        try:
            ensure_default_org(runtime.store, starter_policies=False)
            fill(runtime, count)
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
            for name, drafts in SETS.items():
                done, changed, seconds = simulate(runtime, drafts)
                figure = f"{done / seconds:>8,.0f} decisions/s  goal {GOAL:,}"
                print(f"{name:<48}{figure}  ({done:,} decisions, {changed:,} would change)")
            after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
            print(f"peak memory {before} MiB before, {after} MiB after")
        finally:
            runtime.close()


if __name__ == "__main__":
    main()
