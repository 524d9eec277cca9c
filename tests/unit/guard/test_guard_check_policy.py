"""Validation: which rules can be stored, and what is said about the others."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dashclaw.runtime.guard import (
    POLICY_TYPES,
    STARTER_POLICIES,
    Policy,
    check_policy,
    compile_policies,
    decide,
    why_not_public,
)

GOOD: list[tuple[str, dict[str, Any]]] = [
    ("risk_threshold", {}),
    ("risk_threshold", {"threshold": 0, "action": "allow", "description": "why"}),
    ("risk_threshold", {"threshold": 12.5, "when": None, "action": None}),
    ("require_approval", {"action_types": ["a", "b.*"], "action": "require_approval"}),
    ("block_action_type", {"action_types": ["*"], "when": {}}),
    ("warn_action_type", {"action_types": ["[!a]*"]}),
    ("rate_limit", {"max_actions": 1, "window_minutes": 99999, "action": "block"}),
    ("webhook_check", {"url": "https://hooks.example.com/x?y=1", "timeout_ms": 1000, "on_timeout": "block"}),
    ("semantic_check", {"instruction": "x", "model": "m", "fallback": "allow"}),
    ("protected_path", {"paths": ["/etc", "~/.ssh"], "action": "block"}),
    ("agent_allowlist", {"allowed_action_types": ["read"], "when": {"min_risk": 5}}),
    ("require_approval", {"action_types": ["pay"], "approvals_required": 10, "approver_roles": ["admin", "a.b_c-1"]}),
    ("risk_threshold", {"action": "require_approval", "approvals_required": 2}),
    ("cost_budget", {"max_usd": 5, "approver_roles": ["finance"]}),
    ("webhook_check", {"url": "https://hooks.example.com/x", "approvals_required": 2}),
    ("semantic_check", {"instruction": "x", "fallback": "require_approval", "approver_roles": ["security"]}),
    ("allow_grant", {"action_types": ["read"], "when": {"reversible": True, "systems_touched": ["a*"], "min_risk": 0}}),
]

BAD: list[tuple[str, Any, str]] = [
    ("nonsense", {}, "policy_type"),
    ("", {}, "policy_type"),
    ("risk_threshold", None, "object"),
    ("risk_threshold", "{}", "object"),
    ("risk_threshold", [], "object"),
    ("risk_threshold", {"threshold": -1}, "rules.threshold"),
    ("risk_threshold", {"threshold": 101}, "rules.threshold"),
    ("risk_threshold", {"threshold": "80"}, "rules.threshold"),
    ("risk_threshold", {"threshold": True}, "rules.threshold"),
    ("risk_threshold", {"threshold": float("nan")}, "rules.threshold"),
    ("risk_threshold", {"treshold": 80}, "rules.treshold"),
    ("risk_threshold", {"action": "deny"}, "rules.action"),
    ("risk_threshold", {"action": ["block"]}, "rules.action"),
    ("risk_threshold", {"when": []}, "rules.when"),
    ("risk_threshold", {"when": {"reversible": 0}}, "rules.when.reversible"),
    ("risk_threshold", {"when": {"systems_touched": []}}, "rules.when.systems_touched"),
    ("risk_threshold", {"when": {"min_risk": 200}}, "rules.when.min_risk"),
    ("risk_threshold", {"when": {"target_prefix": "x"}}, "rules.when.target_prefix"),
    ("risk_threshold", {"description": "x" * 1001}, "rules.description"),
    ("require_approval", {}, "rules.action_types is required"),
    ("require_approval", {"action_types": []}, "rules.action_types"),
    ("require_approval", {"action_types": "deploy"}, "rules.action_types"),
    ("require_approval", {"action_types": [""]}, "rules.action_types"),
    ("require_approval", {"action_types": ["a", 1]}, "rules.action_types"),
    ("require_approval", {"action_types": ["x" * 257]}, "rules.action_types"),
    ("require_approval", {"action_types": ["x"] * 201}, "rules.action_types"),
    ("require_approval", {"action_types": ["x"], "action": "warn"}, "rules.action"),
    ("allow_grant", {"action_types": ["x"], "action": "block"}, "rules.action"),
    ("rate_limit", {"max_actions": 0}, "rules.max_actions"),
    ("rate_limit", {"max_actions": 1.5}, "rules.max_actions"),
    ("rate_limit", {"window_minutes": 0}, "rules.window_minutes"),
    ("webhook_check", {}, "rules.url is required"),
    ("webhook_check", {"url": "ftp://example.com"}, "rules.url"),
    ("webhook_check", {"url": "http://example.com"}, "rules.url must use https"),
    ("webhook_check", {"url": "https://localhost/x"}, "rules.url"),
    ("webhook_check", {"url": "https://example.com", "timeout_ms": 999}, "rules.timeout_ms"),
    ("webhook_check", {"url": "https://example.com", "timeout_ms": 10001}, "rules.timeout_ms"),
    ("webhook_check", {"url": "https://example.com", "on_timeout": "retry"}, "rules.on_timeout"),
    ("webhook_check", {"url": "https://example.com", "action": "block"}, "rules.action"),
    ("semantic_check", {"instruction": "  "}, "rules.instruction"),
    ("semantic_check", {"instruction": "x" * 3001}, "rules.instruction"),
    ("protected_path", {"paths": None}, "rules.paths is required"),
    ("require_approval", {"action_types": ["x"], "approvals_required": 0}, "rules.approvals_required"),
    ("require_approval", {"action_types": ["x"], "approvals_required": 11}, "rules.approvals_required"),
    ("require_approval", {"action_types": ["x"], "approvals_required": True}, "rules.approvals_required"),
    ("require_approval", {"action_types": ["x"], "approvals_required": 2.0}, "rules.approvals_required"),
    ("require_approval", {"action_types": ["x"], "approver_roles": []}, "rules.approver_roles"),
    ("require_approval", {"action_types": ["x"], "approver_roles": "admin"}, "rules.approver_roles"),
    ("require_approval", {"action_types": ["x"], "approver_roles": ["Security"]}, "rules.approver_roles"),
    ("require_approval", {"action_types": ["x"], "approver_roles": ["member"]}, "rules.approver_roles"),
    ("require_approval", {"action_types": ["x"], "approver_roles": ["a", "a"]}, "rules.approver_roles"),
    (
        "require_approval",
        {"action_types": ["x"], "approver_roles": [f"r{n}" for n in range(21)]},
        "rules.approver_roles",
    ),
    ("block_action_type", {"action_types": ["x"], "approvals_required": 2}, "rules.approvals_required is unknown"),
    ("allow_grant", {"action_types": ["x"], "approver_roles": ["a"]}, "rules.approver_roles is unknown"),
    ("risk_threshold", {"approvals_required": 2}, "rules.approvals_required needs the action require_approval"),
    ("risk_threshold", {"action": "warn", "approver_roles": ["a"]}, "rules.approver_roles needs the action"),
]


@pytest.mark.parametrize(("policy_type", "rules"), GOOD)
def test_rules_that_can_be_stored_can_be_followed(policy_type: str, rules: dict[str, Any]) -> None:
    assert check_policy(policy_type, rules) == []
    stored = json.loads(json.dumps(rules))
    assert compile_policies([Policy("1", "P", policy_type, stored)]).broken == ()


@pytest.mark.parametrize(("policy_type", "rules", "named"), BAD)
def test_what_is_wrong_is_named(policy_type: str, rules: Any, named: str) -> None:
    found = check_policy(policy_type, rules)
    assert len(found) == 1
    assert named in found[0]
    assert found[0].endswith(".")


@pytest.mark.parametrize(
    ("policy_type", "rules"), [(kind, rules) for kind, rules, named in BAD if kind != "webhook_check" and named]
)
def test_rules_that_cannot_be_followed_stop_every_action(policy_type: str, rules: Any) -> None:
    compiled = compile_policies([Policy("gp_1", "Broken one", policy_type, rules, ("somebody",))])
    found = decide({"action_type": "note"}, compiled)
    assert (found.decision, found.degraded, found.matched_policies) == ("require_approval", True, ("gp_1",))
    assert found.reasons[0].startswith("Broken one: cannot be read: ")
    assert compiled.broken[0].policy_id == "gp_1"


def test_all_complaints_are_collected() -> None:
    found = check_policy("risk_threshold", {"threshold": "x", "action": "x", "when": {"min_risk": -1}, "z": 1})
    assert len(found) == 4


@pytest.mark.parametrize("agents", ["abc", None, ("a", 3), ("",), 4])
def test_an_unreadable_scope_stops_every_action(agents: Any) -> None:
    found = decide({"action_type": "n"}, compile_policies([Policy("1", "P", "risk_threshold", {}, agents)]))
    assert (found.decision, found.degraded) == ("require_approval", True)


@pytest.mark.parametrize("identity", [(None, None, None), (1, 2, 3), ([], {}, [])])
def test_a_policy_of_nonsense_does_not_raise(identity: tuple[Any, Any, Any]) -> None:
    found = decide({"action_type": "n"}, compile_policies([Policy(*identity, rules={})]))
    assert found.degraded is True


def test_every_type_is_described() -> None:
    for name, kind in POLICY_TYPES.items():
        assert kind.summary.endswith(".")
        assert set(kind.defaults) <= set(kind.fields)
        assert check_policy(name, {"zzz": 1}) != []
    assert POLICY_TYPES["risk_threshold"].defaults == {"threshold": 80, "action": "block"}
    assert POLICY_TYPES["rate_limit"].defaults == {"max_actions": 50, "window_minutes": 60, "action": "warn"}
    assert POLICY_TYPES["webhook_check"].defaults == {"timeout_ms": 5000}


def test_a_private_host_is_allowed_on_request() -> None:
    rules = {"url": "http://127.0.0.1:8080/check"}
    assert check_policy("webhook_check", rules) != []
    assert check_policy("webhook_check", rules, private_hosts=True) == []


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com",
        "https://",
        "https:///x",
        "https://user:pass@example.com",
        "https://user@example.com",
        "https://localhost",
        "https://intranet",
        "https://a.localhost.",
        "https://printer.local",
        "https://a.internal/x",
        "https://127.0.0.1",
        "https://127.1",
        "https://2130706433",
        "https://1.2130706433",
        "https://0x7f.0.0.0x1",
        "https://10.0.0.1",
        "https://169.254.169.254",
        "https://224.0.0.1",
        "https://[::1]",
        "https://[::ffff:10.0.0.1]",
        "https://[fe80::1]",
        "https://[bad",
        "https://example.com:99999",
    ],
)
def test_addresses_that_are_not_public(url: str) -> None:
    assert why_not_public(url) is not None


@pytest.mark.parametrize(
    "url", ["https://example.com", "https://hooks.example.com:8443/a", "https://8.8.8.8/x", "https://[2606:4700::1]/"]
)
def test_addresses_that_are_public(url: str) -> None:
    assert why_not_public(url) is None


def test_the_starter_policies() -> None:
    policies = []
    for n, starter in enumerate(STARTER_POLICIES):
        assert check_policy(starter["policy_type"], starter["rules"]) == []
        policies.append(Policy(str(n), starter["name"], starter["policy_type"], starter["rules"]))
    compiled = compile_policies(policies)

    def verdict(**context: Any) -> str:
        return decide(context, compiled).decision

    assert verdict(action_type="research", declared_goal="Explore new API") == "allow"
    assert (
        verdict(action_type="deploy", declared_goal="Ship v2.0", risk_score=60, systems_touched=["prod-api"]) == "allow"
    )
    assert verdict(action_type="note", risk_score=80) == "require_approval"
    assert verdict(action_type="note", reversible=False) == "require_approval"
    assert verdict(action_type="note", reversible=True) == "allow"
