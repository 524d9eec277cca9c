"""The embedded `guard()`, durable row and event included: CPU per call with 10 policies, beside a calibration."""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from dashclaw import DashClaw

CALLS = 3000
GOAL_US = 200
POLICIES = [
    ("risk_threshold", {"threshold": 90, "action": "block"}),
    ("risk_threshold", {"threshold": 70, "action": "require_approval"}),
    ("require_approval", {"action_types": ["deploy", "release.*"]}),
    ("block_action_type", {"action_types": ["db.drop", "db.truncate"]}),
    ("block_action_type", {"action_types": ["fs.delete"]}),
    ("warn_action_type", {"action_types": ["email.send"]}),
    ("protected_path", {"paths": ["/etc/**"]}),
    ("agent_allowlist", {"allowed_action_types": ["research", "deploy", "email.*"]}),
    ("warn_action_type", {"action_types": ["research"]}),
    ("require_approval", {"action_types": ["payment.*"]}),
]
CONTEXT = {"action_type": "research", "risk_score": 20, "declared_goal": "Compare three vendors", "reversible": True}


def per_call_us(work: Callable[[], object], calls: int) -> float:
    """Median CPU microseconds of one call."""
    times = []
    for _ in range(calls):
        begun = time.process_time_ns()
        work()
        times.append(time.process_time_ns() - begun)
    return statistics.median(times) / 1000


def main() -> None:
    """Print the figures."""
    text = json.dumps(CONTEXT)
    calibration = per_call_us(lambda: [json.loads(text) for _ in range(10)], CALLS) / 10
    with tempfile.TemporaryDirectory() as folder:
        claw = DashClaw.local(str(Path(folder) / "bench.db"), agent_id="bench", starter_policies=False)
        with claw:
            for number, (kind, rules) in enumerate(POLICIES):
                body = {"name": f"policy {number}", "policy_type": kind, "rules": rules}
                claw.request("POST", "/api/policies", body=body)
            claw.guard(CONTEXT)
            figure = per_call_us(lambda: claw.guard(CONTEXT), CALLS)
    print(f"calibration: json.loads of the context  {calibration:8.1f} µs")
    ratio = figure / calibration
    print(f"DashClaw.local guard(), 10 policies     {figure:8.1f} µs  goal {GOAL_US}  ({ratio:.0f} x calibration)")


if __name__ == "__main__":
    main()
