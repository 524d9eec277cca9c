"""What hangs on an action: loops, assumptions and their drift, the trace, and who was alive."""

from __future__ import annotations

from typing import Any

import pytest

from .conftest import World


def start(world: World, **fields: object) -> str:
    status, answer = world.act(**fields)  # type: ignore[arg-type]
    assert status == 201, answer
    found: str = answer["action_id"]
    return found


def finish(world: World, action_id: str, status: str) -> None:
    assert world.ask("PATCH", f"/api/actions/{action_id}", {"status": status})[0] == 200


def loop(world: World, action_id: str, **more: object) -> str:
    body = {"action_id": action_id, "loop_type": "question", "description": "Who owns it?", **more}
    status, answer = world.ask("POST", "/api/actions/loops", body)
    assert status == 201, answer
    found: str = answer["loop_id"]
    return found


def assume(world: World, action_id: str, text: str = "The disk is big enough", **more: object) -> str:
    status, answer = world.ask("POST", "/api/actions/assumptions", {"action_id": action_id, "assumption": text, **more})
    assert status == 201, answer
    found: str = answer["assumption_id"]
    return found


def invalidate(world: World, assumption_id: str) -> int:
    body = {"validated": False, "invalidated_reason": "it is full"}
    return world.ask("PATCH", f"/api/actions/assumptions/{assumption_id}", body)[0]


def traced(world: World, action_id: str) -> dict[str, Any]:
    found: dict[str, Any] = world.ask("GET", f"/api/actions/{action_id}/trace")[1]["trace"]
    return found


def test_a_loop_keeps_what_it_was_told_and_ends_once(world: World) -> None:
    action_id = start(world, agent_name="Ann's agent")
    loop_id = loop(world, action_id, priority="high", owner="ann", due="friday")
    _, listed = world.ask("GET", "/api/actions/loops", query={"status": "open"})
    (found,) = listed["loops"]
    assert (found["priority"], found["owner"], found["metadata"]) == ("high", "ann", {"due": "friday"})
    assert (found["agent_id"], found["agent_name"], found["declared_goal"]) == ("agent-1", "Ann's agent", "Find out")
    world.clock.move(hours=1)
    path = f"/api/loops/{loop_id}"
    _, ended = world.ask("PATCH", path, {"status": "resolved", "resolution": "ann does"})
    assert (ended["loop"]["status"], ended["loop"]["resolution"]) == ("resolved", "ann does")
    assert ended["loop"]["resolved_at"] > ended["loop"]["created_at"]
    for again in ({"status": "cancelled"}, {"status": "resolved", "resolution": "again"}):
        assert world.ask("PATCH", path, again)[0] == 409
    assert world.ask("GET", "/api/loops", query={"status": "open"})[1]["total"] == 0


def test_loops_are_listed_by_priority_and_filtered(world: World) -> None:
    first, second = start(world), start(world, agent_id="agent-2")
    for number, priority in enumerate(["low", "critical", "medium", "high", "critical"]):
        loop(world, second if number == 1 else first, priority=priority, loop_type="followup" if number else "review")
    _, listed = world.ask("GET", "/api/loops")
    assert [row["priority"] for row in listed["loops"]] == ["critical", "critical", "high", "medium", "low"]
    assert listed["loops"][0]["action_id"] == first, "the newer one first"
    assert listed["stats"] == {"open_count": 5, "resolved_count": 0, "critical_open": 2, "high_open": 1}
    for query, total in (
        ({"agent_id": "agent-2"}, 1),
        ({"action_id": first}, 4),
        ({"loop_type": "review"}, 1),
        ({"priority": "critical"}, 2),
        ({"priority": "critical", "agent_id": "agent-1"}, 1),
        ({"status": "resolved"}, 0),
    ):
        assert world.ask("GET", "/api/loops", query=query)[1]["total"] == total, query
    _, page = world.ask("GET", "/api/loops", query={"limit": "2", "offset": "4"})
    assert (len(page["loops"]), page["total"], page["has_more"]) == (1, 5, False)


def test_the_ids_of_loops_and_assumptions_are_the_callers_to_choose_once(world: World) -> None:
    action_id = start(world)
    assert loop(world, action_id, loop_id="mine") == "mine"
    body = {"action_id": action_id, "loop_type": "other", "description": "x", "loop_id": "mine"}
    assert world.ask("POST", "/api/loops", body)[0] == 409
    assert assume(world, action_id, assumption_id="mine") == "mine"
    again = {"action_id": action_id, "assumption": "x", "assumption_id": "mine"}
    assert world.ask("POST", "/api/assumptions", again)[0] == 409


