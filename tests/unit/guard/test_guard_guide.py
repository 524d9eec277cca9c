"""The guide tells the truth: its examples can be stored, and every type, key and default stands in it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from dashclaw.runtime.guard import POLICY_TYPES, Policy, check_policy, compile_policies

# Described once, for all types that know them.
COMMON = {"when", "description", "approvals_required", "approver_roles"}
GUIDE = (Path(__file__).parents[3] / "docs" / "guides" / "policies.md").read_text(encoding="utf-8")
EXAMPLES = [json.loads(text) for text in re.findall(r"```json\n(.*?)```", GUIDE, re.DOTALL)]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example["policy_type"])
def test_an_example_can_be_stored_and_followed(example: dict[str, object]) -> None:
    assert check_policy(str(example["policy_type"]), example["rules"]) == []
    assert compile_policies([Policy("1", "P", **example)]).broken == ()  # type: ignore[arg-type]


def test_every_type_has_an_example() -> None:
    assert {example["policy_type"] for example in EXAMPLES} >= set(POLICY_TYPES) - {"warn_action_type"}


@pytest.mark.parametrize("policy_type", POLICY_TYPES)
def test_every_key_and_default_is_in_its_section(policy_type: str) -> None:
    section = next(part for part in GUIDE.split("\n### ") if policy_type in part.partition("\n")[0])
    kind = POLICY_TYPES[policy_type]
    for key, field in kind.fields.items():
        if key in COMMON or (key == "action" and not field.accepts("warn")):
            continue
        if policy_type == "warn_action_type" and key == "action":
            continue
        row = re.search(rf"^\| `{key}` \|.*\| (.*?) \|$", section, re.MULTILINE)
        assert row is not None, f"{policy_type}.{key} is not described"
        if field.required:
            assert row.group(1) == "required"
        elif field.default is not None:
            assert row.group(1).strip("`") == str(field.default)


def test_the_keys_of_several_types_are_described_once() -> None:
    shape = GUIDE.partition("\n## The types")[0]
    for key in COMMON:
        assert re.search(rf"^\| `{key}\b", shape, re.MULTILINE), key
