"""Bulk sync: every section in one transaction, nothing twice, and an answer that says what was stored."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import func, select

from dashclaw.runtime.store import tables

from .conftest import ADMIN, World

STATE: dict[str, Any] = {
    "agent_id": "a",
    "actions": [{"action_id": "act_1", "action_type": "research", "declared_goal": "Compare", "status": "completed"}],
    "decisions": [{"decision": "Retry", "confidence": None}],
    "learning": ["Wait"],
    "goals": [{"title": "Fewer errors", "priority": "high", "deadline": "2026-12-31"}],
    "content": [{"title": "Report", "content_type": "report", "body": "All is well"}],
    "inspiration": [{"title": "Vectors", "body": "For retrieval"}],
    "context_points": [{"content": "The budget is 50", "category": "constraint"}],
    "context_threads": [{"name": "Release"}],
    "handoffs": [{"summary": "Half done", "tags": ["nightly"]}],
    "snippets": [{"name": "one", "code": "pass"}],
    "relationships": [{"summary": "Asked the owner"}, {"name": "Ada", "description": "Owns the shop"}],
    "connections": [{"provider": "openai", "metadata": {"region": "eu"}}],
    "capabilities": ["sql", {"name": "python", "description": "3.11"}],
    "preferences": {
        "observations": ["Likes short answers"],
        "preferences": [{"preference": "Functional"}],
        "moods": [{"mood": "focused", "context": "standup"}],
        "approaches": [{"approach": "Ask first", "succeeded": True}],
    },
    "memory": {"health": {"score": 80}, "entities": ["Ada"], "topics": 8},
}
STORED = {
    "actions": tables.actions,
    "decisions": tables.learning_decisions,
    "goals": tables.goals,
    "content": tables.content,
    "inspiration": tables.ideas,
    "context_points": tables.context_points,
    "context_threads": tables.context_threads,
    "handoffs": tables.handoffs,
    "snippets": tables.snippets,
    "relationships": tables.interactions,
    "connections": tables.connections,
    "capabilities": tables.capabilities,
    "observations": tables.observations,
    "preferences": tables.preferences,
    "moods": tables.moods,
    "approaches": tables.approaches,
    "memory": tables.memory_snapshots,
}


def push(world: World, state: dict[str, Any], status: int = 200) -> Any:
    found, answer = world.ask("POST", "/api/sync", state)
    assert found == status, answer
    return answer


def counted(world: World) -> dict[str, int]:
    with world.runtime.store.read() as tx:
        return {name: tx.scalar(select(func.count()).select_from(table)) for name, table in STORED.items()}


def test_every_section_is_stored_and_the_answer_says_so(world: World) -> None:
    answer = push(world, STATE)
    assert answer["total_errors"] == 0
    sizes = {name: len(entries) for name, entries in STATE.items() if isinstance(entries, list)}
    expected = {**sizes, "preferences": 4, "memory": 1}
    assert {name: result["synced"] for name, result in answer["results"].items()} == expected
    assert answer["total_synced"] == sum(expected.values())
    twice = {"decisions": 2, "relationships": 2, "capabilities": 2}
    assert counted(world) == {name: twice.get(name, 1) for name in STORED}


def test_what_was_said_comes_back_by_the_route_of_its_section(world: World) -> None:
    push(world, STATE)
    action = world.ask("GET", "/api/actions/act_1")[1]["action"]
    assert (action["agent_id"], action["status"]) == ("a", "completed")
    goal = world.ask("GET", "/api/goals", query={"agent_id": "a"})[1]["goals"][0]
    assert (goal["priority"], goal["deadline"]) == ("high", "2026-12-31")
    decisions = {row["decision"]: row for row in world.ask("GET", "/api/learning")[1]["decisions"]}
    assert (set(decisions), decisions["Retry"]["confidence"]) == ({"Retry", "Wait"}, 50)
    people = {row["contact_name"] for row in world.ask("GET", "/api/relationships")[1]["interactions"]}
    assert people == {None, "Ada"}
    found = world.ask("GET", "/api/agents/capabilities", query={"agent_id": "a"})[1]["capabilities"]
    assert {row["name"]: row["description"] for row in found} == {"sql": None, "python": "3.11"}
    assert world.ask("GET", "/api/memory", query={"agent_id": "a"})[1]["entities"][0]["name"] == "Ada"
    connection = world.ask("GET", "/api/agents/connections")[1]["connections"][0]
    assert (connection["agent_id"], connection["metadata"]) == ("a", {"region": "eu"})


def test_the_same_state_twice_adds_nothing(world: World) -> None:
    push(world, STATE)
    before = counted(world)
    again = push(world, STATE)
    # The state of a memory is a moment of it, each of them kept.
    assert counted(world) == {**before, "memory": 2}
    for name in ("actions", "decisions", "learning", "goals", "content", "inspiration", "context_points", "handoffs"):
        assert again["results"][name] == {"synced": 0, "unchanged": len(STATE[name])}, name
    assert again["results"]["preferences"] == {"synced": 0, "unchanged": 4}
    more = push(world, {"agent_id": "a", "goals": [*STATE["goals"], "Another"]})
    assert more["results"]["goals"] == {"synced": 1, "unchanged": 1}
    assert push(world, {"agent_id": "b", "goals": STATE["goals"]})["results"]["goals"]["synced"] == 1


def test_wrong_entries_are_named_and_the_others_stored(world: World) -> None:
    state = {
        "agent_id": "a",
        "goals": [{"title": "Good"}, {"title": ""}, 5, {"title": "x", "progress": 500}],
        "connections": [{"provider": "x", "status": "odd"}],
        "preferences": {"moods": [{}]},
    }
    answer = push(world, state, 207)
    assert (answer["total_synced"], answer["total_errors"]) == (1, 5)
    goals = answer["results"]["goals"]
    assert (goals["synced"], [error.partition(":")[0] for error in goals["errors"]]) == (
        1,
        ["goals[1]", "goals[2]", "goals[3]"],
    )
    assert "status" in answer["results"]["connections"]["errors"][0]
    assert answer["results"]["preferences"]["errors"][0].startswith("moods[0]: mood")
    assert world.ask("GET", "/api/goals")[1]["total"] == 1


def test_a_connection_needs_an_agent(world: World) -> None:
    _, refused = world.ask("POST", "/api/sync", {"connections": [{"provider": "x"}]})
    assert refused["details"] == ["connections[0]: agent_id: is required: name the agent that reports"]


def test_a_state_in_which_nothing_is_right_is_refused_and_leaves_nothing(world: World) -> None:
    _, refused = world.ask("POST", "/api/sync", {"goals": [{}], "content": [1]})
    assert refused["code"] == "VALIDATION_FAILED"
    assert [detail.partition(":")[0] for detail in refused["details"]] == ["goals[0]", "content[0]"]
    assert world.ask("GET", "/api/sync")[1]["total"] == 0


def test_an_action_is_guarded_like_any_other(world: World) -> None:
    world.policy("block_action_type", {"action_types": ["db.drop"]})
    world.policy("require_approval", {"action_types": ["deploy"]})
    state = {
        "agent_id": "a",
        "actions": [
            {"action_type": kind, "declared_goal": "g", "status": "completed", "action_id": kind}
            for kind in ("research", "deploy", "db.drop")
        ],
    }
    answer = push(world, state)
    assert answer["results"]["actions"] == {"synced": 1, "pending": 1, "blocked": 1}
    statuses = {row["action_id"]: row["status"] for row in world.ask("GET", "/api/actions")[1]["actions"]}
    assert statuses == {"research": "completed", "deploy": "pending_approval", "db.drop": "blocked"}
    # The caller's word does not move an action that waits for a person.
    again = push(world, state, 207)
    assert "actions[1]" in again["results"]["actions"]["errors"][0]
    assert world.ask("GET", "/api/actions/deploy")[1]["action"]["status"] == "pending_approval"


def test_a_remote_check_that_cannot_be_asked_fails_closed(world: World) -> None:
    world.policy("webhook_check", {"url": "https://hooks.example.com/guard"})
    answer = push(world, {"agent_id": "a", "actions": [{"action_type": "research", "declared_goal": "g"}]})
    assert answer["results"]["actions"] == {"synced": 0, "pending": 1}


def test_a_known_action_gets_its_outcome(world: World) -> None:
    action = {"action_id": "act_1", "action_type": "research", "declared_goal": "g"}
    push(world, {"agent_id": "a", "actions": [action]})
    ended = {**action, "status": "completed", "output_summary": "Done"}
    assert push(world, {"agent_id": "a", "actions": [ended]})["results"]["actions"] == {"synced": 1}
    assert push(world, {"agent_id": "a", "actions": [ended]})["results"]["actions"] == {"synced": 0, "unchanged": 1}
    found = world.ask("GET", "/api/actions/act_1")[1]["action"]
    assert (found["status"], found["output_summary"]) == ("completed", "Done")


def test_a_section_that_nobody_knows_is_named_and_kept(world: World) -> None:
    answer = push(world, {"agent_id": "a", "goals": [], "dreams": ["flying"]})
    assert answer["warnings"] == ["unknown field 'dreams' was kept in metadata and not interpreted"]
    run = world.ask("GET", "/api/sync", query={"agent_id": "a"})[1]["syncs"][0]
    assert (run["id"], run["metadata"]) == (answer["sync_id"], {"dreams": ["flying"]})
    _, log = world.ask("GET", "/api/activity", query={"action": "state.synced"})
    assert log["logs"][0]["resource_id"] == answer["sync_id"]


@pytest.mark.parametrize(
    ("state", "field"),
    [
        ({"goals": [{"title": "x"}] * 2001}, "goals"),
        ({"connections": ["x"] * 1001}, "connections"),
        ({"preferences": {"moods": "good"}}, "preferences.moods"),
        ({"preferences": {"moods": ["x"] * 1001}}, "preferences.moods"),
        ({"preferences": {"mood": ["x"]}}, "preferences.mood"),
        ({"memory": ["x"]}, "memory"),
    ],
)
def test_a_section_of_the_wrong_form_is_refused(world: World, state: dict[str, Any], field: str) -> None:
    status, refused = world.ask("POST", "/api/sync", {"agent_id": "a", **state})
    assert (status, refused["fields"][0]["field"]) == (400, field)


def test_a_fault_in_the_middle_leaves_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from dashclaw.runtime.services import sync

    def fail(*_: object) -> str:
        raise RuntimeError("power cut")

    last = sync.SECTIONS[-1]
    monkeypatch.setattr(sync, "SECTIONS", (*sync.SECTIONS[:-1], last._replace(store=fail)))
    with pytest.raises(RuntimeError):
        world.ask("POST", "/api/sync", STATE, caller=ADMIN)
    assert set(counted(world).values()) == {0}