def test_an_assumption_may_be_confirmed_and_later_refuted_but_never_restored(world: World) -> None:
    assumption_id = assume(world, start(world), basis="df -h")
    path = f"/api/assumptions/{assumption_id}"
    world.clock.move(hours=1)
    _, held = world.ask("PATCH", path, {"validated": True})
    assert (held["assumption"]["validated"], held["assumption"]["basis"]) == (True, "df -h")
    assert held["assumption"]["validated_at"] > held["assumption"]["created_at"]
    assert invalidate(world, assumption_id) == 200
    found = world.ask("GET", path)[1]["assumption"]
    assert (found["invalidated"], found["invalidated_reason"]) == (True, "it is full")
    assert world.ask("PATCH", path, {"validated": True})[0] == 409
    assert invalidate(world, assumption_id) == 409
    assert world.ask("PATCH", path, {"validated": "yes"})[0] == 400
    assert world.ask("GET", "/api/assumptions/nobody")[0] == 404


@pytest.mark.parametrize(("days", "score"), [(0, 0), (3, 10), (14.8, 49), (14.9, 50), (15, 50), (29.9, 100), (90, 100)])
def test_drift_grows_with_age_and_is_at_risk_from_half(world: World, days: float, score: int) -> None:
    assume(world, start(world))
    world.clock.move(days=days)
    _, report = world.ask("GET", "/api/assumptions", query={"drift": "true"})
    assert report["assumptions"][0]["drift_score"] == score
    assert report["drift_summary"]["at_risk"] == int(score >= 50)


def test_the_drift_report_filters_and_counts_over_the_whole_filter(world: World) -> None:
    first, second = start(world), start(world, agent_id="agent-2")
    old = [assume(world, first, f"old {number}") for number in range(3)]
    world.clock.move(days=8)
    assume(world, second, "new")
    world.ask("PATCH", f"/api/assumptions/{old[0]}", {"validated": True})
    invalidate(world, old[1])
    for query, total in (
        ({}, 4),
        ({"agent_id": "agent-2"}, 1),
        ({"action_id": first}, 3),
        ({"validated": "true"}, 1),
        ({"validated": "false"}, 3),
        ({"stale": "true"}, 1),
        ({"stale": "true", "agent_id": "agent-2"}, 0),
    ):
        _, report = world.ask("GET", "/api/assumptions", query=query)
        assert (report["total"], report["drift_summary"]["total"]) == (total, total), query
    _, page = world.ask("GET", "/api/assumptions", query={"limit": "1"})
    assert page["assumptions"][0]["id"] == old[1], "the invalidated first"
    assert page["drift_summary"] == {"total": 4, "at_risk": 0, "validated": 1, "invalidated": 1, "unvalidated": 2}


def test_a_trace_names_what_may_have_caused_a_failure(world: World) -> None:
    root = start(world, declared_goal="Plan")
    finish(world, root, "failed")
    middle = start(world, declared_goal="Prepare", parent_action_id=root)
    leaf = start(world, declared_goal="Do", parent_action_id=middle)
    child = start(world, declared_goal="Check", parent_action_id=leaf, agent_id="agent-2")
    loop(world, leaf)
    assumption_id = assume(world, leaf, "The disk is big enough")
    assume(world, leaf, "The net is up")
    invalidate(world, assumption_id)
    found = traced(world, leaf)
    assert [row["action_id"] for row in found["parent_chain"]] == [middle, root]
    assert [row["action_id"] for row in found["sub_actions"]] == [child]
    assert {row["action_id"] for row in found["related_actions"]} == {root, middle}
    assert {name: found["assumptions"][name] for name in ("total", "invalidated", "unvalidated")} == {
        "total": 2,
        "invalidated": 1,
        "unvalidated": 1,
    }
    assert (found["loops"]["total"], found["loops"]["open"]) == (1, 1)
    causes = [(row["type"], row["severity"], row["count"]) for row in found["root_cause_indicators"]]
    assert causes == [
        ("invalidated_assumptions", "high", 1),
        ("unresolved_loops", "medium", 1),
        ("parent_failures", "high", 1),
        ("related_failures", "medium", 1),
    ]
    assert found["root_cause_indicators"][0]["detail"] == "The disk is big enough"


