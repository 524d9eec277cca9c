"""Every policy type: when it fires, what it then decides, and how it is narrowed."""

from __future__ import annotations

from typing import Any

import pytest

from dashclaw.runtime.guard import Decision, Facts, Policy, compile_policies, decide


def one(policy_type: str, rules: dict[str, Any], context: dict[str, Any], *agents: str, **facts: Any) -> Decision:
    """Decide with a single policy named P, id gp_1."""
    return decide(context, compile_policies([Policy("gp_1", "P", policy_type, rules, agents)]), Facts(**facts))


def act(action_type: str = "note", **more: Any) -> dict[str, Any]:
    return {"action_type": action_type, **more}


def test_nothing_matches_is_allow() -> None:
    found = decide(act(), compile_policies([]))
    assert (found.decision, found.reasons, found.warnings, found.matched_policies) == ("allow", (), (), ())
    assert found.degraded is False


@pytest.mark.parametrize(
    ("rules", "risk", "expected"),
    [
        ({}, 79, "allow"),
        ({}, 80, "block"),
        ({"threshold": 50}, 50, "block"),
        ({"threshold": 50.5}, 50, "allow"),
        ({"threshold": 0}, 0, "block"),
        ({"threshold": 100}, 100, "block"),
        ({"threshold": 100}, 5000, "block"),
        ({"threshold": 50, "action": "warn"}, 60, "warn"),
        ({"threshold": 50, "action": "require_approval"}, 60, "require_approval"),
        ({"threshold": 50, "action": "allow"}, 60, "allow"),
    ],
)
def test_risk_threshold(rules: dict[str, Any], risk: int, expected: str) -> None:
    assert one("risk_threshold", rules, act(risk_score=risk)).decision == expected


def test_risk_threshold_uses_the_derived_score() -> None:
    found = one("risk_threshold", {"threshold": 75}, act("deploy", risk_score=3))
    assert found.decision == "block"
    assert found.reasons == ("P: the threshold 75 is reached by the risk score 75",)


def test_an_allow_action_adds_its_id_and_no_line() -> None:
    found = one("risk_threshold", {"threshold": 10, "action": "allow"}, act(risk_score=20))
    assert (found.matched_policies, found.reasons, found.warnings) == (("gp_1",), (), ())


@pytest.mark.parametrize(
    ("policy_type", "expected"),
    [("require_approval", "require_approval"), ("block_action_type", "block"), ("warn_action_type", "warn")],
)
@pytest.mark.parametrize(
    ("patterns", "action_type", "tool", "fires"),
    [
        (["deploy"], "deploy", None, True),
        (["deploy"], "deployment", None, False),
        (["db.*"], "db.drop", None, True),
        (["db.*"], "dbx.drop", None, False),
        (["*.drop"], "db.drop", None, True),
        (["d?.drop"], "db.drop", None, True),
        (["d[ab].drop"], "dc.drop", None, False),
        (["a", "b", "c"], "c", None, True),
        (["*"], "", None, True),
        (["shell.*"], "tool", "shell.run", True),
        (["shell.*"], "tool", "git.push", False),
        (["tool"], "tool", "git.push", True),
    ],
)
def test_listed_actions(
    policy_type: str, expected: str, patterns: list[str], action_type: str, tool: str | None, fires: bool
) -> None:
    found = one(policy_type, {"action_types": patterns}, act(action_type, tool_name=tool))
    assert found.decision == (expected if fires else "allow")
    assert found.matched_policies == (("gp_1",) if fires else ())


def test_a_policy_hit_by_type_and_tool_speaks_once() -> None:
    found = one("block_action_type", {"action_types": ["a*", "ab"]}, act("ab", tool_name="abc"))
    assert found.reasons == ("P: blocks ab",)


def test_rate_limit_counts_decisions_already_made() -> None:
    rules = {"max_actions": 3, "window_minutes": 5}
    assert one("rate_limit", rules, act(agent_id="a"), counts={"gp_1": 2}).decision == "allow"
    reached = one("rate_limit", rules, act(agent_id="a"), counts={"gp_1": 3})
    assert (reached.decision, reached.degraded) == ("warn", False)
    assert reached.warnings == ("P: 3 decisions within 5 minutes reach the limit of 3",)
    assert one("rate_limit", {**rules, "action": "block"}, act(agent_id="a"), counts={"gp_1": 9}).decision == "block"


def test_rate_limit_without_an_agent_is_skipped() -> None:
    assert one("rate_limit", {"max_actions": 1}, act(), counts={"gp_1": 5}).decision == "allow"
    assert compile_policies([Policy("gp_1", "P", "rate_limit", {})]).needs(act()).rate_limits == ()


def test_agent_allowlist_fires_outside_its_list() -> None:
    rules = {"allowed_action_types": ["read", "db.*"]}
    assert one("agent_allowlist", rules, act("read")).decision == "allow"
    assert one("agent_allowlist", rules, act("db.query")).decision == "allow"
    found = one("agent_allowlist", rules, act("deploy"))
    assert (found.decision, found.warnings) == ("warn", ("P: not among the allowed action types: deploy",))
    assert one("agent_allowlist", {**rules, "action": "block"}, act("deploy")).decision == "block"


def test_agent_allowlist_goes_by_the_action_type_only() -> None:
    found = one("agent_allowlist", {"allowed_action_types": ["read"], "action": "block"}, act("rm", tool_name="read"))
    assert found.decision == "block"


