"""The number of the evaluator stands for what it decides: one cannot change without the other."""

from __future__ import annotations

import random
from hashlib import sha256
from typing import Any

from dashclaw.runtime.guard import DECISIONS, Facts, Policy, RemoteAnswer, compile_policies, decide
from dashclaw.runtime.policy_sets import ENGINE, policy_set_text, policy_text, read_policy, text_of

# Raise `ENGINE` and put the new digest here when decisions change on purpose.
DECIDED = {"1": "63cbe09ff16788235c74bc63d30c7c092c440ba7a863295d122e075360620a0a"}

NAMES = ("deploy", "deploy.web", "db.drop", "db.read", "note", "email.send")
PATTERNS = (*NAMES, "db.*", "*.drop", "*", "n?te")
SYSTEMS = ("prod-api", "staging", "database", "/etc/passwd", "shell")
GOALS = ("Drop the table", "Deploy it", "Read the news", None)
IDS = tuple(f"gp_{n}" for n in range(6))


def when(chance: random.Random) -> dict[str, Any]:
    found = {
        "min_risk": chance.randrange(100),
        "reversible": chance.random() < 0.5,
        "systems_touched": [chance.choice(("prod*", "staging", "*"))],
    }
    return {name: value for name, value in found.items() if chance.random() < 0.2}


def rules_of(chance: random.Random) -> tuple[str, dict[str, Any]]:
    listed = {"action_types": chance.sample(PATTERNS, chance.randint(1, 3))}
    action = {"action": chance.choice(DECISIONS)} if chance.random() < 0.7 else {}
    fallback = {"on_timeout": chance.choice(DECISIONS)} if chance.random() < 0.5 else {}
    kind, rules = chance.choice(
        (
            ("risk_threshold", {"threshold": chance.randrange(100), **action}),
            ("require_approval", {**listed, "match_systems": chance.random() < 0.3}),
            ("block_action_type", {**listed, "unless": {"action_types": [chance.choice(PATTERNS)]}}),
            ("warn_action_type", listed),
            ("allow_grant", listed),
            ("rate_limit", {"max_actions": chance.randint(1, 5), **action}),
            ("token_budget", {"max_tokens": chance.randint(1, 5), **action}),
            ("cost_budget", {"max_usd": chance.randint(1, 500) / 100, **action}),
            ("webhook_check", {"url": "https://example.com", **fallback}),
            ("semantic_check", {"instruction": "x"}),
            ("protected_path", {"paths": [chance.choice(("/etc", "*api", "prod*"))], **action}),
            ("agent_allowlist", {"allowed_action_types": listed["action_types"], **action}),
            ("nonsense", {}),
        )
    )
    return kind, {**rules, "when": when(chance)}


def context_of(chance: random.Random) -> dict[str, Any]:
    found = {
        "agent_id": chance.choice(("a", "b", None)),
        "risk_score": chance.randrange(101),
        "tool_name": chance.choice(NAMES),
        "systems_touched": chance.sample(SYSTEMS, chance.randint(0, 3)),
        "reversible": chance.random() < 0.5,
        "declared_goal": chance.choice(GOALS),
        "target": chance.choice(("/etc/passwd", "/srv/x", "../etc")),
    }
    given = {name: value for name, value in found.items() if chance.random() < 0.6}
    return {"action_type": chance.choice(NAMES), **given}


def facts_of(chance: random.Random) -> Facts:
    def answer() -> RemoteAnswer:
        failure = "timed out" if chance.random() < 0.3 else None
        return RemoteAnswer(chance.choice((*DECISIONS, None)), ("no",), ("look",), failure)

    known = [policy_id for policy_id in IDS if chance.random() < 0.8]
    return Facts(
        {policy_id: chance.randrange(7) for policy_id in known},
        {policy_id: answer() for policy_id in known},
        chance.choice(DECISIONS[1:]),
        chance.random() < 0.02,
        {policy_id: chance.randrange(700) / 100 for policy_id in known},
    )


def decisions(chance: random.Random, count: int) -> list[Any]:
    """What is decided about random actions under random policies; the policies have been written and read back."""
    found = []
    for _ in range(count):
        chosen = chance.sample(IDS, chance.randint(0, len(IDS)))
        policies = [Policy(policy_id, f"P{policy_id}", *rules_of(chance), ()) for policy_id in chosen]
        again = [read_policy(policy_text(policy)) for policy in policies]
        assert again == policies
        context, facts = context_of(chance), facts_of(chance)
        verdict = decide(context, compile_policies(again), facts)
        assert verdict == decide(context, compile_policies(policies), facts)
        found.append([getattr(verdict, name) for name in COMPARED])
    return found


COMPARED = ("decision", "reasons", "warnings", "matched_policies", "risk_score", "risk_breakdown", "degraded")


def test_the_engine_has_another_number_when_it_decides_otherwise() -> None:
    made = decisions(random.Random(4), 2000)
    assert {row[0] for row in made} == set(DECISIONS)
    assert {ENGINE: sha256(text_of(made).encode()).hexdigest()} == {ENGINE: DECIDED.get(ENGINE)}


def test_the_name_of_a_set_depends_on_what_it_is_and_not_on_its_order() -> None:
    chance = random.Random(5)
    policies = [Policy(policy_id, policy_id, *rules_of(chance), ("a",)) for policy_id in IDS]
    plain = policy_set_text(policies, kill_switch=False, guard_degradation="block")
    assert policy_set_text(policies[::-1], kill_switch=False, guard_degradation="block") == plain._replace(
        versions=dict(reversed(plain.versions.items()))
    )
    others = [
        policy_set_text(policies, kill_switch=True, guard_degradation="block"),
        policy_set_text(policies, kill_switch=False, guard_degradation="warn"),
        policy_set_text(policies[1:], kill_switch=False, guard_degradation="block"),
        policy_set_text([policies[0]._replace(name="x"), *policies[1:]], kill_switch=False, guard_degradation="block"),
        policy_set_text(
            [policies[0]._replace(agent_ids=()), *policies[1:]], kill_switch=False, guard_degradation="block"
        ),
    ]
    assert len({plain.hash, *(other.hash for other in others)}) == 6
