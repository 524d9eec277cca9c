"""Task routing: who gets a task, and what becomes of it."""

from __future__ import annotations

from typing import Any

from .conftest import ADMIN, AGENT, World


def agent(world: World, name: str = "analyst", *skills: Any, **fields: Any) -> str:
    body = {"name": name, "capabilities": list(skills), "maxConcurrent": 1, **fields}
    status, answer = world.ask("POST", "/api/routing/agents", body)
    assert status == 201, answer
    found: str = answer["agent"]["id"]
    return found


def task(world: World, title: str = "Report", *skills: str, **fields: Any) -> Any:
    status, answer = world.ask("POST", "/api/routing/tasks", {"title": title, "requiredSkills": skills, **fields})
    assert status == 201, answer
    return answer


def shown(world: World, task_id: str) -> Any:
    status, answer = world.ask("GET", f"/api/routing/tasks/{task_id}")
    assert status == 200
    return answer


def complete(world: World, task_id: str, **body: Any) -> tuple[int, Any]:
    return world.ask("POST", f"/api/routing/tasks/{task_id}/complete", body)


def load(world: World, agent_id: str) -> int:
    found: int = world.ask("GET", f"/api/routing/agents/{agent_id}")[1]["agent"]["current_load"]
    return found


def events(world: World) -> list[str]:
    _, answer = world.ask("GET", "/api/activity", caller=ADMIN, query={"limit": "200"})
    return [row["action"] for row in reversed(answer["logs"])]


def test_a_task_goes_to_the_best_agent_at_once(world: World) -> None:
    agent(world, "writer", "writing")
    best = agent(world, "analyst", "sql", {"skill": "reporting", "priority": 9}, maxConcurrent=3)
    answer = task(world, "Report", "sql", "reporting", urgency="high", timeoutSeconds=600, description="Q4")
    assert answer["assigned_agent"] == {"id": best, "name": "analyst"}
    assert answer["task_id"] == answer["task"]["id"] == answer["task"]["task_id"]
    assert answer["routing"]["score"] == 40 + 20 + 12.5 + 10.5
    stored = shown(world, answer["task_id"])["task"]
    assert stored == answer["task"]
    assert (stored["status"], stored["assigned_to"], stored["urgency"]) == ("assigned", best, "high")
    assert (stored["timeout_seconds"], stored["max_retries"], stored["retry_count"]) == (600, 2, 0)
    assert load(world, best) == 1
    assert events(world)[-2:] == ["task.created", "task.assigned"]


def test_a_task_that_nobody_can_do_waits_and_is_not_called_assigned(world: World) -> None:
    answer = task(world)
    assert "assigned_agent" not in answer
    assert answer["routing"] == {"status": "pending", "reason": "The pool is empty"}
    assert events(world)[-1] == "task.created"
    agent(world, "writer", "writing", maxConcurrent=2)
    assert task(world, "Chart", "sql")["routing"]["reason"] == "No agent has any of the required skills"


def test_the_queue_is_served_when_an_agent_appears_by_urgency_and_age(world: World) -> None:
    waiting = {
        urgency: task(world, urgency, urgency=urgency)["task_id"] for urgency in ("low", "medium", "high", "critical")
    }
    later = task(world, "later", urgency="critical")["task_id"]
    only = agent(world)
    done = []
    for _ in range(5):
        _, listed = world.ask("GET", "/api/routing/tasks", query={"status": "assigned"})
        [current] = listed["tasks"]
        done.append(current["id"])
        assert complete(world, current["id"])[0] == 200
    assert done == [waiting["critical"], later, waiting["high"], waiting["medium"], waiting["low"]]
    assert load(world, only) == 0


def test_medium_is_as_urgent_as_normal(world: World) -> None:
    first, second, last = (task(world, text, urgency=text)["task_id"] for text in ("medium", "normal", "low"))
    agent(world)
    for expected in (first, second, last):
        assert shown(world, expected)["task"]["status"] == "assigned"
        complete(world, expected)


