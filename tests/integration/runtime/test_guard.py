"""The guard over a database: recorded, counted, at once in force everywhere."""

from __future__ import annotations

from dashclaw.runtime.runtime import Runtime

from .conftest import ADMIN, World


def ask(world: World, action_type: str = "research", **fields: object) -> dict[str, object]:
    status, decision = world.ask("POST", "/api/guard", {"action_type": action_type, "agent_id": "a", **fields})
    assert status == 200, decision
    assert isinstance(decision, dict)
    return decision


def test_every_decision_is_recorded_with_its_reasons(world: World) -> None:
    world.policy("block_action_type", {"action_types": ["db.drop"]})
    blocked, allowed = ask(world, "db.drop"), ask(world)
    _, history = world.ask("GET", "/api/guard", query={"limit": "10"})
    assert [row["id"] for row in history["decisions"]] == [allowed["decision_id"], blocked["decision_id"]]
    assert history["decisions"][1]["reasons"] == blocked["reasons"]
    assert (history["total"], history["stats"]["blocks_24h"]) == (2, 1)
    assert world.ask("GET", "/api/guard", query={"decision": "block"})[1]["total"] == 1


def test_a_rate_limit_counts_decisions_of_one_agent(world: World) -> None:
    world.policy("rate_limit", {"max_actions": 2, "window_minutes": 10, "action": "block"})
    assert [ask(world)["decision"] for _ in range(3)] == ["allow", "allow", "block"]
    assert world.ask("POST", "/api/guard", {"action_type": "x", "agent_id": "b"})[1]["decision"] == "allow"
    world.clock.move(minutes=11)
    assert ask(world)["decision"] == "allow"


def test_a_pre_check_and_its_record_share_one_decision(world: World) -> None:
    body = {"action_type": "research", "declared_goal": "Find out", "agent_id": "a"}
    _, decision = world.ask("POST", "/api/guard", body)
    _, created = world.ask("POST", "/api/actions", {**body, "decision_id": decision["decision_id"]})
    assert created["decision"]["decision_id"] == decision["decision_id"]
    assert world.ask("GET", "/api/guard")[1]["total"] == 1
    _, again = world.ask("POST", "/api/actions", {**body, "decision_id": decision["decision_id"]})
    assert again["decision"]["decision_id"] != decision["decision_id"]


def test_a_policy_of_another_process_is_in_force_at_once(world: World) -> None:
    assert ask(world, "db.drop")["decision"] == "allow"
    other = Runtime.open(world.url, clock=world.clock)
    try:
        policy = World(other, world.clock, world.url).policy("block_action_type", {"action_types": ["db.drop"]})
        assert ask(world, "db.drop")["decision"] == "block"
        World(other, world.clock, world.url).ask("DELETE", f"/api/policies/{policy}", caller=ADMIN)
        assert ask(world, "db.drop")["decision"] == "allow"
    finally:
        other.close()


def test_the_kill_switch_blocks_everything(world: World) -> None:
    world.ask("PATCH", "/api/orgs/org_default", {"kill_switch": True}, caller=ADMIN)
    assert ask(world)["decision"] == "block"
    world.ask("PATCH", "/api/orgs/org_default", {"kill_switch": False}, caller=ADMIN)
    assert ask(world)["decision"] == "allow"


def test_a_model_that_is_not_there_fails_closed(world: World) -> None:
    world.policy("semantic_check", {"instruction": "Never write to customers"})
    decision = ask(world)
    assert (decision["decision"], decision["degraded"]) == ("require_approval", True)
    assert decision["reasons"]


def test_signals_of_the_agent_come_as_warnings(world: World) -> None:
    for _ in range(11):
        world.act(agent_id="a")
    status, decision = world.ask(
        "POST", "/api/guard", {"action_type": "x", "agent_id": "a"}, query={"include_signals": "true"}
    )
    assert status == 200
    assert any("autonomy_spike" in line for line in decision["warnings"])
