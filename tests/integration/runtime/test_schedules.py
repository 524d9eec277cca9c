"""Agent schedules: due once, made up for or skipped."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from sqlalchemy import update

from dashclaw.runtime.routing.due import catch_up, keep_all_up
from dashclaw.runtime.runtime import Runtime
from dashclaw.runtime.store.tables import agent_schedules, routing_tasks

from .conftest import ADMIN, AGENT, World


def schedule(world: World, cron: str = "0 * * * *", **fields: Any) -> Any:
    body = {"agent_id": "forge", "name": "Build", "cron_expression": cron, **fields}
    status, answer = world.ask("POST", "/api/agent-schedules", body)
    assert status == 201, answer
    return answer["schedule"]


def shown(world: World) -> Any:
    return world.ask("GET", "/api/agent-schedules")[1]["schedules"]


def tasks(world: World) -> Any:
    return world.ask("GET", "/api/routing/tasks")[1]["tasks"]


def due_events(world: World, name: str = "schedule.due") -> list[Any]:
    _, answer = world.ask("GET", "/api/activity", caller=ADMIN, query={"limit": "200"})
    return [row for row in answer["logs"] if row["action"] == name]


def test_the_next_run_is_shown(world: World) -> None:
    made = schedule(world, "30 14 * * *", timezone="Europe/Berlin", description="Daily")
    assert made["next_run"] == "2026-03-01T13:30:00.000000Z"
    assert made["schedule_id"] == made["id"]
    assert (made["enabled"], made["missed"], made["last_run"], made["run_count"]) == (True, "once", None, 0)
    assert shown(world) == [made]


def test_a_schedule_that_is_due_submits_its_task_to_its_agent(world: World) -> None:
    world.ask("POST", "/api/routing/agents", {"name": "other", "capabilities": ["sql"]})
    _, registered = world.ask("POST", "/api/routing/agents", {"name": "forge", "capabilities": ["sql"]})
    fields = {"required_skills": ["sql"], "urgency": "high", "timeout_seconds": 60, "max_retries": 0}
    made = schedule(world, description="All of it", **fields)
    assert {name: made[name] for name in fields} == fields
    assert tasks(world) == []
    world.clock.move(hours=1)
    [task] = tasks(world)
    assert (task["title"], task["description"], task["schedule_id"]) == ("Build", "All of it", made["id"])
    assert (task["status"], task["assigned_to"]) == ("assigned", registered["agent"]["id"])
    assert {name: task[name] for name in fields} == fields
    [after] = shown(world)
    assert (after["run_count"], after["last_task_id"]) == (1, task["id"])
    assert after["next_run"] == "2026-03-01T14:00:00.000000Z"
    [told] = due_events(world)
    assert told["resource_id"] == made["id"]


def test_the_task_of_an_agent_that_is_not_in_the_pool_waits_for_it(world: World) -> None:
    world.ask("POST", "/api/routing/agents", {"name": "other"})
    schedule(world)
    world.clock.move(hours=1)
    [task] = tasks(world)
    assert task["status"] == "pending"
    world.ask("POST", "/api/routing/agents", {"name": "forge"})
    assert tasks(world)[0]["status"] == "assigned"


def test_missed_runs_are_made_up_once(world: World) -> None:
    schedule(world)
    world.clock.move(hours=5, minutes=30)
    assert len(tasks(world)) == 1
    assert shown(world)[0]["next_run"] == "2026-03-01T18:00:00.000000Z"
    world.clock.move(minutes=30)
    assert len(tasks(world)) == 2


def test_missed_runs_are_skipped_when_the_schedule_says_so(world: World) -> None:
    schedule(world, missed="skip")
    world.clock.move(hours=5, minutes=30)
    assert tasks(world) == []
    assert len(due_events(world, "schedule.missed")) == 1
    [after] = shown(world)
    assert (after["next_run"], after["run_count"]) == ("2026-03-01T18:00:00.000000Z", 0)
    world.clock.move(minutes=30, seconds=30)
    assert len(tasks(world)) == 1


def test_a_schedule_can_be_paused_changed_and_removed(world: World) -> None:
    made = schedule(world)
    path = f"/api/agent-schedules/{made['id']}"
    _, paused = world.ask("PATCH", path, {"enabled": False})
    assert (paused["schedule"]["enabled"], paused["schedule"]["next_run"]) == (False, None)
    world.clock.move(hours=3)
    assert tasks(world) == []
    _, resumed = world.ask("PATCH", path, {"enabled": True})
    assert resumed["schedule"]["next_run"] == "2026-03-01T16:00:00.000000Z"
    changes = {"cron_expression": "15 * * * *", "timezone": "Asia/Kolkata", "urgency": "low", "name": "Rebuild"}
    _, changed = world.ask("PATCH", path, changes)
    assert {name: changed["schedule"][name] for name in changes} == changes
    assert changed["schedule"]["next_run"] == "2026-03-01T15:45:00.000000Z"
    assert shown(world) == [changed["schedule"]]
    _, removed = world.ask("DELETE", path)
    assert (removed["deleted"], removed["schedule"]["id"]) == (True, made["id"])
    assert world.ask("PATCH", path, {"enabled": True})[0] == 404
    assert world.ask("DELETE", path)[0] == 404
    assert shown(world) == []


def test_a_first_time_of_its_own_comes_before_the_expression(world: World) -> None:
    made = schedule(world, next_run="2026-03-01T14:20:00+02:00")
    assert made["next_run"] == "2026-03-01T12:20:00.000000Z"
    world.clock.move(minutes=21)
    assert len(tasks(world)) == 1
    assert shown(world)[0]["next_run"] == "2026-03-01T13:00:00.000000Z"


def test_schedules_are_listed_by_agent_and_then_newest_first(world: World) -> None:
    for agent_id, name in (("b", "1"), ("a", "2"), ("b", "3")):
        schedule(world, agent_id=agent_id, name=name)
    assert [found["name"] for found in shown(world)] == ["2", "3", "1"]
    _, answer = world.ask("GET", "/api/agent-schedules", query={"agent_id": "b", "limit": "1"})
    assert ([found["name"] for found in answer["schedules"]], answer["total"], answer["has_more"]) == (["3"], 2, True)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"cron_expression": "every day"}, "cron_expression"),
        ({"cron_expression": "0 0 0 * * *"}, "cron_expression"),
        ({"cron_expression": "0 0 30 2 *"}, "cron_expression"),
        ({"timezone": "Mars/Olympus"}, "timezone"),
        ({"next_run": "tomorrow"}, "next_run"),
        ({"next_run": "0001-01-01T00:00:00+14:00"}, "next_run"),
        ({"missed": "twice"}, "missed"),
        ({"agent_id": " "}, "agent_id"),
        ({"urgency": "soon"}, "urgency"),
        ({"callback_url": "https://127.0.0.1/x"}, "callback_url"),
    ],
)
def test_what_cannot_be_used_is_refused_by_name(world: World, fields: dict[str, str], field: str) -> None:
    body = {"agent_id": "forge", "name": "Build", "cron_expression": "0 * * * *", **fields}
    status, answer = world.ask("POST", "/api/agent-schedules", body)
    assert status == 400
    assert answer["fields"][0]["field"].startswith(field)
    made = schedule(world)
    assert world.ask("PATCH", f"/api/agent-schedules/{made['id']}", fields)[0] == 400
    assert shown(world) == [made]


def test_of_many_workers_one_runs_what_is_due(world: World) -> None:
    for number in range(3):
        schedule(world, "* * * * *", name=str(number))
    other = Runtime.open(world.url, clock=world.clock)
    try:
        for round_ in range(1, 4):
            world.clock.move(minutes=1)
            start = threading.Barrier(6)

            def work(runtime: Runtime, start: threading.Barrier = start) -> None:
                start.wait(10)
                catch_up(runtime, AGENT.org_id)

            workers = [threading.Thread(target=work, args=(runtime,)) for runtime in (world.runtime, other) * 3]
            for worker in workers:
                worker.start()
            for worker in workers:
                worker.join(60)
            with other.store.read() as tx:
                assert len(tx.all(routing_tasks.select())) == 3 * round_
    finally:
        other.close()
    assert len(due_events(world)) == 9


def test_the_server_keeps_up_for_every_organisation(world: World) -> None:
    _, made = world.ask("POST", "/api/orgs", {"name": "Other", "slug": "other"}, caller=ADMIN)
    stranger = AGENT._replace(org_id=made["organization"]["id"])
    body = {"agent_id": "forge", "name": "Theirs", "cron_expression": "0 * * * *"}
    _, theirs = world.ask("POST", "/api/agent-schedules", body, caller=stranger)
    schedule(world)
    world.clock.move(hours=1)
    keep_all_up(world.runtime)
    for caller in (AGENT, stranger):
        with world.runtime.store.read() as tx:
            where = agent_schedules.c.org_id == caller.org_id
            assert [row["run_count"] for row in tx.all(agent_schedules.select().where(where))] == [1]
    assert world.ask("DELETE", f"/api/agent-schedules/{theirs['schedule']['id']}")[0] == 404


def test_a_schedule_that_cannot_be_read_any_more_stops_no_other(world: World) -> None:
    broken = schedule(world)
    schedule(world, name="Sound")
    with world.runtime.store.write(AGENT.org_id) as tx:
        where = agent_schedules.c.id == broken["id"]
        tx.execute(update(agent_schedules).where(where).values(timezone="Gone/Nowhere"))
    world.clock.move(hours=1)
    assert [task["title"] for task in tasks(world)] == ["Sound"]
    assert {row["name"]: row["enabled"] for row in shown(world)} == {"Build": False, "Sound": True}


def test_what_is_due_can_be_run_on_request(world: World) -> None:
    made = schedule(world)
    assert world.ask("POST", "/api/agent-schedules/run")[1] == {"runs": [], "total": 0}
    world.clock.move(hours=1)
    _, answer = world.ask("POST", "/api/agent-schedules/run")
    [run] = answer["runs"]
    assert (run["schedule_id"], run["due_at"], run["made_up"]) == (made["id"], "2026-03-01T13:00:00.000000Z", False)
    assert tasks(world)[0]["id"] == run["task_id"]
