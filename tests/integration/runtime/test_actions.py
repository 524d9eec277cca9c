"""Actions, approvals and their lifecycle, on both databases."""

from __future__ import annotations

import pytest

from .conftest import ADMIN, AGENT, World


def test_an_allowed_action_runs_and_its_outcome_is_final(world: World) -> None:
    status, created = world.act(systems_touched=["shop"], risk_score=20)
    assert status == 201
    assert created["action"]["status"] == "running"
    assert created["decision"]["decision"] == "allow"
    path = f"/api/actions/{created['action_id']}"

    status, done = world.ask("PATCH", path, {"status": "completed", "duration_ms": 7})
    assert (status, done["action"]["status"], done["action"]["duration_ms"]) == (200, "completed", 7)

    assert world.ask("PATCH", path, {"status": "failed"})[0] == 409
    status, again = world.ask("PATCH", path, {"status": "completed", "output_summary": "filled in later"})
    assert (status, again["action"]["output_summary"]) == (200, "filled in later")


def test_a_blocked_action_is_refused_and_kept_as_an_attempt(world: World) -> None:
    policy = world.policy("block_action_type", {"action_types": ["db.drop"]})
    status, refused = world.act("db.drop")
    assert (status, refused["code"]) == (403, "GUARD_BLOCKED")
    assert refused["decision"]["matched_policies"] == [policy]
    assert refused["decision"]["reasons"]
    _, listed = world.ask("GET", "/api/actions", query={"resolution": "blocked"})
    assert [row["action_id"] for row in listed["actions"]] == [refused["action_id"]]
    assert world.ask("PATCH", f"/api/actions/{refused['action_id']}", {"status": "completed"})[0] == 409


def test_a_person_releases_a_waiting_action_once(world: World) -> None:
    world.policy("require_approval", {"action_types": ["deploy"]})
    status, waiting = world.act("deploy")
    assert (status, waiting["action"]["status"]) == (202, "pending_approval")
    approve = f"/api/actions/{waiting['action_id']}/approve"

    status, refused = world.ask("POST", approve, {"decision": "allow"}, caller=AGENT)
    assert (status, refused["code"]) == (403, "APPROVER_IDENTITY_REQUIRED")
    for state in ("running", "completed", "failed"):
        assert world.ask("PATCH", f"/api/actions/{waiting['action_id']}", {"status": state})[0] == 409

    status, released = world.ask("POST", approve, {"decision": "allow", "reasoning": "fine"}, caller=ADMIN)
    assert status == 200
    assert released["action"]["status"] == "running"
    assert released["action"]["approved_by"] == ADMIN.actor_id
    assert released["action"]["approval"]["reason"] == "fine"
    assert world.ask("POST", approve, {"decision": "allow"}, caller=ADMIN)[0] == 409


def test_a_denied_action_reads_as_failed_and_says_why(world: World) -> None:
    world.policy("require_approval", {"action_types": ["deploy"]})
    _, waiting = world.act("deploy")
    path = f"/api/actions/{waiting['action_id']}"
    _, denied = world.ask("POST", f"{path}/approve", {"decision": "deny", "reasoning": "not today"}, caller=ADMIN)
    action = denied["action"]
    assert (action["status"], action["resolution"], action["error_message"]) == ("failed", "denied", "not today")
    assert world.ask("PATCH", path, {"status": "running"})[0] == 409


def test_an_approval_expires_and_is_gone(world: World) -> None:
    world.policy("require_approval", {"action_types": ["deploy"]})
    _, waiting = world.act("deploy", approval_wait_seconds=5)
    world.clock.move(seconds=6)
    path = f"/api/actions/{waiting['action_id']}"
    status, late = world.ask("POST", f"{path}/approve", {"decision": "allow"}, caller=ADMIN)
    assert (status, late["code"]) == (410, "APPROVAL_EXPIRED")
    _, seen = world.ask("GET", path)
    assert (seen["action"]["status"], seen["action"]["resolution"]) == ("failed", "expired")
    assert world.ask("GET", "/api/actions", query={"status": "pending_approval"})[1]["total"] == 0


def test_an_approval_covers_one_identical_request_and_no_other_body(world: World) -> None:
    world.policy("require_approval", {"action_types": ["deploy"]})
    _, first = world.act("deploy", declared_goal="Ship 2.0")
    world.ask("POST", f"/api/actions/{first['action_id']}/approve", {"decision": "allow"}, caller=ADMIN)

    assert world.act("deploy", declared_goal="Ship 2.1")[0] == 202
    status, second = world.act("deploy", declared_goal="Ship 2.0")
    assert (status, second["decision"]["decision"]) == (201, "allow")
    assert second["decision"]["approval"]["action_id"] == first["action_id"]
    assert world.act("deploy", declared_goal="Ship 2.0")[0] == 202
    assert world.ask("PATCH", f"/api/actions/{first['action_id']}", {"status": "completed"})[0] == 409


