"""Measure the CPU time of one pure guard decision at 10, 100 and 1,000 policies.

Run it with `python benchmarks/guard_decision.py`; it takes a few seconds. The figures are the median of batches in
process time, beside two calibration loops of the same run, because the machine decides the microseconds. Every action
has a goal and a target of its own, so that what the guard remembers does not flatter it; action types, agents and
systems come again, as they do in life, except in the rows that say otherwise.
"""

from __future__ import annotations

import gc
import json
import random
import statistics
import time
from collections.abc import Callable, Iterator
from itertools import count, islice
from typing import Any, NamedTuple

from dashclaw.runtime.guard import Facts, Policy, PolicySet, compile_policies, decide

SIZES = (10, 100, 1000)
TARGETS = {10: 15.0, 100: 15.0, 1000: 20.0}
BATCHES = 161
CALLS_PER_BATCH = 100
VERBS = ("read", "write", "drop", "send", "list", "export", "restart", "create", "update", "delete")


class Scenario(NamedTuple):
    """A set of policies, the actions that are put to it, and the facts that go with them."""

    policies: PolicySet
    actions: Iterator[dict[str, Any]]
    facts: Facts


def policies(size: int) -> Iterator[Policy]:
    """Yield policies of every type that asks nothing remote, in the proportions of a grown installation."""
    for n in range(size):
        family, agents = f"area{n // 10}", ()
        kind, rules = _policy(n, family)
        if n % 7 == 6:
            agents = (f"agent-{n % 40}", f"agent-{(n + 11) % 40}")
        yield Policy(f"gp_{n:024x}", f"Policy {n}", kind, rules, agents)


def _policy(n: int, family: str) -> tuple[str, dict[str, Any]]:
    verb = VERBS[n // 10 % len(VERBS)]
    kinds: tuple[tuple[str, dict[str, Any]], ...] = (
        ("require_approval", {"action_types": [f"{family}.{verb}", "deploy"] if n == 0 else [f"{family}.{verb}"]}),
        ("block_action_type", {"action_types": [f"{family}.drop", f"{family}.truncate*"]}),
        ("warn_action_type", {"action_types": [f"{family}.*"]}),
        (
            "protected_path",
            {"paths": [f"/srv/{family}/secrets/*", f"{family}.pem", "*.key"] if n == 3 else [f"/opt/{n}"]},
        ),
        ("require_approval", {"action_types": [f"{family}.send"], "when": {"reversible": False}}),
        ("block_action_type", {"action_types": [f"*.{family}.wipe"], "when": {"systems_touched": ["prod*"]}}),
        ("agent_allowlist", {"allowed_action_types": ["deploy", "area0.*", f"{family}.*"]}),
        ("allow_grant", {"action_types": [f"{family}.list"], "when": {"systems_touched": ["staging-*"]}}),
        ("require_approval", {"action_types": [f"{family}.export", f"report-{n}-?"]}),
        (
            ("risk_threshold", {"threshold": min(70 + n // 10, 100), "action": "require_approval"})
            if n % 100 == 9
            else ("rate_limit", {"max_actions": 100, "window_minutes": 60})
            if n % 100 == 19
            else ("warn_action_type", {"action_types": [f"{family}.update"]})
        ),
    )
    kind, rules = kinds[n % 10]
    if kind == "agent_allowlist" and n % 7 != 6:
        return "require_approval", {"action_types": [f"{family}.create"]}
    return kind, rules


def actions(size: int, *, new_types: bool = False) -> Iterator[dict[str, Any]]:
    """Yield actions as agents declare them, without end; with `new_types` no action type comes twice."""
    chance = random.Random(size)
    for n in count():
        area = chance.randrange(max(size // 10, 1))
        action_type = "deploy" if chance.random() < 0.2 else f"area{area}.{chance.choice(VERBS)}"
        yield {
            "action_type": f"{action_type}.{n}" if new_types else action_type,
            "declared_goal": f"Update the customer records of region {n} and publish the report for the team",
            "risk_score": chance.randrange(100),
            "agent_id": f"agent-{chance.randrange(40)}",
            "agent_name": "worker",
            "systems_touched": [f"area{area}-db", "production_db"],
            "reversible": chance.random() < 0.8,
            "target": f"/srv/area{area}/data/{n}.csv",
        }


def scenario(size: int, *, new_types: bool = False) -> Scenario:
    """Return everything one row of the table needs."""
    chosen = list(policies(size))
    counts = {policy.id: 3 for policy in chosen if policy.policy_type == "rate_limit"}
    return Scenario(compile_policies(chosen), actions(size, new_types=new_types), Facts(counts=counts))


def measure(call: Callable[[dict[str, Any]], object], arguments: Iterator[dict[str, Any]]) -> float:
    """Return the median over batches of the CPU microseconds per call; making the arguments is not counted."""
    taken = []
    gc.collect()
    for _ in range(BATCHES):
        batch = list(islice(arguments, CALLS_PER_BATCH))
        start = time.process_time()
        for argument in batch:
            call(argument)
        taken.append((time.process_time() - start) / CALLS_PER_BATCH * 1e6)
    return statistics.median(taken)


def run() -> dict[str, float]:
    """Return the figures by name, in microseconds."""
    figures: dict[str, float] = {}
    figures["an empty call"] = measure(lambda action: None, actions(100))
    figures["json round trip of the action"] = measure(lambda action: json.loads(json.dumps(action)), actions(100))
    for size in SIZES:
        for new_types in (False, True):
            case = scenario(size, new_types=new_types)
            name = f"decide, {size:,} policies" + (", every action type new" if new_types else "")
            figures[name] = measure(lambda action, case=case: decide(action, case.policies, case.facts), case.actions)
    return figures


def main() -> None:
    """Print the figures as a table."""
    figures = run()
    unit = figures["json round trip of the action"]
    print(f"{'CPU per call':<50}{'µs':>8}{'x json':>9}{'target µs':>11}")
    for name, value in figures.items():
        size = next((size for size in SIZES if name == f"decide, {size:,} policies"), None)
        target = f"{TARGETS[size]:>11.0f}" if size else ""
        print(f"{name:<50}{value:>8.2f}{value / unit:>9.2f}{target}")


if __name__ == "__main__":
    main()
