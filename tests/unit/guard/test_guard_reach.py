"""A policy that is said to make no difference makes none, whatever the action is."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dashclaw.runtime.guard import Facts, Policy, check_policy, compile_policies, decide, doubts

NAMES = ["deploy", "deploy.prod", "db.drop", "db.read", "a", ""]
PATTERNS = st.lists(
    st.sampled_from(["deploy", "deploy*", "deploy.*", "db.*", "*.drop", "*", "**", "?", "[!a]"]), min_size=1, max_size=2
)
SYSTEMS = st.lists(st.sampled_from(["Prod", "prod*", "p*", "x", "[!X]", "*"]), min_size=1, max_size=2)
WHEN = st.fixed_dictionaries(
    {}, optional={"reversible": st.booleans(), "min_risk": st.sampled_from([0, 50, 90]), "systems_touched": SYSTEMS}
)
UNLESS = st.fixed_dictionaries({}, optional={"action_types": PATTERNS, "systems_touched": SYSTEMS})
LISTED = st.fixed_dictionaries(
    {"action_types": PATTERNS}, optional={"when": WHEN, "unless": UNLESS, "match_systems": st.booleans()}
)
GRANT = st.fixed_dictionaries({"action_types": PATTERNS}, optional={"when": WHEN})
ACTION = st.sampled_from(["allow", "warn", "require_approval", "block"])
THRESHOLD = st.fixed_dictionaries(
    {"threshold": st.sampled_from([0, 30, 60, 90]), "action": ACTION}, optional={"when": WHEN}
)
ALLOWLIST = st.fixed_dictionaries({"allowed_action_types": PATTERNS, "action": ACTION}, optional={"when": WHEN})
RULES = st.one_of(
    *(st.tuples(st.just(name), LISTED) for name in ("block_action_type", "require_approval", "warn_action_type")),
    st.tuples(st.just("allow_grant"), GRANT),
    st.tuples(st.just("risk_threshold"), THRESHOLD),
    st.tuples(st.just("agent_allowlist"), ALLOWLIST),
)
AGENTS = st.sampled_from([(), ("one",), ("one", "two")])
CONTEXT = st.fixed_dictionaries(
    {"action_type": st.sampled_from(NAMES)},
    optional={
        "tool_name": st.sampled_from(NAMES),
        "agent_id": st.sampled_from(["one", "two"]),
        "risk_score": st.sampled_from([0, 40, 70, 95]),
        "reversible": st.booleans(),
        "systems_touched": st.lists(st.sampled_from(["prod-api", "Prod", "x", "X", "y"]), max_size=2),
    },
)


@settings(max_examples=600, deadline=None)
@given(st.lists(st.tuples(RULES, AGENTS), min_size=1, max_size=4), st.lists(CONTEXT, min_size=8, max_size=8))
def test_without_a_doubted_policy_every_decision_is_the_same(
    drawn: list[tuple[tuple[str, dict[str, Any]], tuple[str, ...]]], contexts: list[dict[str, Any]]
) -> None:
    policies = [
        Policy(f"gp_{n}", f"p{n}", kind, rules, agents)
        for n, ((kind, rules), agents) in enumerate(drawn)
        if not check_policy(kind, rules)
    ]
    whole = compile_policies(policies)
    for doubt in doubts(policies):
        rest = compile_policies([policy for policy in policies if policy.id != doubt.policy_id])
        for context in contexts:
            before, after = decide(context, whole, Facts()), decide(context, rest, Facts())
            assert (before.decision, before.approvals) == (after.decision, after.approvals), doubt


def policy(own: str, kind: str, rules: dict[str, Any], agents: tuple[str, ...] = ()) -> Policy:
    return Policy(own, own, kind, rules, agents)


BLOCK = policy("block", "block_action_type", {"action_types": ["deploy*"]})


@pytest.mark.parametrize(
    ("found", "kind"),
    [
        (policy("warn", "warn_action_type", {"action_types": ["deploy.prod"]}), "shadowed"),
        (policy("ask", "require_approval", {"action_types": ["deploy"]}, ("one",)), "shadowed"),
        (policy("grant", "allow_grant", {"action_types": ["deploy"]}), "shadowed"),
        (policy("wide", "warn_action_type", {"action_types": ["dep*"]}), None),
        (policy("same", "block_action_type", {"action_types": ["deploy*"]}), None),
        (policy("risk", "risk_threshold", {"threshold": 50, "action": "allow"}), "no_effect"),
        (policy("risk2", "risk_threshold", {"threshold": 50, "action": "warn"}), None),
        (policy("all", "agent_allowlist", {"allowed_action_types": ["a", "*"]}), "never_fires"),
        (
            policy("not", "require_approval", {"action_types": ["x.y"], "unless": {"action_types": ["x.*"]}}),
            "never_fires",
        ),
    ],
    ids=lambda value: value.id if isinstance(value, Policy) else None,
)
def test_what_is_doubted(found: Policy, kind: str | None) -> None:
    assert [(doubt.policy_id, doubt.kind) for doubt in doubts([BLOCK, found])] == ([(found.id, kind)] if kind else [])


def test_a_threshold_behind_a_lower_and_stricter_one_is_shadowed() -> None:
    low = policy("low", "risk_threshold", {"threshold": 50, "action": "block"})
    high = policy("high", "risk_threshold", {"threshold": 80, "action": "require_approval"})
    risky = policy("risky", "warn_action_type", {"action_types": ["a"], "when": {"min_risk": 60}})
    assert [(doubt.policy_id, doubt.kind) for doubt in doubts([low, high, risky])] == [
        ("high", "shadowed"),
        ("risky", "shadowed"),
    ]
