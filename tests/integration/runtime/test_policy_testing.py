"""Packs and files of policies: imported whole or not at all, tested on the guard, and followed by recorded actions."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dashclaw.runtime.identity import Caller
from dashclaw.runtime.policy_documents import PACKS

from .conftest import ADMIN, World

IMPORT = "/api/policies/import"
SIZES = {"enterprise-strict": 5, "smb-safe": 4, "startup-growth": 4, "development": 2}


def imported(world: World, **body: Any) -> Any:
    status, answer = world.ask("POST", IMPORT, body, caller=ADMIN)
    assert status == (200 if body.get("dry_run") else 201), answer
    return answer


def refused(world: World, text: str) -> dict[str, str]:
    """The wrong places of a text, by field; nothing is stored."""
    status, answer = world.ask("POST", IMPORT, {"yaml": text}, caller=ADMIN)
    assert (status, answer["code"]) == (400, "VALIDATION_FAILED")
    assert world.ask("GET", "/api/policies")[1]["total"] == 0
    return {field["field"]: field["message"] for field in answer["fields"]}


def status_of(world: World, action_type: str, **fields: Any) -> str:
    found: str = world.act(action_type, **fields)[1]["action"]["status"]
    return found


@pytest.mark.parametrize("pack", PACKS)
def test_every_test_of_a_pack_passes_on_the_guard_and_no_policy_overrules_another(world: World, pack: str) -> None:
    answer = imported(world, pack=pack)
    assert (answer["imported"], answer["skipped"], answer["errors"]) == (SIZES[pack], 0, [])
    status, report = world.ask("POST", "/api/policies/test", {"agent_id": "agent-1"})
    assert status == 200
    assert report["passed"] == report["total"] == len(report["results"]) >= 4
    assert (report["success"], report["failed"], report["conflicts"]) == (True, 0, 0)
    assert not any(result["generated"] for result in report["results"])
    assert {row["policy_name"] for row in report["details"]} == {row["name"] for row in answer["policies"]}


RECORDED: dict[str, list[tuple[dict[str, Any], str]]] = {
    "enterprise-strict": [
        ({"action_type": "exec.curl"}, "blocked"),
        ({"action_type": "tool", "tool_name": "exec.curl"}, "blocked"),
        ({"action_type": "http", "systems_touched": ["exec.curl"]}, "blocked"),
        ({"action_type": "email.send"}, "pending_approval"),
        ({"action_type": "customer_communication"}, "pending_approval"),
        ({"action_type": "research", "systems_touched": ["crm"]}, "running"),
    ],
    "smb-safe": [
        ({"action_type": "exec.ls"}, "running"),
        ({"action_type": "exec.rm"}, "blocked"),
        ({"action_type": "exec.wget"}, "blocked"),
        ({"action_type": "exec.ls", "tool_name": "exec.rm"}, "blocked"),
        ({"action_type": "web.fetch", "systems_touched": ["pypi.org"]}, "running"),
        ({"action_type": "web.fetch", "systems_touched": ["pypi.org", "example.net"]}, "blocked"),
        ({"action_type": "web.fetch"}, "blocked"),
    ],
    "startup-growth": [
        ({"action_type": "slack.post"}, "running"),
        ({"action_type": "db.drop"}, "pending_approval"),
    ],
    "development": [
        ({"action_type": "db.drop"}, "running"),
        ({"action_type": "db.query", "systems_touched": ["production-db"]}, "blocked"),
    ],
}


@pytest.mark.parametrize("pack", PACKS)
def test_an_imported_pack_stops_recorded_actions(world: World, pack: str) -> None:
    imported(world, pack=pack)
    for fields, expected in RECORDED[pack]:
        assert status_of(world, **fields) == expected, fields


def test_an_import_says_what_is_there_already_and_keeps_it(world: World) -> None:
    first = imported(world, pack="smb-safe")
    again = imported(world, pack="smb-safe")
    assert (again["imported"], again["skipped"], again["policies"]) == (0, 4, [])
    assert sorted(again["skipped_policies"]) == sorted(row["name"] for row in first["policies"])
    assert len(again["warnings"]) == 4
    both = imported(world, pack="smb-safe", yaml="policies: []")
    assert "the pack was taken" in both["warnings"][0]


def test_a_dry_run_shows_the_outcome_and_changes_nothing(world: World) -> None:
    for action_type in ("exec.curl", "research", "email.send"):
        world.act(action_type)
    _, before = world.ask("GET", "/api/events")
    shown = imported(world, pack="enterprise-strict", dry_run=True)
    assert (shown["imported"], shown["dry_run"], len(shown["policies"])) == (0, True, 5)
    assert world.ask("GET", "/api/policies")[1]["total"] == 0
    assert world.ask("GET", "/api/events")[1]["events"] == before["events"]
    preview = shown["preview"]
    assert preview["tests"]["passed"] == preview["tests"]["total"] == 10
    assert (preview["impact"]["decisions_checked"], preview["impact"]["decisions_changed"]) == (3, 2)
    would = {row["action_type"]: (row["was"], row["would_be"]) for row in preview["impact"]["examples"]}
    assert would == {"exec.curl": ("allow", "block"), "email.send": ("allow", "require_approval")}


OWN = """
version: 1
policies:
  - name: Reading only
    applies_to: {tools: ["crm.*"], agents: [agent-1]}
    rule:
      allowlist: [crm.read]
      when: {min_risk: 10}
    tests:
      - {name: reading, input: {tool: crm.read}, expect: {allowed: true}}
      - {name: writing, input: {tool: crm.write}, expect: {allowed: false, decision: block}}
  - name: Often
    policy_type: rate_limit
    rules: {max_actions: 2, window_minutes: 5, action: block}
    active: false
