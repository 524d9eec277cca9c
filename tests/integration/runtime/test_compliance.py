"""Compliance: what counts, that every control can be covered, plans, reports with their trend, and evidence."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dashclaw.runtime.clock import ago
from dashclaw.runtime.compliance import FRAMEWORKS
from dashclaw.runtime.identity import Caller
from dashclaw.runtime.store.decisions import forget

from .conftest import ADMIN, DEFAULT_ORG, World

SIZES = {"soc2": 10, "iso27001": 10, "gdpr": 8, "nist-ai-rmf": 8, "imda-agentic": 8}
READER = Caller(DEFAULT_ORG, "key_reader", "readonly")


def ask(world: World, path: str, **query: str) -> Any:
    status, answer = world.ask("GET", f"/api/compliance/{path}", query=query)
    assert status == 200, answer
    return answer


def coverage(world: World, framework: str = "soc2") -> int:
    found: int = ask(world, "map", framework=framework)["coverage_pct"]
    return found


def test_the_frameworks_are_listed(world: World) -> None:
    listed = ask(world, "frameworks")["frameworks"]
    assert {row["id"]: row["control_count"] for row in listed} == SIZES
    assert all(row["name"] and row["version"] and row["description"] for row in listed)


def test_without_policies_nothing_is_covered(world: World) -> None:
    mapping = ask(world, "map", framework="gdpr")
    assert (mapping["coverage_pct"], mapping["risk_level"]) == (0, "CRITICAL")
    assert mapping["summary"] == {
        "total_controls": 8,
        "covered": 0,
        "partial": 0,
        "gaps": 8,
        "coverage_percentage": 0,
    }
    control = mapping["controls"][0]
    assert (control["id"], control["name"]) == (control["control_id"], control["title"])
    assert (control["covered"], control["status"]) == (False, "gap")
    assert control["gap_recommendations"]


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_the_suggested_policies_cover_every_control(world: World, framework: str) -> None:
    steps = ask(world, "gaps", framework=framework)["steps"]
    for step in steps:
        status, answer = world.ask("POST", "/api/policies", step["policy"], caller=ADMIN)
        assert status == 201, answer
        assert coverage(world, framework) == step["coverage_after"]
    mapping = ask(world, "map", framework=framework)
    assert (mapping["coverage_pct"], mapping["risk_level"]) == (100, "LOW")
    assert [control["id"] for control in mapping["controls"] if not control["covered"]] == []
    done = ask(world, "gaps", framework=framework)
    assert (done["remediation_plan"], done["quick_wins"], done["steps"]) == ([], [], [])
    assert world.ask("POST", "/api/policies/test")[1]["success"] is True


def test_policies_that_only_warn_or_are_off_cover_nothing(world: World) -> None:
    world.policy("risk_threshold", {"threshold": 0, "action": "warn"})
    world.policy("rate_limit", {"max_actions": 1})
    world.policy("agent_allowlist", {"allowed_action_types": ["research"]})
    world.policy("warn_action_type", {"action_types": ["*"]})
    world.policy("protected_path", {"paths": ["/"], "action": "allow"})
    world.policy("webhook_check", {"url": "https://example.com/check", "on_timeout": "allow"})
    world.policy("block_action_type", {"action_types": ["*"]}, active=False)
    assert {name: coverage(world, name) for name in FRAMEWORKS} == dict.fromkeys(FRAMEWORKS, 0)


def test_a_policy_for_one_agent_or_under_a_condition_covers_in_part(world: World) -> None:
    tools = ["exec.*", "fs.delete", "fs.rmdir", "db.drop", "db.truncate"]
    world.policy("block_action_type", {"action_types": tools}, agent_ids=["agent-1"])
    world.policy("block_action_type", {"action_types": tools, "when": {"min_risk": 50}})
    status = {row["id"]: row["status"] for row in ask(world, "map", framework="soc2")["controls"]}
    assert status["CC6.1"] == "partial"
    world.policy("block_action_type", {"action_types": tools})
    mapping = ask(world, "map", framework="soc2")
    control = next(row for row in mapping["controls"] if row["id"] == "CC6.1")
    assert control["status"] == "covered"
    assert sorted(row["mapping_coverage"] for row in control["matched_policies"]) == ["full", "partial", "partial"]


def test_several_policies_cover_a_control_together(world: World) -> None:
    world.policy("block_action_type", {"action_types": ["exec.*", "fs.*"]})
    world.policy("block_action_type", {"action_types": ["db.drop"]})
    assert _status(world, "CC6.1") == "partial"
    world.policy("block_action_type", {"action_types": ["db.truncate"]})
    assert _status(world, "CC6.1") == "covered"


def _status(world: World, control_id: str) -> str:
    controls = ask(world, "map", framework="soc2")["controls"]
    found: str = next(row["status"] for row in controls if row["id"] == control_id)
    return found


def test_a_grant_takes_back_what_an_approval_covered(world: World) -> None:
    world.policy("require_approval", {"action_types": ["data.export", "report.generate"]})
    assert _status(world, "CC6.7") == "covered"
    world.policy("allow_grant", {"action_types": ["data.*"]})
    assert _status(world, "CC6.7") == "partial"


def test_the_plan_is_in_order_of_what_it_gains(world: World) -> None:
    world.policy("block_action_type", {"action_types": ["exec.*"]})
    found = ask(world, "gaps", framework="soc2")
    plan = found["remediation_plan"]
    assert [item["priority"] for item in plan] == list(range(1, len(plan) + 1))
    gains = [item["coverage_gain"] for item in plan]
    assert gains == sorted(gains, reverse=True)
    assert min(gains) > 0
    open_controls = [row["id"] for row in ask(world, "map", framework="soc2")["controls"] if not row["covered"]]
    assert sorted(item["control_id"] for item in plan) == sorted(open_controls)
    assert found["summary"]["total_remediation_items"] == len(plan)
    assert {item["control_id"] for item in found["quick_wins"]} < {item["control_id"] for item in plan}
    assert found["risk_assessment"]["overall_risk"] == "CRITICAL"
    assert found["risk_assessment"]["immediate_actions"][0].startswith(("CC6.6", "CC6.7", "CC7.2"))


def test_an_item_gains_what_it_promises(world: World) -> None:
    item = ask(world, "gaps", framework="iso27001")["remediation_plan"][0]
    world.ask("POST", "/api/policies", item["suggested_policies"][0], caller=ADMIN)
    assert coverage(world, "iso27001") == pytest.approx(item["coverage_gain"], abs=0.5)


def test_the_suggested_list_names_what_agents_do(world: World) -> None:
    for action_type in ("invoice.read", "invoice.read", "crm.read"):
        world.act(action_type)
    steps = ask(world, "gaps", framework="soc2")["steps"]
    listed = next(step["policy"]["rules"] for step in steps if step["policy"]["policy_type"] == "agent_allowlist")
    assert listed["allowed_action_types"] == ["invoice.read", "crm.read"]


def test_a_report_is_text_and_values_and_keeps_one_snapshot_until_something_changes(world: World) -> None:
    first = ask(world, "report", framework="soc2", format="json")
    assert json.loads(first["report"]) == first["document"]
    again = ask(world, "report", framework="soc2")
    assert again["snapshot_id"] == first["snapshot_id"]
    assert again["report"].startswith("# SOC 2 compliance report\n")
    world.policy("rate_limit", {"max_actions": 9, "action": "block"}, name="Not|too <often>")
    changed = ask(world, "report", framework="soc2")
    assert changed["snapshot_id"] != first["snapshot_id"]
    assert "Not\\|too &lt;often&gt;" in changed["report"]
    world.clock.move(days=1)
    ask(world, "report", framework="soc2")
    trend = ask(world, "report", framework="soc2")["document"]["trend"]
    assert [point["coverage_percentage"] for point in trend] == [15, 15, 0]
    assert ask(world, "report", framework="gdpr")["document"]["trend"][0]["framework"] == "gdpr"
    _, log = world.ask("GET", "/api/activity", query={"action": "compliance.snapshot.created"})
    assert len(log["logs"]) == 4


def test_a_read_only_key_gets_the_report_and_keeps_no_snapshot(world: World) -> None:
    status, answer = world.ask("GET", "/api/compliance/report", query={"framework": "soc2"}, caller=READER)
    assert (status, answer["snapshot_id"], answer["document"]["trend"]) == (200, None, [])


def test_evidence_counts_what_was_decided_in_the_window(world: World) -> None:
    world.act("exec.curl")
    world.clock.move(days=20)
    policy = world.policy("block_action_type", {"action_types": ["exec.*"]}, name="No commands")
    world.policy("require_approval", {"action_types": ["email.send"]})
    world.policy("warn_action_type", {"action_types": ["slack.post"]})
    for action_type in ("exec.curl", "exec.curl", "email.send", "email.send", "slack.post", "research"):
        world.act(action_type)
    waiting = world.ask("GET", "/api/actions", query={"status": "pending_approval"})[1]["actions"]
    world.ask("POST", f"/api/actions/{waiting[0]['action_id']}/approve", {"decision": "deny"}, caller=ADMIN)
    answer = ask(world, "evidence", window="7d", framework="soc2")
    found = answer["evidence"]
    assert (answer["window"], answer["window_days"]) == ("7d", 7)
    assert (found["guard_decisions_total"], found["guard_decisions_blocked"]) == (6, 2)
    assert (found["approval_requests"], found["guard_decisions_warned"]) == (2, 1)
    assert found["approvals"] == {"approved": 0, "denied": 1, "expired": 0, "pending": 1}
    assert found["action_records_total"] == 6
    assert {"action_type": "exec.curl", "decision": "block", "count": 2} in found["breakdown"]
    assert {"action_type": "exec.curl", "count": 2} in found["action_breakdown"]
    own = next(row for row in found["policies"] if row["policy_id"] == policy)
    assert (own["policy_name"], own["block"], own["total"]) == ("No commands", 2, 2)
    assert [row["decision"] for row in found["examples"]].count("block") == 2
    control = next(row for row in answer["controls"] if row["control_id"] == "CC6.1")
    assert control["decisions"]["block"] == 2
    assert ask(world, "evidence")["evidence"]["guard_decisions_total"] == 7
    assert ask(world, "evidence", window="90")["evidence"]["action_records_total"] == 7


@pytest.mark.parametrize("window", ["", "d", "0d", "-1d", "7 d", "7days", "99999d", "\u0667d"])
def test_a_wrong_window_is_refused(world: World, window: str) -> None:
    status, answer = world.ask("GET", "/api/compliance/evidence", query={"window": window})
    assert (status, answer["fields"][0]["field"]) == (400, "window")


@pytest.mark.parametrize("path", ["map", "gaps", "report", "evidence"])
def test_an_unknown_framework_is_not_found_and_none_is_refused(world: World, path: str) -> None:
    for name in ("../../data/model_prices", "SOC2", "soc2.json"):
        status, answer = world.ask("GET", f"/api/compliance/{path}", query={"framework": name})
        assert (status, answer["available"]) == (404, list(FRAMEWORKS))
    if path != "evidence":
        status, answer = world.ask("GET", f"/api/compliance/{path}")
        assert (status, answer["available"]) == (400, list(FRAMEWORKS))


def test_another_organisation_has_its_own_coverage_trend_and_evidence(world: World) -> None:
    world.ask("POST", "/api/policies/import", {"pack": "enterprise-strict"}, caller=ADMIN)
    world.act("exec.curl")
    ask(world, "report", framework="soc2")
    _, made = world.ask("POST", "/api/orgs", {"name": "Other", "slug": "other"}, caller=ADMIN)
    stranger = Caller(made["organization"]["id"], "key_stranger", "admin")
    query = {"framework": "soc2"}
    assert world.ask("GET", "/api/compliance/map", query=query, caller=stranger)[1]["coverage_pct"] == 0
    document = world.ask("GET", "/api/compliance/report", query=query, caller=stranger)[1]["document"]
    assert len(document["trend"]) == 1
    assert document["evidence"]["guard_decisions_total"] == 0


def test_days_that_are_over_are_counted_again_when_they_changed(world: World) -> None:
    def decisions() -> int:
        found: int = ask(world, "evidence")["evidence"]["guard_decisions_total"]
        return found

    def decide() -> None:
        assert world.ask("POST", "/api/guard", {"action_type": "research"})[0] == 200

    decide()
    world.clock.move(days=2)
    decide()
    world.clock.move(days=2)
    decide()
    assert decisions() == 3
    assert decisions() == 3
    # By a process whose clock is behind.
    world.clock.move(days=-2)
    decide()
    world.clock.move(days=2)
    assert decisions() == 4
    with world.runtime.store.write(DEFAULT_ORG) as tx:
        forget(tx, DEFAULT_ORG, ("", ""), ago(tx.now, days=1), 100)
    assert decisions() == 1
