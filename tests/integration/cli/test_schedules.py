"""`dashclaw schedules`, on an embedded database and against a server."""

from __future__ import annotations

from .conftest import Place


def test_a_schedule_is_added_paused_resumed_and_removed(place: Place) -> None:
    more = ("--zone", "Europe/Berlin", "--missed", "skip", "--description", "All of it")
    added = place.run("schedules", "add", "forge", "Build", "0 3 * * *", *more)
    assert added.code == 0
    [made] = place.agent.list_agent_schedules("forge")["schedules"]
    assert added.out == f"Added {made['id']}: Build, next run {made['next_run']}\n"
    assert (made["timezone"], made["missed"], made["description"]) == ("Europe/Berlin", "skip", "All of it")
    listed = place.run("schedules", "list", "--agent", "forge").out
    assert made["id"] in listed
    assert made["next_run"] in listed
    assert place.run("schedules", "list", "--agent", "other").out == "No schedules.\n"
    assert place.run("schedules", "pause", "Build").out == "Paused Build\n"
    assert place.agent.list_agent_schedules()["schedules"][0]["enabled"] is False
    assert place.run("schedules", "resume", made["id"]).out == f"Resumed Build, next run {made['next_run']}\n"
    assert place.run("schedules", "remove", "Build").out == "Removed Build\n"
    assert place.agent.list_agent_schedules()["total"] == 0


def test_what_is_due_runs_once(place: Place) -> None:
    place.agent.create_agent_schedule("forge", "Build", "0 3 * * *", next_run="2020-01-01T00:00:00Z")
    shown = place.run("schedules", "run", "--json")
    assert [run["name"] for run in shown.document["runs"]] == ["Build"]
    assert place.run("schedules", "run").out == "Nothing is due.\n"
    assert place.agent.list_routing_tasks()["total"] == 1


def test_a_mistake_is_told(place: Place) -> None:
    for cron, zone, told in (("every day", "UTC", "five fields"), ("0 3 * * *", "Mars", "not a known time zone")):
        shown = place.run("schedules", "add", "forge", "Build", cron, "--zone", zone)
        assert shown.code == 1
        assert told in shown.err
    assert "There is no schedule 'Build'" in place.run("schedules", "pause", "Build").err
    for _ in range(2):
        place.agent.create_agent_schedule("forge", "Build", "0 3 * * *")
    assert "There are 2 schedules 'Build'" in place.run("schedules", "remove", "Build").err
