"""The fields of the policy editor and its text are two ways to write the same rules."""

from __future__ import annotations

from typing import Any

import pytest

from dashclaw.runtime.guard import POLICY_TYPES, check_policy
from dashclaw.server.web.policy_form import MARK, SEEN, SEEN_TYPE, entries, typed, values, with_fields
from dashclaw.server.web.policy_words import example, read_rules, written

FULL: dict[str, Any] = {
    "action_types": ["deploy*", "db.*"],
    "match_systems": True,
    "unless": {"action_types": ["deploy.docs"]},
    "approvals_required": 2,
    "approver_roles": ["release", "security"],
    "when": {"reversible": False, "systems_touched": ["prod*"], "min_risk": 12.5},
    "description": "Two people look",
}


def form(policy_type: str, seen: str, **more: str) -> dict[str, str]:
    rules, _ = read_rules(seen)
    fields = {MARK + key: value for key, value in values(policy_type, rules).items()}
    return {"policy_type": policy_type, "rules": seen, SEEN: seen, SEEN_TYPE: policy_type, **fields, **more}


@pytest.mark.parametrize("policy_type", sorted(POLICY_TYPES))
def test_every_key_of_every_type_has_a_field_and_comes_back(policy_type: str) -> None:
    rules, _ = read_rules(example(policy_type))
    shown = values(policy_type, rules)
    assert with_fields(policy_type, {}, shown) == {key: value for key, value in rules.items() if key in shown}
    keys = {entry.key.partition(".")[0] for entry in entries(policy_type)} | {"action"}
    assert keys >= set(POLICY_TYPES[policy_type].fields)


def test_all_that_a_policy_can_say_survives_the_fields() -> None:
    assert check_policy("require_approval", FULL) == []
    assert with_fields("require_approval", {}, values("require_approval", FULL)) == FULL


def test_what_is_typed_in_a_field_changes_the_text() -> None:
    seen = written({"threshold": 80, "action": "block"})
    text, wrong = typed(form("risk_threshold", seen, **{MARK + "threshold": "70", MARK + "when.min_risk": "5"}))
    assert wrong is None
    assert read_rules(text)[0] == {"threshold": 70, "action": "block", "when": {"min_risk": 5}}


def test_what_is_typed_in_the_text_counts_as_it_is() -> None:
    seen = written({"threshold": 80})
    text = "threshold: 75 # less\n"
    assert typed(form("risk_threshold", seen, rules=text)) == (text, None)
    assert typed({"policy_type": "risk_threshold", "rules": text}) == (text, None), "a form without fields"


def test_an_emptied_field_takes_its_key_away() -> None:
    seen = written({"threshold": 80, "when": {"min_risk": 5}})
    text, _ = typed(form("risk_threshold", seen, **{MARK + "when.min_risk": ""}))
    assert read_rules(text)[0] == {"threshold": 80}


def test_both_changed_is_refused_unless_they_agree() -> None:
    seen = written({"threshold": 80})
    text, wrong = typed(form("risk_threshold", seen, rules="threshold: 60\n", **{MARK + "threshold": "70"}))
    assert text == "threshold: 60\n"
    assert wrong is not None
    assert "both changed" in wrong
    assert typed(form("risk_threshold", seen, rules="threshold: 70\n", **{MARK + "threshold": "70"}))[1] is None


def test_fields_of_another_type_say_nothing() -> None:
    seen = written({"threshold": 80})
    given = form("risk_threshold", seen, **{MARK + "threshold": "70"})
    assert typed({**given, "policy_type": "rate_limit"}) == (seen, None)


def test_what_is_no_number_is_refused_like_in_the_text() -> None:
    made = with_fields("risk_threshold", {}, {"threshold": "much"})
    assert made == {"threshold": "much"}
    assert check_policy("risk_threshold", made) == ["rules.threshold must be a number from 0 to 100."]


def test_keys_that_no_field_has_stay() -> None:
    assert with_fields("risk_threshold", {"treshold": 1}, {"threshold": "5"}) == {"treshold": 1, "threshold": 5}
