"""What users of other DashClaw servers and clients stumble over, one test each: here it works."""

from __future__ import annotations

import base64
import inspect
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dashclaw import ConflictError, DashClaw, GuardBlockedError, PermissionDeniedError, SigningError
from dashclaw._call import path
from dashclaw._canonical import canonical


def policy(claw: DashClaw, policy_type: str, *types: str) -> None:
    body = {"name": f"{policy_type} of {types}", "policy_type": policy_type, "rules": {"action_types": types}}
    claw.request("POST", "/api/policies", body=body)


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "dashclaw.db"


@pytest.fixture
def operator(database: Path) -> Iterator[DashClaw]:
    with DashClaw.local(database, agent_id="operator", operator=True, starter_policies=False) as found:
        yield found


@pytest.fixture
def agent(database: Path, operator: DashClaw) -> Iterator[DashClaw]:
    with DashClaw.local(database, agent_id="agent", self_approval=False) as found:
        yield found


def test_1_a_block_of_the_guard_is_read_and_stops(operator: DashClaw, agent: DashClaw) -> None:
    policy(operator, "block_action_type", "db.drop")
    assert agent.guard({"action_type": "db.drop"})["decision"] == "block"
    agent.guard_mode = "enforce"
    with pytest.raises(GuardBlockedError):
        agent.create_action("db.drop", "Drop it")
    assert {row["status"] for row in agent.get_actions()["actions"]} <= {"blocked"}


def test_2_an_agent_cannot_approve_itself_by_changing_the_status(operator: DashClaw, agent: DashClaw) -> None:
    policy(operator, "require_approval", "deploy")
    action_id = agent.create_action("deploy", "Ship")["action_id"]
    with pytest.raises(ConflictError, match="waits for a person"):
        agent.update_outcome(action_id, status="running")
    with pytest.raises(PermissionDeniedError):
        agent.approve_action(action_id, "allow")
    assert agent.get_action(action_id)["action"]["status"] == "pending_approval"


def test_3_recommendations_are_rebuilt_with_the_documented_arguments(operator: DashClaw) -> None:
    assert operator.rebuild_recommendations(lookback_days=30, min_samples=5)["recommendations"] == []


def test_4_drift_and_loops_of_one_agent(agent: DashClaw) -> None:
    action_id = agent.create_action("research", "Look")["action_id"]
    agent.register_open_loop(action_id, "question", "Which one?")
    agent.register_assumption(action_id, "It is there")
    assert len(agent.get_open_loops(agent_id="agent")["loops"]) == 1
    assert len(agent.get_drift_report(agent_id="agent")["assumptions"]) == 1
    assert agent.get_drift_report(agent_id="other")["assumptions"] == []


def test_5_the_documented_ids_are_those_that_later_calls_take(agent: DashClaw) -> None:
    action_id = agent.create_action("research", "Look")["action_id"]
    loop = agent.register_open_loop(action_id, "question", "Which one?")
    agent.resolve_open_loop(loop["loop"]["id"], status="resolved", resolution="This one")
    assumption = agent.register_assumption(action_id, "It is there")
    agent.validate_assumption(assumption["assumption"]["id"], validated=True)


def test_6_an_action_waited_for_has_its_id(operator: DashClaw, database: Path) -> None:
    policy(operator, "require_approval", "deploy")
    with DashClaw.local(database, agent_id="agent", hitl_mode="wait") as agent:
        approved = threading.Thread(target=approve_the_first, args=(operator,))
        approved.start()
        created = agent.create_action("deploy", "Ship", timeout=20)
        approved.join()
    assert created["action_id"] == created["action"]["action_id"]


def approve_the_first(operator: DashClaw) -> None:
    for _ in operator.events(after="0", timeout=10):
        for action in operator.get_pending_approvals()["actions"]:
            operator.approve_action(action["action_id"], "allow")
            return


def test_7_results_have_the_documented_shapes(operator: DashClaw) -> None:
    operator.import_policies(pack="development")
    report = operator.test_policies()
    assert isinstance(report["passed"], int)
    assert {"policy", "passed", "reason"} <= report["results"][0].keys()
    mapping = operator.map_compliance("soc2")
    assert {"id", "name", "covered"} <= mapping["controls"][0].keys()
    assert 0 <= mapping["coverage_pct"] <= 100
    assert operator.submit_routing_task("Sum it up").get("assigned_agent", {}).get("name", "queue") == "queue"
    assert isinstance(operator.get_daily_digest()["actions_count"], int)
    assert {"redacted", "findings", "clean"} <= operator.scan_content("nothing").keys()


def test_8_no_documented_argument_is_dropped(agent: DashClaw) -> None:
    goal = agent.create_goal("Ship", priority="high", deadline="2027-01-31")["goal"]
    assert (goal["priority"], goal["deadline"]) == ("high", "2027-01-31")
    assert agent.record_content("News", content_type="article")["content"]["content_type"] == "article"
    assert agent.record_idea("Cache", body="It changes once a day")["idea"]["body"] == "It changes once a day"
    assert agent.log_mood("focused", context="standup")["mood"]["context"] == "standup"
    agent.track_approach("Small steps", succeeded=True)
    assert agent.get_approaches()["approaches"][0]["success_count"] == 1
    handoff = agent.create_handoff("Half done", context={"branch": "main"}, tags=["release"])["handoff"]
    assert (handoff["context"], handoff["tags"]) == ({"branch": "main"}, ["release"])
    assert agent.get_handoffs(offset=1)["handoffs"] == []
    agent.report_token_usage(10, 5, model="gpt-4o", session_id="s1")
    assert all(entry["resource_type"] == "goal" for entry in agent.get_activity_logs(type="goal")["logs"])
    assert agent.get_activity_logs(agent_id="nobody")["logs"] == []
    assert agent.list_routing_tasks(agent_id="ra_none", offset=1)["tasks"] == []
    assert agent.sync_state({"actions": [{"action_type": "research", "declared_goal": "Look"}]})
    agent.report_memory_health(health="healthy", entities=42, topics=8)