def test_a_trace_relates_what_happened_within_an_hour(world: World) -> None:
    start(world)
    world.clock.move(minutes=2)
    near = start(world)
    world.clock.move(minutes=59)
    middle = start(world)
    world.clock.move(minutes=59)
    later = start(world)
    world.clock.move(minutes=2)
    start(world)
    assert {row["action_id"] for row in traced(world, middle)["related_actions"]} == {near, later}


def test_a_trace_relates_what_shares_the_agent_or_the_systems(world: World) -> None:
    own = start(world, agent_id="a", systems_touched=["shop"])
    same_agent = start(world, agent_id="a", systems_touched=["mail"])
    same_systems = start(world, agent_id="b", systems_touched=["shop"])
    start(world, agent_id="c", systems_touched=["mail"])
    assert {row["action_id"] for row in traced(world, own)["related_actions"]} == {same_agent, same_systems}


def test_a_trace_is_bounded_and_survives_a_circle(world: World) -> None:
    chain = [start(world, action_id="a0")]
    for number in range(1, 14):
        chain.append(start(world, action_id=f"a{number}", parent_action_id=chain[-1]))
    found = traced(world, chain[-1])
    assert [row["action_id"] for row in found["parent_chain"]] == list(reversed(chain[3:13]))
    for number in range(12):
        start(world, action_id=f"more-{number}")
    assert len(traced(world, chain[-1])["related_actions"]) == 20
    start(world, action_id="x", parent_action_id="y")
    start(world, action_id="y", parent_action_id="x")
    start(world, action_id="self", parent_action_id="self")
    assert [row["action_id"] for row in traced(world, "x")["parent_chain"]] == ["y"]
    assert traced(world, "self")["parent_chain"] == []
    orphan = start(world, parent_action_id="nobody")
    assert traced(world, orphan)["parent_chain"] == []


def test_an_action_shows_its_loops_and_assumptions(world: World) -> None:
    action_id = start(world)
    loops = [loop(world, action_id), loop(world, action_id)]
    assumption_id = assume(world, action_id)
    _, found = world.ask("GET", f"/api/actions/{action_id}")
    assert [row["id"] for row in found["open_loops"]] == loops[::-1]
    assert [row["id"] for row in found["assumptions"]] == [assumption_id]


def test_presence_follows_heartbeats_and_actions(world: World) -> None:
    said = {"agent_id": "a", "agent_name": "Ann's", "status": "busy", "current_task_id": "t1", "metadata": {"v": 1}}
    assert world.ask("POST", "/api/agents/heartbeat", {**said, "load": 3})[1]["status"] == "ok"
    world.clock.move(minutes=1)
    start(world, agent_id="b")
    _, listed = world.ask("GET", "/api/agents")
    assert [row["agent_id"] for row in listed["agents"]] == ["b", "a"]
    ann = listed["agents"][1]
    assert {name: ann[name] for name in said} == {**said, "metadata": {"v": 1, "load": 3}}
    world.clock.move(minutes=1)
    world.ask("POST", "/api/agents/heartbeat", {"agent_id": "a", "status": "online"})
    _, listed = world.ask("GET", "/api/agents")
    first = listed["agents"][0]
    assert (first["agent_id"], first["agent_name"], first["current_task_id"]) == ("a", "Ann's", None)
    assert first["last_heartbeat_at"] > first["created_at"]
    assert listed["total"] == 2


def test_secrets_are_masked_in_loops_and_assumptions(world: World) -> None:
    secret = "ghp_" + "a1B2c3D4e5" * 4
    action_id = start(world)
    loop_id = loop(world, action_id, description=f"Rotate {secret}")
    world.ask("PATCH", f"/api/loops/{loop_id}", {"status": "resolved", "resolution": f"was {secret}"})
    assumption_id = assume(world, action_id, f"{secret} works", basis=f"used {secret}")
    world.ask("PATCH", f"/api/assumptions/{assumption_id}", {"validated": False, "invalidated_reason": secret})
    assert secret not in str(world.ask("GET", f"/api/actions/{action_id}")[1])
    assert secret not in str(world.ask("GET", "/api/events")[1])
