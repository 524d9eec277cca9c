"""Loops, assumptions, signals, agents, organisations, keys, policies and activity."""

from __future__ import annotations

from dashclaw.runtime.identity import Caller
from dashclaw.runtime.keys import caller_for_key

from .conftest import ADMIN, World


def test_a_loop_is_resolved_by_the_id_that_it_names(world: World) -> None:
    _, action = world.act(agent_id="a")
    body = {"action_id": action["action_id"], "loop_type": "dependency", "description": "Wait for the migration"}
    status, opened = world.ask("POST", "/api/actions/loops", body)
    assert status == 201
    assert opened["loop"]["id"] == opened["loop"]["loop_id"] == opened["loop_id"]
    path = f"/api/actions/loops/{opened['loop']['id']}"
    assert world.ask("PATCH", path, {"status": "resolved"})[0] == 400
    assert world.ask("PATCH", path, {"status": "resolved", "resolution": "done"})[1]["loop"]["status"] == "resolved"
    assert world.ask("PATCH", path, {"status": "cancelled"})[0] == 409
    _, listed = world.ask("GET", "/api/loops", query={"agent_id": "a"})
    assert (listed["total"], listed["loops"][0]["agent_id"], listed["stats"]["resolved_count"]) == (1, "a", 1)


def test_the_drift_report_lists_all_with_the_invalidated_first(world: World) -> None:
    _, action = world.act(agent_id="a")
    ids = []
    for text in ("first", "second", "third"):
        body = {"action_id": action["action_id"], "assumption": text}
        ids.append(world.ask("POST", "/api/actions/assumptions", body)[1]["assumption"]["id"])
    assert world.ask("PATCH", f"/api/assumptions/{ids[0]}", {"validated": False})[0] == 400
    reason = {"validated": False, "invalidated_reason": "wrong"}
    assert world.ask("PATCH", f"/api/assumptions/{ids[0]}", reason)[0] == 200
    assert world.ask("PATCH", f"/api/assumptions/{ids[0]}", {"validated": True})[0] == 409
    assert world.ask("PATCH", f"/api/assumptions/{ids[1]}", {"validated": True})[1]["assumption"]["validated"] is True
    world.clock.move(days=15)
    _, report = world.ask("GET", "/api/actions/assumptions", query={"agent_id": "a", "drift": "true"})
    assert report["assumptions"][0]["id"] == ids[0]
    assert {row["id"]: row["drift_score"] for row in report["assumptions"]} == {ids[0]: None, ids[1]: 0, ids[2]: 50}
    assert report["drift_summary"] == {"total": 3, "at_risk": 1, "validated": 1, "invalidated": 1, "unvalidated": 1}


def test_signals_follow_their_thresholds(world: World) -> None:
    world.ask("POST", "/api/agents/heartbeat", {"agent_id": "quiet", "current_task_id": "t1"})
    _, risky = world.act("x", risk_score=90, reversible=False, agent_id="bold")
    for _ in range(4):
        _, failing = world.act(agent_id="clumsy")
        world.ask("PATCH", f"/api/actions/{failing['action_id']}", {"status": "failed"})
    world.clock.move(minutes=11)
    _, found = world.ask("GET", "/api/signals")
    kinds = {(signal["type"], signal["severity"], signal["agent_id"]) for signal in found["signals"]}
    assert ("agent_silent", "red", "quiet") in kinds
    assert ("high_impact_low_oversight", "red", "bold") in kinds
    assert ("repeated_failures", "amber", "clumsy") in kinds
    world.clock.move(hours=25)
    _, later = world.ask("GET", "/api/actions/signals", query={"agent_id": "bold"})
    stuck = [signal for signal in later["signals"] if signal["type"] == "stale_running_action"]
    assert [(signal["severity"], signal["action_id"]) for signal in stuck] == [("red", risky["action_id"])]


def test_keys_are_shown_once_and_the_last_admin_key_stays(world: World) -> None:
    path = "/api/orgs/org_default/keys"
    _, made = world.ask("POST", path, {"role": "admin", "label": "ops"}, caller=ADMIN)
    raw = made["api_key"]["key"]
    assert raw.startswith("oc_live_")
    with world.runtime.store.read() as tx:
        caller = caller_for_key(tx, raw)
    assert caller is not None
    assert (caller.org_id, caller.role) == ("org_default", "admin")
    assert raw not in str(world.ask("GET", path, caller=ADMIN))
    key_id = made["api_key"]["id"]
    assert world.ask("DELETE", f"{path}/{key_id}", caller=ADMIN)[1]["code"] == "LAST_ADMIN_KEY"
    world.ask("POST", path, {"role": "admin"}, caller=ADMIN)
    assert world.ask("DELETE", f"{path}/{key_id}", caller=ADMIN)[0] == 200
    with world.runtime.store.read() as tx:
        assert caller_for_key(tx, raw) is None


def test_ids_never_cross_organisations(world: World) -> None:
    _, action = world.act()
    policy = world.policy("block_action_type", {"action_types": ["x"]})
    _, made = world.ask("POST", "/api/orgs", {"name": "Other", "slug": "other"}, caller=ADMIN)
    stranger = Caller(made["organization"]["id"], "key_stranger", "admin")
    for verb, path in (
        ("GET", f"/api/actions/{action['action_id']}"),
        ("GET", f"/api/actions/{action['action_id']}/trace"),
        ("GET", f"/api/policies/{policy}"),
        ("DELETE", f"/api/policies/{policy}"),
        ("GET", "/api/orgs/org_default"),
        ("GET", "/api/orgs/org_default/keys"),
    ):
        assert world.ask(verb, path, caller=stranger)[0] == 404, path
    assert world.ask("GET", "/api/actions", caller=stranger)[1]["total"] == 0
    seen = world.ask("GET", "/api/events", caller=stranger)[1]["events"]
    assert [event["event"] for event in seen] == ["key.created"]
    # The same caller-chosen id in two organisations is no conflict.
    body = {"action_type": "x", "declared_goal": "g", "agent_id": "a", "action_id": action["action_id"]}
    assert world.ask("POST", "/api/actions", body, caller=stranger)[0] == 201


def test_a_wrong_policy_is_refused_with_what_is_wrong(world: World) -> None:
    body = {"name": "n", "policy_type": "risk_threshold", "rules": {"threshold": 101}}
    status, refused = world.ask("POST", "/api/policies", body, caller=ADMIN)
    assert status == 400
    assert "threshold" in refused["details"][0]
    world.policy("risk_threshold", {"threshold": 50}, name="n")
    body["rules"] = {"threshold": 60}
    assert world.ask("POST", "/api/policies", body, caller=ADMIN)[0] == 409
    assert world.ask("POST", "/api/policies", body)[0] == 403


def test_the_activity_says_who_changed_what(world: World) -> None:
    world.policy("risk_threshold", {"threshold": 50})
    world.act(agent_id="a")
    _, log = world.ask("GET", "/api/activity", query={"type": "policy"})
    assert [(row["action"], row["actor_id"]) for row in log["logs"]] == [("policy.updated", ADMIN.actor_id)]
    _, of_agent = world.ask("GET", "/api/activity", query={"agent_id": "a", "action": "action.created"})
    assert of_agent["stats"]["total"] == 1