@pytest.mark.parametrize("action_type", ["database_write", "customer_communication", "data_processing"])
def test_9_documented_action_types_are_taken(agent: DashClaw, action_type: str) -> None:
    assert agent.create_action(action_type, "As documented")["action"]["action_type"] == action_type


def test_9_other_documented_values_are_taken_and_match(agent: DashClaw) -> None:
    agent.capture_key_point("The budget is fixed", category="constraint")
    assert len(agent.get_key_points(category="constraint")["points"]) == 1
    agent.create_message_thread("Release")
    assert len(agent.get_message_threads(status="active")["threads"]) == 1
    agent.submit_routing_task("Sum it up", urgency="medium")
    agent.send_message("Hello", to="agent")
    assert len(agent.get_inbox(unread=True)["messages"]) == 1


def test_10_both_documented_samples_of_secrets_are_found(agent: DashClaw) -> None:
    first = agent.scan_content("My API key is sk-abc123 and SSN is 123-45-6789", destination="slack")
    assert not first["clean"]
    assert "sk-abc123" not in first["redacted"]
    assert "123-45-6789" not in first["redacted"]
    second = agent.report_security_finding("Email from user: john@example.com, card 4111-1111-1111-1111")
    assert len(second["findings"]) == 2


def test_11_an_imported_pack_stops_a_recorded_action(operator: DashClaw, agent: DashClaw) -> None:
    operator.import_policies(pack="enterprise-strict")
    decisions = {agent.guard({"action_type": name})["decision"] for name in ("db.drop", "fs.delete", "email.send")}
    assert decisions <= {"block", "require_approval"}


def test_12_a_policy_that_only_warns_covers_nothing(operator: DashClaw) -> None:
    rules = {"threshold": 1, "action": "warn"}
    body = {"name": "Warn of all", "policy_type": "risk_threshold", "rules": rules}
    operator.request("POST", "/api/policies", body=body)
    for framework in operator.list_frameworks()["frameworks"]:
        assert operator.map_compliance(framework["id"])["coverage_pct"] == 0


def test_13_schedules_exist(agent: DashClaw) -> None:
    agent.create_agent_schedule("builder", "Build", "0 */6 * * *", description="Every six hours")
    assert [found["name"] for found in agent.list_agent_schedules("builder")["schedules"]] == ["Build"]


def test_14_what_framework_handlers_record_is_taken(agent: DashClaw) -> None:
    agent.create_action("planning", "Ask the model", risk_score=10, systems_touched=["llm", "gpt-4o"])
    agent.create_action("tool", "Search", risk_score=20)
    agent.report_token_usage(1200, 350, model="gpt-4o")


def test_15_nothing_is_sent_unsigned_and_numbers_are_spelt_as_everywhere() -> None:
    with pytest.raises(SigningError):
        DashClaw("https://dashclaw.example.com", "key", agent_id="me", private_key="no key at all")
    assert canonical({"a": [1.0, -0.0, 1e-7, 1e16]}) == b'{"a":[1,0,1e-7,10000000000000000]}'


def test_16_attachments_of_the_advertised_size_arrive(agent: DashClaw) -> None:
    data = base64.b64encode(b"x" * (5 * 1024 * 1024)).decode()
    agent.send_message("Logs", to="agent", attachments=[{"filename": "a.log", "mime_type": "text/plain", "data": data}])
    [message] = agent.get_inbox()["messages"]
    assert len(agent.get_attachment(message["attachments"][0]["id"])["data"]) == 5 * 1024 * 1024


@pytest.mark.parametrize(
    ("method", "defaults"),
    [
        ("register_routing_agent", {"max_concurrent": 1}),
        ("submit_routing_task", {"urgency": "medium", "timeout_seconds": None, "max_retries": None}),
        ("get_compliance_evidence", {"window": "7d"}),
        ("complete_routing_task", {"result": None}),
        ("list_routing_tasks", {"status": None, "agent_id": None, "limit": 50, "offset": 0}),
    ],
)
def test_17_defaults_are_the_documented_ones(method: str, defaults: dict[str, Any]) -> None:
    parameters = inspect.signature(getattr(DashClaw, method)).parameters
    assert {name: parameters[name].default for name in defaults} == defaults


def test_18_every_part_of_a_path_is_quoted(agent: DashClaw) -> None:
    assert path("actions", "a/b ?#") == "/api/actions/a%2Fb%20%3F%23"
    created = agent.create_action("research", "Look", action_id="a/b ?#ü")
    assert agent.get_action("a/b ?#ü")["action"]["action_id"] == created["action_id"]
    assert json.loads(json.dumps(created))["action_id"] == "a/b ?#ü"