def test_the_queue_is_served_when_an_agent_becomes_available_or_gets_more_places(world: World) -> None:
    only = agent(world)
    path = f"/api/routing/agents/{only}"
    assert world.ask("PATCH", path, {"status": "offline"})[1]["agent"]["status"] == "offline"
    ids = [task(world)["task_id"] for _ in range(3)]
    assert shown(world, ids[0])["task"]["status"] == "pending"
    _, answer = world.ask("PATCH", path, {"status": "available"})
    assert answer["agent"]["current_load"] == 1
    body = {"id": only, "name": "analyst", "maxConcurrent": 3}
    assert world.ask("POST", "/api/routing/agents", body)[1]["agent"]["current_load"] == 3
    assert [shown(world, key)["task"]["status"] for key in ids] == ["assigned"] * 3
    assert world.ask("GET", "/api/routing/agents")[1]["total"] == 1


def test_a_completed_task_keeps_its_result_and_is_completed_once(world: World) -> None:
    only = agent(world, "analyst", "sql", maxConcurrent=2)
    for result in ({"summary": "done"}, 0, False, "", [], "text"):
        key = task(world, "Report", "sql")["task_id"]
        world.clock.move(seconds=10)
        status, answer = complete(world, key, result=result)
        assert (status, answer["routing"]["status"]) == (200, "completed")
        found = shown(world, key)["task"]
        assert (found["status"], found["result"], type(found["result"])) == ("completed", result, type(result))
        assert complete(world, key)[0] == 409
        assert load(world, only) == 0
    _, answer = world.ask("GET", f"/api/routing/agents/{only}")
    assert answer["metrics"]["completed"] == 6
    assert answer["metrics"]["average_seconds"] > 10
    [skill] = answer["metrics"]["by_skill"]
    assert (skill["skill"], skill["completed"], skill["failed"], skill["success_rate"]) == ("sql", 6, 0, 1.0)


def test_a_task_that_waits_cannot_be_completed(world: World) -> None:
    status, answer = complete(world, task(world)["task_id"])
    assert (status, answer["error"]) == (409, "The task is pending: no agent has it")


def test_a_failed_attempt_is_tried_again_then_escalated(world: World) -> None:
    only = agent(world, "analyst", "sql")
    key = task(world, "Report", "sql", maxRetries=1)["task_id"]
    _, answer = complete(world, key, success=False, error="No connection")
    assert (answer["routing"]["status"], answer["task"]["retry_count"]) == ("assigned", 1)
    assert answer["task"]["error"] == "No connection"
    _, answer = complete(world, key, success=False, error="Still none")
    assert (answer["task"]["status"], answer["routing"]["reason"]) == ("escalated", "Still none")
    assert (load(world, only), answer["task"]["assigned_to"]) == (0, None)
    assert complete(world, key, success=False)[0] == 409
    assert events(world)[-4:] == ["task.assigned", "task.requeued", "task.assigned", "task.escalated"]
    assert complete(world, key, result="by hand")[1]["task"]["status"] == "completed"
    assert world.ask("GET", f"/api/routing/agents/{only}")[1]["metrics"]["failed"] == 2


def test_success_in_the_past_decides_between_equals(world: World) -> None:
    for name in ("aardvark", "badger"):
        agent(world, name, "sql", maxConcurrent=2)
    first = task(world, "Report", "sql", maxRetries=0)
    assert first["assigned_agent"]["name"] == "aardvark"
    complete(world, first["task_id"], success=False)
    assert task(world, "Report", "sql")["assigned_agent"]["name"] == "badger"


def test_time_outs_count_from_the_assignment(world: World) -> None:
    key = task(world, timeoutSeconds=60, maxRetries=1)["task_id"]
    world.clock.move(seconds=300)
    only = agent(world)
    assert shown(world, key)["task"]["retry_count"] == 0
    world.clock.move(seconds=59)
    assert shown(world, key)["task"]["retry_count"] == 0
    world.clock.move(seconds=2)
    found = shown(world, key)["task"]
    assert (found["status"], found["retry_count"], found["error"]) == ("assigned", 1, "Not done within 60 s")
    world.clock.move(seconds=61)
    assert shown(world, key)["task"]["status"] == "escalated"
    assert load(world, only) == 0


