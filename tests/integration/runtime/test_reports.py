"""The calendar, ideas, connections to services, and the state of an agent's memory."""

from __future__ import annotations

from typing import Any

from dashclaw.runtime.identity import Caller

from .conftest import ADMIN, World


def made(world: World, path: str, body: dict[str, Any], status: int = 201) -> Any:
    found, answer = world.ask("POST", path, body)
    assert found == status, answer
    return answer


def test_a_calendar_event_keeps_its_moment_whatever_zone_it_was_given_in(world: World) -> None:
    body = {"summary": "Review", "start_time": "2026-01-15T10:00:00-05:00", "end_time": "2026-01-15T16:00:00Z"}
    event = made(world, "/api/calendar", {**body, "location": "Room 1", "colour": "red"})["event"]
    assert (event["start_time"], event["end_time"]) == ("2026-01-15T15:00:00.000000Z", "2026-01-15T16:00:00.000000Z")
    assert (event["location"], event["metadata"]) == ("Room 1", {"colour": "red"})
    _, listed = world.ask("GET", "/api/calendar")
    assert (listed["events"], listed["total"]) == ([event], 1)


def test_a_calendar_event_that_ends_before_it_starts_is_refused(world: World) -> None:
    for start, end, field in (("soon", None, "start_time"), ("2026-01-02", "2026-01-01", "end_time")):
        status, refused = world.ask("POST", "/api/calendar", {"summary": "x", "start_time": start, "end_time": end})
        assert (status, [item["field"] for item in refused["fields"]]) == (400, [field])


def test_an_idea_keeps_its_body_and_its_score_is_the_mean_of_its_parts(world: World) -> None:
    idea = made(world, "/api/inspiration", {"title": "Vectors", "body": "Because", "category": "architecture"})["idea"]
    assert (idea["body"], idea["category"], idea["score"], idea["status"]) == ("Because", "architecture", 50, "pending")
    parts = {"fun_factor": 90, "learning_potential": 60, "income_potential": 0}
    assert made(world, "/api/inspiration", {"title": "x", **parts})["idea"]["score"] == 50
    assert (
        made(world, "/api/inspiration", {"title": "x", "fun_factor": 91, "income_potential": 10})["idea"]["score"]
        == 50.5
    )
    assert made(world, "/api/inspiration", {"title": "x", "score": 7, **parts})["idea"]["score"] == 7
    assert world.ask("GET", "/api/inspiration")[1]["total"] == 4


def test_a_connection_is_one_per_agent_and_provider(world: World) -> None:
    path = "/api/agents/connections"
    first = {"provider": "openai", "auth_type": "api_key", "metadata": {"region": "eu", "status": "spelt alike"}}
    both = made(world, path, {"agent_id": "a", "connections": [first, {"provider": "slack", "plan_name": "pro"}]}, 200)
    assert (both["created"], [row["provider"] for row in both["connections"]]) == (2, ["openai", "slack"])
    assert both["connections"][0]["metadata"] == {"region": "eu", "status": "spelt alike"}
    assert both["connections"][0]["status"] == "active"
    world.clock.move(hours=1)
    again = made(world, path, {"agent_id": "a", "connections": [{"provider": "openai", "status": "error"}]}, 200)
    assert again["connections"][0]["id"] == both["connections"][0]["id"]
    made(world, path, {"agent_id": "b", "connections": [{"provider": "openai"}]}, 200)
    _, listed = world.ask("GET", path, query={"provider": "openai"})
    assert {(row["agent_id"], row["status"]) for row in listed["connections"]} == {("a", "error"), ("b", "active")}


def test_wrong_connections_are_named_and_the_others_kept(world: World) -> None:
    path = "/api/agents/connections"
    entries = [{"provider": "good"}, {"provider": "odd", "auth_type": "magic"}, {"status": "active"}, 5]
    answer = made(world, path, {"agent_id": "a", "connections": entries}, 207)
    assert (answer["created"], [error["provider"] for error in answer["errors"]]) == (1, ["odd", None, None])
    assert "auth_type" in answer["errors"][0]["error"]
    assert world.ask("POST", path, {"agent_id": "a", "connections": entries[1:]})[0] == 400
    assert world.ask("POST", path, {"agent_id": "a", "connections": []})[0] == 400
    assert world.ask("POST", path, {"connections": entries})[0] == 400
    assert world.ask("GET", path)[1]["total"] == 1