"""


def test_a_text_of_ones_own_is_stored_as_written(world: World) -> None:
    made = {row["name"]: row for row in imported(world, yaml=OWN)["policies"]}
    stored = world.ask("GET", f"/api/policies/{made['Reading only']['id']}")[1]["policy"]
    assert stored["rules"] == {
        "action_types": ["crm.*"],
        "match_systems": True,
        "unless": {"action_types": ["crm.read"]},
        "when": {"min_risk": 10},
    }
    assert (stored["agent_ids"], stored["metadata"]["source"]) == (["agent-1"], "yaml")
    assert (made["Often"]["active"], made["Often"]["policy_type"]) == (False, "rate_limit")
    assert status_of(world, "crm.write") == "blocked"
    assert status_of(world, "crm.write", agent_id="agent-2") == "running"
    assert world.ask("POST", "/api/policies/test")[1]["passed"] == 2


def test_block_false_does_not_block(world: World) -> None:
    text = "policies: [{name: a, applies_to: {tools: [x]}, rule: {block: false}}]"
    assert "does nothing" in refused(world, text)["yaml.policies.0.rule"]


def test_one_wrong_policy_keeps_all_others_out(world: World) -> None:
    text = (
        "policies:\n"
        "  - {name: good, applies_to: {tools: [x]}, rule: {block: true}}\n"
        "  - {name: bad, applies_to: {tools: [x]}, rule: {block: true, when: {nonsense: 1}}}\n"
    )
    assert "rules.when.nonsense is unknown" in refused(world, text)["yaml.policies.1"]


@pytest.mark.parametrize(
    ("stored", "says"),
    [
        ("policy_type: risk_threshold, rules: {threshold: 101}", "0 to 100"),
        ("policy_type: risk_threshold, rules: {thresold: 1}", "unknown"),
        ("policy_type: nonsense, rules: {}", "is not one of"),
        ("policy_type: webhook_check, rules: {url: 'https://127.0.0.1/'}", "rules.url"),
    ],
)
def test_rules_that_the_guard_cannot_follow_are_refused(world: World, stored: str, says: str) -> None:
    assert says in refused(world, f"policies: [{{name: a, {stored}}}]")["yaml.policies.0"]


def test_a_pack_or_a_text_is_needed_and_an_admin(world: World) -> None:
    status, answer = world.ask("POST", IMPORT, {}, caller=ADMIN)
    assert (status, answer["fields"][0]["field"]) == (400, "pack")
    status, answer = world.ask("POST", IMPORT, {"pack": "../secret"}, caller=ADMIN)
    assert status == 400
    assert all(pack in answer["details"][0] for pack in PACKS)
    assert world.ask("POST", IMPORT, {"pack": "smb-safe"})[0] == 403


def test_what_is_unknown_in_a_request_is_named(world: World) -> None:
    answer = imported(world, pack="development", pakc="x")
    assert "'pakc'" in answer["warnings"][0]
    _, report = world.ask("POST", "/api/policies/test", {"verbose": True})
    assert "'verbose'" in report["warnings"][0]


def test_each_imported_policy_is_announced_once(world: World) -> None:
    imported(world, pack="development")
    _, log = world.ask("GET", "/api/activity", query={"action": "policy.updated"})
    assert len(log["logs"]) == 2
    assert {row["details"]["change"] for row in log["logs"]} == {"created"}
    world.ask("POST", "/api/policies/test")
    _, log = world.ask("GET", "/api/activity", query={"action": "policy.tested"})
    assert [row["resource_type"] for row in log["logs"]] == ["policy_test_run"]


def test_a_policy_without_tests_is_probed_and_one_that_never_fires_fails(world: World) -> None:
    world.policy(
        "block_action_type", {"action_types": ["exec.*"], "unless": {"action_types": ["exec.ls"]}}, name="good"
    )
    world.policy("block_action_type", {"action_types": ["db.drop"], "unless": {"action_types": ["db.*"]}}, name="dead")
    _, report = world.ask("POST", "/api/policies/test")
    outcome = {(result["policy"], result["test"]): result["passed"] for result in report["results"]}
    assert outcome["good", "fires for exec.*"]
    assert outcome["good", "excepts exec.ls"]
    assert outcome["good", "leaves other actions alone"]
    assert outcome["dead", "fires for db.drop"] is False
    assert (report["success"], report["failed"]) == (False, 1)
    assert all(result["generated"] for result in report["results"])


def test_a_failing_test_says_why_and_an_overruled_one_by_whom(world: World) -> None:
    text = """
