"""Trying an action on policies: the same decision as the guard's, every policy accounted for, nothing recorded."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from dashclaw.runtime.guard import Facts, Policy, compile_policies, decide
from dashclaw.runtime.policy_trial import explain

NAMING = {"action_types": ["deploy*"]}


def why(policy_type: str, rules: Mapping[str, Any], context: Mapping[str, Any], **more: Any) -> tuple[object, str]:
    [found] = explain([Policy("p", "P", policy_type, rules, **more)], context, Facts({"p": 3}, spent={"p": 1.5}))
    return found.matched, found.why


@pytest.mark.parametrize(
    ("policy_type", "rules", "expected"),
    [
        ("block_action_type", NAMING, (True, "blocks deploy_it")),
        ("block_action_type", {"action_types": ["ship"]}, (False, "deploy_it is not one of ship")),
        (
            "block_action_type",
            {**NAMING, "unless": {"action_types": ["deploy_it"]}},
            (False, "Its unless excepts this action"),
        ),
        (
            "warn_action_type",
            {**NAMING, "when": {"reversible": False, "min_risk": 90, "systems_touched": ["prod"]}},
            (
                False,
                "Its when does not hold: the action is not declared irreversible and the risk score 30 is below 90 and "
                "no touched system is one of prod",
            ),
        ),
        ("risk_threshold", {"threshold": 80}, (False, "The risk score 30 is below 80")),
        ("agent_allowlist", {"allowed_action_types": ["deploy*"]}, (False, "The action type is one of deploy*")),
        ("protected_path", {"paths": ["/etc/*"]}, (False, "Nothing that it names lies in /etc/*")),
        ("rate_limit", {"max_actions": 5}, (False, "3 of 5 decisions are used")),
        ("cost_budget", {"max_usd": 2}, (False, "1.5 of 2 are used")),
        ("allow_grant", NAMING, (True, "It lifts a warning or an approval, and nothing that blocks")),
        ("allow_grant", {"action_types": ["ship"]}, (False, "deploy_it is not one of ship")),
        ("nonsense", {}, None),
        ("webhook_check", {"url": "https://example.com"}, None),
    ],
)
def test_every_policy_says_why(policy_type: str, rules: dict[str, Any], expected: tuple[bool, str] | None) -> None:
    found = why(policy_type, rules, {"action_type": "deploy_it", "agent_id": "a", "risk_score": 30})
    if policy_type == "nonsense":
        assert found[0] is True
        assert "cannot be read" in found[1]
    elif policy_type == "webhook_check":
        assert found == (None, "It would ask a service outside, which a trial does not")
    else:
        assert found == expected


def test_a_policy_for_others_says_for_whom() -> None:
    assert why("block_action_type", NAMING, {"action_type": "deploy"}, agent_ids=("b",)) == (False, "It is only for b")
    assert why("rate_limit", {}, {"action_type": "deploy"}) == (False, "It counts by agent, and none is named")


def test_what_matches_is_what_the_decision_rests_on() -> None:
    policies = [
        Policy("a", "A", "require_approval", {"action_types": ["*"], "when": {"min_risk": 20}}),
        Policy("b", "B", "risk_threshold", {"threshold": 25}),
        Policy("c", "C", "warn_action_type", NAMING),
        Policy("d", "D", "block_action_type", {"action_types": ["x?"]}, ("z",)),
    ]
    for context in (
        {"action_type": kind, "risk_score": risk, "agent_id": agent}
        for kind in ("deploy", "xy", "read")
        for risk in (0, 22, 30)
        for agent in (None, "z")
    ):
        matched = {found.policy_id for found in explain(policies, context, Facts()) if found.matched}
        assert matched == set(decide(context, compile_policies(policies)).matched_policies)
        assert json.dumps([found._asdict() for found in explain(policies, context, Facts())])
