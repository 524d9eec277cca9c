"""Handoffs are read by the next session."""

from __future__ import annotations

from typing import Any

from .conftest import World


def leave(world: World, summary: str, agent_id: str = "a", **fields: Any) -> Any:
    status, answer = world.ask("POST", "/api/handoffs", {"summary": summary, "agent_id": agent_id, **fields})
    assert status == 201, answer
    return answer["handoff"]


def latest(world: World, **query: str) -> Any:
    return world.ask("GET", "/api/handoffs", query={"latest": "true", **query})[1]


def test_the_latest_is_the_newest_of_the_agent_or_null(world: World) -> None:
    assert latest(world, agent_id="a") == {"handoff": None}
    leave(world, "first")
    second = leave(world, "second")
    other = leave(world, "other", "b")
    assert latest(world, agent_id="a") == {"handoff": second}
    assert latest(world) == {"handoff": other}
    assert latest(world, agent_id="nobody") == {"handoff": None}
    assert latest(world, agent_id="a", date="2020-01-01") == {"handoff": None}


def test_handoffs_are_filtered_by_the_date_of_their_session(world: World) -> None:
    today = leave(world, "today")
    old = leave(world, "old", session_date="2026-02-01")
    assert today["session_date"] == "2026-03-01"
    _, page = world.ask("GET", "/api/handoffs", query={"date": "2026-02-01"})
    assert page["handoffs"] == [old]


def test_lists_are_taken_as_json_and_as_json_text(world: World) -> None:
    row = leave(
        world, "s", key_decisions='["a", {"b": 1}]', open_tasks=["c"], next_priorities="[not JSON", tags='["t"]'
    )
    assert (row["key_decisions"], row["open_tasks"]) == (["a", {"b": 1}], ["c"])
    assert (row["next_priorities"], row["tags"]) == ("[not JSON", ["t"])


def test_wrong_tags_are_refused_by_name(world: World) -> None:
    for wrong in ("words", [1], ["x" * 101], [""], ["t"] * 51):
        status, refused = world.ask("POST", "/api/handoffs", {"summary": "s", "tags": wrong})
        assert (status, refused["fields"][0]["field"].split(".")[0]) == (400, "tags")