policies:
  - name: Open
    applies_to: {tools: [a.*]}
    rule: {warn: true}
    tests:
      - {name: passes, input: {tool: a.b}, expect: {allowed: true}}
      - {name: wrong, input: {tool: a.b}, expect: {allowed: false}}
"""
    imported(world, yaml=text)
    world.policy("block_action_type", {"action_types": ["a.b"]}, name="Closed")
    _, report = world.ask("POST", "/api/policies/test")
    found = {result["test"]: result for result in report["results"] if result["policy"] == "Open"}
    assert found["passes"]["passed"]
    assert found["passes"]["conflict"] == {"decision": "block", "policies": ["Closed"]}
    assert not found["wrong"]["passed"]
    assert found["wrong"]["reason"] == "Open: warns about a.b"
    _, proof = world.ask("GET", "/api/policies/proof", query={"format": "json"})
    assert json.loads(proof["report"])["failures"][0]["test"] == "wrong"
    assert proof["document"]["last_run"]["failed"] == 1


def test_tests_that_cannot_be_read_fail(world: World) -> None:
    world.policy("block_action_type", {"action_types": ["x"]}, name="odd", tests=[{"name": "half"}, 7])
    _, report = world.ask("POST", "/api/policies/test")
    assert [result["passed"] for result in report["results"]] == [False, False]
    assert "cannot be read" in report["results"][0]["reason"]


def test_the_proof_is_text_and_values_and_shows_markup_as_text(world: World) -> None:
    world.policy("block_action_type", {"action_types": ["x`|y"]}, name="<b>|*bold*")
    _, page = world.ask("GET", "/api/policies/proof")
    assert (page["format"], page["report"].splitlines()[0]) == ("md", "# Policy proof report")
    assert "&lt;b&gt;\\|\\*bold\\*" in page["report"]
    _, proof = world.ask("GET", "/api/policies/proof", query={"format": "json"})
    document = json.loads(proof["report"])
    assert document == proof["document"]
    assert document["summary"]["test_results"] == {"passed": 2, "failed": 0, "success": True}
    assert world.ask("GET", "/api/policies/proof", query={"format": "pdf"})[0] == 400


def test_another_organisation_sees_and_tests_its_own_policies_only(world: World) -> None:
    imported(world, pack="smb-safe")
    _, made = world.ask("POST", "/api/orgs", {"name": "Other", "slug": "other"}, caller=ADMIN)
    stranger = Caller(made["organization"]["id"], "key_stranger", "admin")
    assert world.ask("POST", "/api/policies/test", caller=stranger)[1]["total"] == 0
    assert world.ask("GET", "/api/policies/proof", caller=stranger)[1]["document"]["policies"] == []
    status, answer = world.ask("POST", IMPORT, {"pack": "smb-safe"}, caller=stranger)
    assert (status, answer["imported"]) == (201, 4)