def test_the_place_of_a_task_that_took_too_long_goes_to_the_most_urgent(world: World) -> None:
    agent(world)
    slow = task(world, "slow", timeoutSeconds=60, urgency="low")["task_id"]
    urgent = task(world, "urgent", urgency="critical")["task_id"]
    world.clock.move(seconds=61)
    assert world.ask("GET", "/api/routing/tasks", query={"status": "assigned"})[1]["tasks"][0]["id"] == urgent
    assert shown(world, slow)["task"]["status"] == "pending"


def test_the_tasks_of_a_removed_agent_go_to_others(world: World) -> None:
    first = agent(world, "a")
    key = task(world)["task_id"]
    second = agent(world, "b")
    status, answer = world.ask("DELETE", f"/api/routing/agents/{first}")
    assert (status, answer["deleted"], answer["agent"]["id"]) == (200, True, first)
    found = shown(world, key)["task"]
    assert (found["assigned_to"], found["retry_count"]) == (second, 0)
    assert load(world, second) == 1
    world.ask("DELETE", f"/api/routing/agents/{second}")
    assert shown(world, key)["task"]["status"] == "pending"
    assert world.ask("DELETE", f"/api/routing/agents/{second}")[0] == 404


def test_every_attempt_records_all_candidates_ranked(world: World) -> None:
    agent(world, "off", "sql")
    world.ask("PATCH", f"/api/routing/agents/{agent(world, 'busy', 'sql')}", {"status": "busy"})
    key = task(world, "One", "sql", maxRetries=1)["task_id"]
    other = task(world, "Two", "sql")["task_id"]
    decisions = shown(world, other)["decisions"]
    assert [(one["status"], one["agent_id"], one["score"]) for one in decisions] == [("pending", None, None)]
    assert decisions[0]["reason"] == "Every agent that could do it is busy, offline or full"
    assert {one["agent_name"]: one["eligible"] for one in decisions[0]["candidates"]} == {"busy": False, "off": False}
    complete(world, key, success=False)
    assert [(one["status"], one["attempt"]) for one in shown(world, key)["decisions"]] == [
        ("assigned", 2),
        ("assigned", 1),
    ]
    complete(world, key)
    first, *_ = shown(world, other)["decisions"]
    assert (first["status"], first["attempt"], first["candidates"][0]["eligible"]) == ("assigned", 1, True)


def test_lists_are_filtered_and_paged(world: World) -> None:
    analyst = agent(world, "analyst", maxConcurrent=3)
    writer = agent(world, "Writer", "writing", maxConcurrent=1)
    world.ask("PATCH", f"/api/routing/agents/{writer}", {"status": "busy"})
    ids = [task(world, str(number))["task_id"] for number in range(5)]
    _, found = world.ask("GET", "/api/routing/agents", query={"status": "busy"})
    assert [row["id"] for row in found["agents"]] == [writer]
    for name in ("agent_id", "assigned_to"):
        _, found = world.ask("GET", "/api/routing/tasks", query={name: analyst, "limit": "2", "offset": "1"})
        assert [row["id"] for row in found["tasks"]] == [ids[1], ids[0]]
        assert (found["total"], found["limit"], found["offset"], found["has_more"]) == (3, 2, 1, False)
    _, found = world.ask("GET", "/api/routing/tasks", query={"status": "pending", "limit": "999"})
    assert (found["total"], found["limit"]) == (2, 200)
    assert world.ask("GET", "/api/routing/tasks", query={"status": "sleeping"})[0] == 400