def test_an_action_without_a_type_is_on_no_allowlist() -> None:
    assert one("agent_allowlist", {"allowed_action_types": ["read"]}, {}).decision == "warn"


@pytest.mark.parametrize(
    ("when", "context", "fires"),
    [
        ({}, {}, True),
        ({"reversible": False}, {"reversible": False}, True),
        ({"reversible": False}, {"reversible": 0}, True),
        ({"reversible": False}, {"reversible": True}, False),
        ({"reversible": False}, {}, False),
        ({"reversible": True}, {"reversible": None}, False),
        ({"min_risk": 40}, {"risk_score": 39}, False),
        ({"min_risk": 40}, {"risk_score": 40}, True),
        ({"systems_touched": ["prod-*"]}, {"systems_touched": ["PROD-api"]}, True),
        ({"systems_touched": ["prod-*"]}, {"systems_touched": "prod-api"}, True),
        ({"systems_touched": ["prod-*"]}, {"systems_touched": ["staging", "prod-api"]}, True),
        ({"systems_touched": ["prod-*"]}, {"systems_touched": ["staging"]}, False),
        ({"systems_touched": ["prod-*"]}, {"systems_touched": []}, False),
        ({"systems_touched": ["*"]}, {}, False),
        ({"reversible": False, "min_risk": 60}, {"reversible": False, "risk_score": 10}, False),
        ({"reversible": False, "min_risk": 60}, {"reversible": False, "risk_score": 61}, True),
    ],
)
@pytest.mark.parametrize(
    ("policy_type", "rules"),
    [
        ("require_approval", {"action_types": ["note"]}),
        ("risk_threshold", {"threshold": 0}),
        ("protected_path", {"paths": ["/etc"]}),
        ("agent_allowlist", {"allowed_action_types": ["other"]}),
        ("rate_limit", {"max_actions": 1}),
        ("webhook_check", {"url": "https://example.com"}),
        ("semantic_check", {"instruction": "be kind"}),
    ],
)
def test_every_type_is_narrowed_by_when(
    policy_type: str, rules: dict[str, Any], when: dict[str, Any], context: dict[str, Any], fires: bool
) -> None:
    found = one(policy_type, {**rules, "when": when}, act(agent_id="a", target="/etc", **context), counts={"gp_1": 1})
    assert (found.decision != "allow") is fires


@pytest.mark.parametrize(
    ("policy_type", "rules"),
    [
        ("block_action_type", {"action_types": ["note"]}),
        ("risk_threshold", {"threshold": 0}),
        ("protected_path", {"paths": ["/etc"]}),
        ("agent_allowlist", {"allowed_action_types": ["other"]}),
        ("rate_limit", {"max_actions": 1}),
        ("semantic_check", {"instruction": "be kind"}),
    ],
)
def test_every_type_is_scoped_by_agent(policy_type: str, rules: dict[str, Any]) -> None:
    def fires(*agents: str, agent_id: object = "a") -> bool:
        context = act(agent_id=agent_id, target="/etc")
        return one(policy_type, rules, context, *agents, counts={"gp_1": 1}).decision != "allow"

    assert fires()
    assert fires("a")
    assert fires("b", "a", "a")
    assert not fires("b")
    assert not fires("a", agent_id=None)
    assert not fires("a", agent_id=["a"])


def test_precedence_and_the_order_of_the_lines() -> None:
    policies = [
        Policy("4", "Warns", "warn_action_type", {"action_types": ["x"]}),
        Policy("3", "Asks", "require_approval", {"action_types": ["x"]}),
        Policy("2", "Blocks b", "block_action_type", {"action_types": ["x"]}),
        Policy("1", "Blocks a", "block_action_type", {"action_types": ["*"]}),
    ]
    found = decide(act("x"), compile_policies(policies))
    assert found.decision == "block"
    assert found.reasons == ("Blocks a: blocks x", "Blocks b: blocks x", "Asks: asks for approval of x")
    assert found.warnings == ("Warns: warns about x",)
    assert found.matched_policies == ("1", "2", "3", "4")
    assert found == decide(act("x"), compile_policies(reversed(policies)))


@pytest.mark.parametrize(
    ("rest", "expected"), [((3, 2), "block"), ((2, 1), "require_approval"), ((1,), "warn"), ((), "allow")]
)
def test_each_step_of_the_precedence(rest: tuple[int, ...], expected: str) -> None:
    types = {1: "warn_action_type", 2: "require_approval", 3: "block_action_type"}
    policies = [Policy(str(n), str(n), types[n], {"action_types": ["x"]}) for n in rest]
    assert decide(act("x"), compile_policies(policies)).decision == expected


def test_the_kill_switch_comes_before_everything() -> None:
    policies = compile_policies([Policy("g", "Grant", "allow_grant", {"action_types": ["*"]})])
    found = decide(act("x"), policies, Facts(kill_switch=True))
    assert found.decision == "block"
    assert found.reasons == ("Kill switch: the organisation has stopped every action",)
    assert found.matched_policies == ()


def test_many_policies_of_which_few_match() -> None:
    policies = [Policy(f"gp_{n}", f"P{n}", "block_action_type", {"action_types": [f"type-{n}"]}) for n in range(3000)]
    compiled = compile_policies(policies)
    assert len(compiled) == 3000
    assert decide(act("type-2999"), compiled).matched_policies == ("gp_2999",)
    assert decide(act("other"), compiled).decision == "allow"
