"""The frameworks as data, and what single policies reach."""

from __future__ import annotations

from typing import Any

import pytest

from dashclaw.runtime.compliance import FRAMEWORKS, coverage_of, load
from dashclaw.runtime.compliance.reach import reach_of
from dashclaw.runtime.guard import Policy

TOOLS = ("db.drop", "email.send", "exec.*")
NAMES = {
    "soc2": "CC6.1 CC6.2 CC6.3 CC6.6 CC6.7 CC7.1 CC7.2 CC7.3 CC8.1 CC9.1",
    "iso27001": "A.5.15 A.5.17 A.8.3 A.8.9 A.8.12 A.8.15 A.8.16 A.5.23 A.8.25 A.5.30",
    "gdpr": "Art.5(1)(f) Art.5(2) Art.25(1) Art.25(2) Art.30 Art.32 Art.35 Art.33",
    "nist-ai-rmf": "GOVERN-1.1 GOVERN-1.5 GOVERN-4.1 MAP-1.5 MEASURE-2.6 MEASURE-2.9 MANAGE-2.1 MANAGE-4.1",
    "imda-agentic": "IMDA-1.1 IMDA-1.2 IMDA-2.1 IMDA-3.1 IMDA-3.2 IMDA-4.1 IMDA-4.2 IMDA-5.1",
}


def reach(policy_type: str, rules: dict[str, Any], *agents: str) -> Any:
    return reach_of(Policy("gp_1", "P", policy_type, rules, agents), TOOLS)


@pytest.mark.parametrize("name", FRAMEWORKS)
def test_every_control_can_be_covered_and_says_what_to_do(name: str) -> None:
    framework = load(name)
    assert [control.control_id for control in framework.controls] == NAMES[name].split()
    for control in framework.controls:
        assert any(demand.coverage == "full" for demand in control.demands), control.control_id
        assert len(control.recommendations) in (3, 4)
        assert control.agent_relevance in ("critical", "high", "medium")
        assert all(text.endswith(".") for text in (control.description, *control.recommendations, control.evidence))


def test_a_block_reaches_what_it_names_wholly_and_a_part_of_a_glob_partly() -> None:
    found = reach("block_action_type", {"action_types": ["exec.rm", "db.*"]})
    assert (found.blocked, found.partly_blocked) == ({"db.drop"}, {"exec.*"})
    assert found.stopped == found.blocked
    assert {"block", "any_active_policy"} == found.kinds


def test_an_exception_leaves_a_part_open() -> None:
    found = reach("block_action_type", {"action_types": ["*"], "unless": {"action_types": ["exec.ls"]}})
    assert (found.blocked, found.partly_blocked) == ({"db.drop", "email.send"}, {"exec.*"})
    assert found.allowlisted == {"db.drop", "email.send", "exec.*"}
    assert "allowlist" in found.kinds


def test_an_allowlist_stops_what_is_not_on_it() -> None:
    rules = {"allowed_action_types": ["email.send"], "action": "require_approval"}
    found = reach("agent_allowlist", rules)
    assert (found.stopped, found.blocked) == ({"db.drop", "exec.*"}, frozenset())
    assert found.kinds == {"require_approval", "allowlist", "dry_run", "any_active_policy"}
    assert reach("agent_allowlist", {**rules, "allowed_action_types": ["*"]}).kinds >= {"any_active_policy"}
    assert reach("agent_allowlist", {**rules, "allowed_action_types": ["*"]}).stopped == frozenset()


def test_a_condition_on_every_action_says_nothing_about_one() -> None:
    found = reach("require_approval", {"action_types": ["*"], "when": {"reversible": False}})
    assert (found.stopped, found.partly_stopped) == (frozenset(), frozenset())
    assert (found.kinds, "require_approval" in found.partial_kinds) == ({"dry_run"}, True)


def test_a_policy_for_one_agent_reaches_in_part() -> None:
    found = reach("require_approval", {"action_types": ["email.send"]}, "bot")
    assert (found.stopped, found.partly_stopped, found.kinds) == (frozenset(), {"email.send"}, frozenset())


@pytest.mark.parametrize(
    ("policy_type", "rules"),
    [
        ("risk_threshold", {"threshold": 1, "action": "warn"}),
        ("rate_limit", {}),
        ("warn_action_type", {"action_types": ["*"]}),
        ("semantic_check", {"instruction": "x", "fallback": "allow"}),
        ("nonsense", {}),
        ("block_action_type", {"action_types": 7}),
    ],
)
def test_what_stops_nothing_for_sure_reaches_nothing(policy_type: str, rules: dict[str, Any]) -> None:
    found = reach(policy_type, rules)
    assert not any(found[2:])


def test_one_high_threshold_is_no_block_of_everything() -> None:
    policy = Policy("gp_1", "P", "risk_threshold", {"threshold": 99})
    for name in FRAMEWORKS:
        framework = load(name)
        coverage = coverage_of([policy], framework)
        assert coverage.joined("blocked") == frozenset()
        assert coverage.points(framework) <= 6