def test_a_started_action_has_used_its_approval(world: World) -> None:
    world.policy("require_approval", {"action_types": ["deploy"]})
    _, first = world.act("deploy")
    path = f"/api/actions/{first['action_id']}"
    world.ask("POST", f"{path}/approve", {"decision": "allow"}, caller=ADMIN)
    assert world.ask("PATCH", path, {"status": "running"})[0] == 200
    assert world.act("deploy")[0] == 202


def test_an_approval_is_too_old_after_a_quarter_of_an_hour(world: World) -> None:
    world.policy("require_approval", {"action_types": ["deploy"]})
    _, first = world.act("deploy")
    world.ask("POST", f"/api/actions/{first['action_id']}/approve", {"decision": "allow"}, caller=ADMIN)
    world.clock.move(minutes=16)
    assert world.act("deploy")[0] == 202


def test_a_caller_cannot_weaken_the_guard(world: World) -> None:
    world.policy("require_approval", {"action_types": ["deploy"]})
    assert world.act("deploy", status="completed")[0] == 202
    status, asked = world.act("research", status="pending")
    assert (status, asked["action"]["status"]) == (202, "pending_approval")


def test_unknown_fields_are_kept_and_named(world: World) -> None:
    _, created = world.act(risk_scor=90)
    assert created["action"]["metadata"] == {"risk_scor": 90}
    assert "risk_scor" in created["warnings"][0]


def test_the_same_key_answers_again_and_another_body_conflicts(world: World) -> None:
    body = {"action_type": "research", "declared_goal": "Find out", "agent_id": "a"}
    _, first = world.ask("POST", "/api/actions", body, key="k1")
    assert world.ask("POST", "/api/actions", body, key="k1")[1] == first
    assert world.ask("POST", "/api/actions", {**body, "agent_id": "b"}, key="k1")[1]["code"] == "IDEMPOTENCY_CONFLICT"
    assert world.ask("GET", "/api/actions")[1]["total"] == 1
    world.clock.move(hours=25)
    assert world.ask("POST", "/api/actions", body, key="k1")[1]["action_id"] != first["action_id"]


def test_the_body_key_replays_only_an_open_action_with_the_same_body(world: World) -> None:
    _, first = world.act(idempotency_key="hour-1")
    status, replayed = world.act(idempotency_key="hour-1")
    assert (status, replayed["idempotent_replay"], replayed["action_id"]) == (200, True, first["action_id"])
    assert world.act(idempotency_key="hour-1", declared_goal="Another")[0] == 201
    world.ask("PATCH", f"/api/actions/{first['action_id']}", {"status": "completed"})
    assert world.act(idempotency_key="hour-1")[1]["action_id"] != first["action_id"]


def test_secrets_are_masked_in_what_is_stored(world: World) -> None:
    secret = "sk-proj-" + "a1B2" * 8
    _, created = world.act(declared_goal=f"Call the model with {secret}")
    assert secret not in str(created["action"])
    assert created["security"]["critical_count"] == 1
    assert secret not in str(world.ask("GET", "/api/guard")[1])


def test_totals_stay_true_over_filters(world: World) -> None:
    for number in range(5):
        _, created = world.act(risk_score=number * 20, agent_id=f"agent-{number % 2}")
        if number % 2:
            world.ask("PATCH", f"/api/actions/{created['action_id']}", {"status": "completed", "cost_estimate": 0.5})
    _, everything = world.ask("GET", "/api/actions", query={"limit": "2"})
    assert (everything["total"], len(everything["actions"]), everything["has_more"]) == (5, 2, True)
    assert everything["stats"]["completed"] == 2
    assert everything["stats"]["total_cost"] == pytest.approx(1.0)
    assert world.ask("GET", "/api/actions", query={"agent_id": "agent-1"})[1]["total"] == 2
    assert world.ask("GET", "/api/actions", query={"risk_min": "40"})[1]["total"] == 3


@pytest.mark.parametrize(
    "wrong",
    [
        {"action_type": ""},
        {"action_type": "x" * 129},
        {"declared_goal": 5},
        {"risk_score": 101},
        {"risk_score": True},
        {"systems_touched": ["x"] * 51},
        {"reversible": "perhaps"},
        {"action_id": "loops"},
        {"status": "exploded"},
        {"approval_wait_seconds": 1},
        {"timestamp_start": "yesterday"},
    ],
)
def test_bad_input_is_named(world: World, wrong: dict[str, object]) -> None:
    status, refused = world.act(**{"action_type": "research", **wrong})
    assert status == 400
    assert refused["fields"][0]["field"].startswith(next(iter(wrong)))
    assert world.ask("GET", "/api/actions")[1]["total"] == 0
