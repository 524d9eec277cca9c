"""Policies about named actions: what is excepted, and touched systems as names."""

from __future__ import annotations

from typing import Any

import pytest

from dashclaw.runtime.guard import Policy, check_policy, compile_policies, decide

KINDS = {"block_action_type": "block", "require_approval": "require_approval", "warn_action_type": "warn"}


def decision(rules: dict[str, Any], kind: str = "block_action_type", **context: Any) -> str:
    return decide({"action_type": "note", **context}, compile_policies([Policy("gp_1", "P", kind, rules)])).decision


@pytest.mark.parametrize("kind", KINDS)
def test_an_excepted_name_does_not_count(kind: str) -> None:
    rules = {"action_types": ["exec.*"], "unless": {"action_types": ["exec.ls", "exec.c?t"]}}
    assert decision(rules, kind, action_type="exec.rm") == KINDS[kind]
    assert decision(rules, kind, action_type="exec.ls") == "allow"
    assert decision(rules, kind, action_type="exec.cat") == "allow"
    assert decision(rules, kind, action_type="EXEC.rm") == "allow"


def test_an_excepted_type_does_not_excuse_the_tool() -> None:
    rules = {"action_types": ["exec.*"], "unless": {"action_types": ["exec.ls"]}}
    assert decision(rules, action_type="exec.ls", tool_name="exec.rm") == "block"
    assert decision(rules, action_type="exec.rm", tool_name="exec.ls") == "block"
    assert decision(rules, action_type="exec.ls", tool_name="exec.ls") == "allow"


@pytest.mark.parametrize(
    ("touched", "expected"),
    [
        (["docs.example.com"], "allow"),
        ("DOCS.example.com", "allow"),
        (["docs.example.com", "evil.example.net"], "block"),
        ([], "block"),
        (None, "block"),
        ([5], "block"),
    ],
)
def test_only_excepted_systems_and_no_others_excuse_an_action(touched: Any, expected: str) -> None:
    rules = {"action_types": ["web.*"], "unless": {"systems_touched": ["docs.*"]}}
    assert decision(rules, action_type="web.fetch", systems_touched=touched) == expected


def test_touched_systems_are_names_when_the_policy_says_so() -> None:
    rules = {"action_types": ["Slack.*"], "unless": {"action_types": ["slack.read"]}}
    assert decision(rules, systems_touched=["slack.post"]) == "allow"
    rules["match_systems"] = True  # type: ignore[assignment]
    assert decision(rules, systems_touched=["slack.post"]) == "block"
    assert decision(rules, systems_touched="SLACK.POST") == "block"
    assert decision(rules, systems_touched=["slack.read", 7]) == "allow"
    assert decision(rules, systems_touched=["slack.read", "slack.post"]) == "block"


def test_the_condition_still_narrows() -> None:
    rules = {"action_types": ["exec.*"], "unless": {"action_types": ["exec.ls"]}, "when": {"reversible": False}}
    assert decision(rules, action_type="exec.rm") == "allow"
    assert decision(rules, action_type="exec.rm", reversible=False) == "block"


def test_a_rule_speaks_once_and_names_what_it_met() -> None:
    rules = {"action_types": ["exec.*"], "match_systems": True}
    context = {"action_type": "exec.a", "tool_name": "exec.b", "systems_touched": ["exec.c"]}
    found = decide(context, compile_policies([Policy("gp_1", "P", "block_action_type", rules)]))
    assert found.reasons == ("P: blocks exec.a",)


def test_a_misspelt_exception_cannot_be_stored() -> None:
    rules = {"action_types": ["exec.*"], "unless": {"action_type": ["exec.ls"]}}
    assert "rules.unless.action_type is unknown" in check_policy("block_action_type", rules)[0]
    assert check_policy("risk_threshold", {"unless": {}}) != []
    assert check_policy("block_action_type", {"action_types": ["a"], "match_systems": "yes"}) != []
