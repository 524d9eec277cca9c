"""Key points by importance, and threads that are closed and opened again."""

from __future__ import annotations

from typing import Any

from .conftest import World


def thread(world: World, name: str = "Plan", **fields: Any) -> Any:
    status, answer = world.ask("POST", "/api/context/threads", {"name": name, "agent_id": "a", **fields})
    assert status == 201, answer
    return answer


def threads(world: World, **query: str) -> list[str]:
    return [row["name"] for row in world.ask("GET", "/api/context/threads", query=query)[1]["threads"]]


def test_the_most_important_points_come_first_then_the_newest(world: World) -> None:
    for content, importance in (("low", 1), ("old", 9), ("new", 9), ("usual", None)):
        world.ask("POST", "/api/context/points", {"content": content, "importance": importance})
    _, page = world.ask("GET", "/api/context/points")
    assert [(row["content"], row["importance"]) for row in page["points"]] == [
        ("new", 9),
        ("old", 9),
        ("usual", 5),
        ("low", 1),
    ]


def test_points_are_filtered_by_category_and_session(world: World) -> None:
    for category, day in (("constraint", "2026-02-01"), ("constraint", None), (None, None)):
        world.ask("POST", "/api/context/points", {"content": "c", "category": category, "session_date": day})
    for query, total in (
        ({"category": "constraint"}, 2),
        ({"category": "general"}, 1),
        ({"session_date": "2026-03-01"}, 2),
        ({"session_date": "2026-02-01", "category": "constraint"}, 1),
    ):
        assert world.ask("GET", "/api/context/points", query=query)[1]["total"] == total, query


def test_importance_is_1_to_10(world: World) -> None:
    for wrong in (0, 11, 5.5, True, "much"):
        status, refused = world.ask("POST", "/api/context/points", {"content": "c", "importance": wrong})
        assert (status, refused["fields"][0]["field"]) == (400, "importance")


def test_a_thread_is_known_by_its_agent_and_name_and_opens_again(world: World) -> None:
    first = thread(world, summary="begun")
    assert first["thread_id"] == first["thread"]["id"]
    path = f"/api/context/threads/{first['thread_id']}"
    assert world.ask("PATCH", path, {"status": "closed", "summary": "done"})[1]["thread"]["status"] == "closed"
    again = thread(world)
    assert again["thread_id"] == first["thread_id"]
    assert (again["thread"]["status"], again["thread"]["summary"]) == ("active", "done")
    assert thread(world, agent_id="b")["thread_id"] != first["thread_id"]
    assert thread(world, "Other")["thread_id"] != first["thread_id"]
    anonymous = [thread(world, agent_id=None)["thread_id"] for _ in range(2)]
    assert len(set(anonymous)) == 1


def test_entries_come_back_with_their_thread(world: World) -> None:
    thread_id = thread(world)["thread_id"]
    path = f"/api/context/threads/{thread_id}"
    for content, kind in (("begun", None), ("blocked", "risk")):
        status, answer = world.ask("POST", f"{path}/entries", {"content": content, "entry_type": kind})
        assert (status, answer["entry"]["thread_id"]) == (201, thread_id)
        assert answer["entry_id"] == answer["entry"]["id"]
    _, shown = world.ask("GET", path, query={"limit": "1"})
    assert [(row["content"], row["entry_type"]) for row in shown["entries"]] == [("blocked", "risk")]
    assert (shown["total"], shown["has_more"]) == (2, True)
    assert [row["entry_type"] for row in world.ask("GET", path)[1]["entries"]] == ["risk", "note"]


def test_a_closed_thread_takes_no_entry_until_it_is_open_again(world: World) -> None:
    path = f"/api/context/threads/{thread(world)['thread_id']}"
    world.ask("PATCH", path, {"status": "closed"})
    status, refused = world.ask("POST", f"{path}/entries", {"content": "late"})
    assert (status, refused["code"]) == (409, "CONFLICT")
    world.ask("PATCH", path, {"status": "active"})
    assert world.ask("POST", f"{path}/entries", {"content": "in time"})[0] == 201
    assert world.ask("GET", path)[1]["total"] == 1


def test_closing_twice_changes_nothing_more(world: World) -> None:
    path = f"/api/context/threads/{thread(world)['thread_id']}"
    answers = [world.ask("PATCH", path, {"status": "closed", "summary": "done"}) for _ in range(2)]
    assert answers[0] == answers[1]
    _, log = world.ask("GET", "/api/activity")
    assert [entry["action"] for entry in log["logs"]] == ["context_thread.updated", "context_thread.created"]


def test_a_change_of_nothing_or_to_nonsense_is_refused(world: World) -> None:
    path = f"/api/context/threads/{thread(world)['thread_id']}"
    for body in ({}, {"status": None}, {"status": "done"}, {"summary": "x" * 5001}, {"odd": 1}):
        assert world.ask("PATCH", path, body)[0] == 400, body
    _, answer = world.ask("PATCH", path, {"status": "closed", "odd": 1})
    assert (answer["thread"]["metadata"], len(answer["warnings"])) == ({"odd": 1}, 1)


def test_the_last_changed_thread_comes_first_an_entry_counts(world: World) -> None:
    ids = {name: thread(world, name)["thread_id"] for name in ("one", "two", "three")}
    world.clock.move(minutes=1)
    world.ask("POST", f"/api/context/threads/{ids['one']}/entries", {"content": "news"})
    assert threads(world) == ["one", "three", "two"]
    world.ask("PATCH", f"/api/context/threads/{ids['two']}", {"status": "closed"})
    assert threads(world, status="active", agent_id="a") == ["one", "three"]
    assert threads(world, status="closed") == ["two"]
    assert world.ask("GET", "/api/context/threads", query={"status": "odd"})[0] == 400