def test_stats_and_health_count(world: World) -> None:
    assert world.ask("GET", "/api/routing/health")[1]["status"] == "ok"
    busy = agent(world, "analyst", maxConcurrent=2)
    for _ in range(3):
        task(world)
    _, stats = world.ask("GET", "/api/routing/stats")
    assert stats["agents"] == {"total": 1, "available": 1, "busy": 0, "offline": 0}
    wanted = {"total": 3, "pending": 1, "assigned": 2, "in_progress": 0, "completed": 0, "failed": 0, "escalated": 0}
    assert stats["tasks"] == wanted
    assert (stats["routing"], stats["load"]) == ({"total_decisions": 3}, {"places": 2, "taken": 2})
    world.ask("PATCH", f"/api/routing/agents/{busy}", {"status": "busy"})
    world.clock.move(seconds=30)
    _, health = world.ask("GET", "/api/routing/health")
    assert (health["status"], health["service"]) == ("degraded", "dashclaw-routing")
    assert health["reasons"] == ["1 tasks wait for an agent", "No agent is available"]
    assert 30 < health["longest_wait_seconds"] < 31


def test_wrong_values_are_refused_by_name(world: World) -> None:
    for path, body, field in (
        ("agents", {"name": " "}, "name"),
        ("agents", {"name": "a", "maxConcurrent": 0}, "maxConcurrent"),
        ("agents", {"name": "a", "max_concurrent": 101}, "max_concurrent"),
        ("agents", {"name": "a", "capabilities": ["x"] * 51}, "capabilities"),
        ("agents", {"name": "a", "capabilities": [{"skill": "x", "priority": 11}]}, "capabilities"),
        ("agents", {"name": "a", "capabilities": [" "]}, "capabilities"),
        ("agents", {"name": "a", "endpoint": "http://agents.example.com"}, "endpoint"),
        ("agents", {"name": "a", "endpoint": "https://me:secret@agents.example.com"}, "endpoint"),
        ("agents", {"name": "a", "endpoint": "https://10.0.0.1/x"}, "endpoint"),
        ("tasks", {"title": ""}, "title"),
        ("tasks", {"title": "t", "urgency": "soon"}, "urgency"),
        ("tasks", {"title": "t", "timeoutSeconds": 0}, "timeoutSeconds"),
        ("tasks", {"title": "t", "maxRetries": -1}, "maxRetries"),
        ("tasks", {"title": "t", "callbackUrl": "https://localhost/hook"}, "callbackUrl"),
    ):
        status, answer = world.ask("POST", f"/api/routing/{path}", body)
        assert status == 400, body
        assert answer["fields"][0]["field"].startswith(field), answer
    assert events(world) == []


def test_unknown_fields_are_kept_and_named(world: World) -> None:
    _, answer = world.ask("POST", "/api/routing/tasks", {"title": "t", "timeout": 5, "required_skills": ["sql"]})
    assert answer["task"]["metadata"] == {"timeout": 5}
    assert answer["task"]["required_skills"] == ["sql"]
    assert len(answer["warnings"]) == 1
    assert "'timeout'" in answer["warnings"][0]


def test_what_belongs_to_another_organisation_is_not_found_and_gets_no_task(world: World) -> None:
    _, made = world.ask("POST", "/api/orgs", {"name": "Other", "slug": "other"}, caller=ADMIN)
    stranger = AGENT._replace(org_id=made["organization"]["id"])
    theirs = agent(world)
    key = task(world)["task_id"]
    _, answer = world.ask("POST", "/api/routing/tasks", {"title": "x"}, caller=stranger)
    assert answer["routing"]["reason"] == "The pool is empty"
    for verb, path, body in (
        ("GET", f"agents/{theirs}", None),
        ("PATCH", f"agents/{theirs}", {"status": "busy"}),
        ("DELETE", f"agents/{theirs}", None),
        ("POST", f"tasks/{key}/complete", {}),
        ("GET", f"tasks/{key}", None),
    ):
        assert world.ask(verb, f"/api/routing/{path}", body, caller=stranger)[0] == 404
