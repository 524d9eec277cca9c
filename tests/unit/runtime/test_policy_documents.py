"""Documents of policies: what they mean, and what is wrong with them."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

from dashclaw.runtime.guard import POLICY_TYPES, Policy, check_policy
from dashclaw.runtime.policy_documents import PACKS, pack_policies, read_policies
from dashclaw.runtime.policy_tests import probes, run_tests, sample
from dashclaw.runtime.problems import Problem
from dashclaw.runtime.yaml_text import read_yaml


def wrong_places(text: str) -> dict[str, str]:
    with pytest.raises(Problem) as refused:
        read_policies(text)
    assert (refused.value.status, refused.value.code) == (400, "VALIDATION_FAILED")
    return {field["field"]: field["message"] for field in refused.value.fields}


@pytest.mark.parametrize(
    ("text", "field", "says"),
    [
        ("policies:\n  - name: a: b", "yaml", "line 2"),
        ("policies:\n  - name: block-deploys\n    ...", "yaml", "line 4"),
        ("a: &x [1, 2]\nb: [*x, *x]", "yaml", "anchors and aliases"),
        ("policies: !!python/object/apply:os.system [id]", "yaml", "tag"),
        ("policies: []\npolicies: []", "yaml", "twice"),
        ("- just a list", "yaml", "must be a mapping"),
        ("", "yaml", "must be a mapping"),
        ("# " + "x" * 300_000, "yaml", "longer than"),
        ("[" * 5000, "yaml", "nested"),
        ("a: [" + "1," * 30_000 + "]", "yaml", "more than 20000"),
        ('policies: [{name: "a\\0", policy_type: x, rules: {}}]', "yaml", "NUL"),
        ("policies: []", "yaml.policies", "at least 1"),
        ("policies: [{name: a}]", "yaml.policies.0", "applies_to and rule"),
        ("rules: []", "yaml.rules", "unknown"),
        ("policies: [{name: a, applies_to: {tools: [x]}, rule: {blok: true}}]", "yaml.policies.0.rule.blok", "unknown"),
        (
            "policies: [{name: a, applies_to: {tools: [1]}, rule: {block: true}}]",
            "yaml.policies.0.applies_to.tools.0",
            "string",
        ),
        (
            "policies: [{name: a, applies_to: {tools: [x]}, rule: {block: yes, approvals_required: 2}}]",
            "yaml.policies.0.rule",
            "go with require",
        ),
        (
            "policies: [{name: a, applies_to: {tools: [x]}, rule: {block: yes, require: approval}}]",
            "yaml.policies.0.rule",
            "exclude",
        ),
        (
            "policies: [{name: a, applies_to: {tools: [x]}, rule: {block: true}},"
            " {name: a, applies_to: {tools: [y]}, rule: {block: true}}]",
            "yaml.policies.1",
            "twice",
        ),
    ],
)
def test_a_wrong_text_is_refused_with_its_place(text: str, field: str, says: str) -> None:
    found = wrong_places(text)
    assert says in found[field], found


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        "{a: " * 50_000,
        "- " * 100_000,
        "a: [" + "1," * 120_000,
        "x: '" + "a" * 250_000,
        "? " * 100_000,
        "&a " * 80_000,
        "a:\n" + " - b\n" * 50_000,
    ],
    ids=lambda text: text[:6],
)
def test_no_text_takes_long_to_refuse(text: str) -> None:
    before = time.process_time()
    with pytest.raises(Problem):
        read_yaml(text, "yaml")
    assert time.process_time() - before < 2


@pytest.mark.parametrize("pack", PACKS)
def test_a_pack_can_be_stored_and_tests_each_of_its_policies(pack: str) -> None:
    for draft in pack_policies(pack):
        assert check_policy(draft.policy_type, draft.rules) == []
        assert draft.tests, draft.name


def test_the_document_of_the_guide_works() -> None:
    guide = (Path(__file__).parents[3] / "docs/guides/policies.md").read_text("utf-8")
    (text,) = re.findall(r"```yaml\n(.*?)```", guide, re.DOTALL)
    drafts = read_policies(text)
    rows = [{**draft._asdict(), "id": draft.name, "metadata": {"tests": draft.tests}} for draft in drafts]
    results = run_tests(rows)
    assert len(results) >= len(rows) == 3
    assert [result for result in results if not result["passed"] or result["conflict"]] == []


def test_an_allowlist_alone_blocks_the_rest() -> None:
    (draft,) = read_policies("policies: [{id: a, applies_to: {tools: [x.*]}, rule: {allowlist: [x.y]}}]")
    assert (draft.name, draft.policy_type) == ("a", "block_action_type")
    assert draft.rules["unless"] == {"action_types": ["x.y"]}


def test_an_allowlist_on_everything_means_action_types_only() -> None:
    (draft,) = read_policies("policies: [{id: a, applies_to: {tools: ['*']}, rule: {allowlist: [research]}}]")
    assert "match_systems" not in draft.rules


EXAMPLES = {
    "agent_allowlist": {"allowed_action_types": ["read.*"], "action": "block"},
    "allow_grant": {"action_types": ["read.*"], "when": {"systems_touched": ["staging*"]}},
    "cost_budget": {"max_usd": 2.5},
    "token_budget": {"max_tokens": 1000, "when": {"min_risk": 10}},
    "block_action_type": {"action_types": ["exec.*"], "unless": {"action_types": ["exec.s*"]}},
    "protected_path": {"paths": ["/etc", "~/.ssh", "*.pem", ".env"]},
    "rate_limit": {"max_actions": 3, "when": {"min_risk": 50}},
    "require_approval": {"action_types": ["*"], "when": {"reversible": False, "systems_touched": ["prod*"]}},
    "risk_threshold": {"threshold": 70},
    "semantic_check": {"instruction": "Be kind"},
    "warn_action_type": {"action_types": ["d[a-c]?.x"]},
    "webhook_check": {"url": "https://example.com", "on_timeout": "allow"},
}


@pytest.mark.parametrize("policy_type", POLICY_TYPES)
def test_the_probes_of_a_working_policy_pass(policy_type: str) -> None:
    row = {"id": "gp_1", "name": "P", "policy_type": policy_type, "rules": EXAMPLES[policy_type], "agent_ids": ["bot"]}
    results = run_tests([{**row, "metadata": None}])
    assert results
    assert [result for result in results if not result["passed"]] == []


def test_a_policy_that_cannot_be_read_fails() -> None:
    row = {"id": "gp_1", "name": "P", "policy_type": "risk_threshold", "rules": {"threshold": "high"}, "agent_ids": []}
    (result,) = run_tests([{**row, "metadata": None}])
    assert not result["passed"]
    assert "rules.threshold must be" in result["reason"]


def test_samples_are_covered_by_their_glob() -> None:
    assert sample("exec.*") == "exec.sample"
    assert sample("d[a-c]?.x") == "dax.x"
    assert sample("plain") == "plain"
    assert sample("[!a]z") != "az"


def test_a_policy_of_an_unknown_kind_is_still_probed() -> None:
    assert [probe.fires for probe in probes(Policy("gp_1", "P", "later_type", {}))] == [False]


def test_a_document_says_how_many_people_approve_and_which() -> None:
    rule = "{require: approval, approvals_required: 2, approver_roles: [security]}"
    [draft] = read_policies(f"policies: [{{name: a, applies_to: {{tools: [pay]}}, rule: {rule}}}]")
    assert (draft.rules["approvals_required"], draft.rules["approver_roles"]) == (2, ["security"])
    assert check_policy(draft.policy_type, draft.rules) == []
    [wrong] = read_policies(f"policies: [{{name: a, applies_to: {{tools: [pay]}}, rule: {rule.replace('2', '0')}}}]")
    assert "approvals_required" in check_policy(wrong.policy_type, wrong.rules)[0]