def test_the_memory_of_an_agent_is_told_in_words_and_numbers(world: World) -> None:
    body = {"agent_id": "a", "health": "healthy", "entities": 42, "topics": 8}
    answer = made(world, "/api/memory", body)
    assert (answer["entities_count"], answer["topics_count"]) == (42, 8)
    snapshot = answer["snapshot"]
    assert (snapshot["health"], snapshot["entities_count"], snapshot["topics_count"]) == ("healthy", 42, 8)


def test_the_memory_of_an_agent_is_told_in_full_and_replaces_only_its_own(world: World) -> None:
    health = {"health_score": 81.5, "total_files": 12, "oldest_daily": "2026-01-01", "mood": "good"}
    body = {"agent_id": "a", "health": health, "entities": [{"name": "Ada", "mentions": 3}], "topics": ["rust", "go"]}
    answer = made(world, "/api/memory", body)
    assert (answer["snapshot"]["score"], answer["snapshot"]["total_files"]) == (81.5, 12)
    assert answer["snapshot"]["metadata"] == {"mood": "good"}
    made(world, "/api/memory", {"agent_id": "b", "health": "poor", "entities": [{"name": "Bob", "type": "person"}]})
    made(world, "/api/memory", {"agent_id": "a", "health": "healthy", "topics": ["zig"]})
    _, of_a = world.ask("GET", "/api/memory", query={"agent_id": "a"})
    assert of_a["entities"] == [{"name": "Ada", "type": "other", "mentions": 3}]
    assert [topic["name"] for topic in of_a["topics"]] == ["zig"]
    _, of_b = world.ask("GET", "/api/memory", query={"agent_id": "b"})
    assert (of_b["snapshot"]["health"], of_b["entities"][0]["type"]) == ("poor", "person")
    made(world, "/api/memory", {"agent_id": "a", "health": "healthy", "entities": []})
    assert world.ask("GET", "/api/memory", query={"agent_id": "a"})[1]["entities"] == []


def test_a_report_of_memory_that_cannot_be_read_is_refused(world: World) -> None:
    for wrong, field in (
        ({}, "health"),
        ({"health": 5}, "health"),
        ({"health": ""}, "health"),
        ({"health": "{"}, "health"),
        ({"health": "ok", "entities": -1}, "entities"),
        ({"health": "ok", "entities": [5]}, "entities"),
        ({"health": "ok", "topics": [{"name": ""}]}, "topics"),
        ({"health": "ok", "topics": ["x"] * 101}, "topics"),
        ({"health": {"score": 101}}, "score"),
    ):
        status, refused = world.ask("POST", "/api/memory", wrong)
        assert (status, refused["fields"][0]["field"]) == (400, field), wrong
    assert world.ask("GET", "/api/memory")[1] == {"snapshot": None, "entities": [], "topics": []}


def test_another_organisation_sees_none_of_it(world: World) -> None:
    made(world, "/api/calendar", {"summary": "x", "start_time": "2026-01-01"})
    made(world, "/api/inspiration", {"title": "x"})
    made(world, "/api/agents/connections", {"agent_id": "a", "connections": [{"provider": "x"}]}, 200)
    made(world, "/api/memory", {"agent_id": "a", "health": "ok", "entities": ["x"]})
    _, org = world.ask("POST", "/api/orgs", {"name": "Other", "slug": "other"}, caller=ADMIN)
    stranger = Caller(org["organization"]["id"], "key_stranger", "admin")
    for path in ("/api/calendar", "/api/inspiration", "/api/agents/connections"):
        assert world.ask("GET", path, caller=stranger)[1]["total"] == 0
    found = world.ask("GET", "/api/memory", caller=stranger, query={"agent_id": "a"})[1]
    assert found == {"snapshot": None, "entities": [], "topics": []}
