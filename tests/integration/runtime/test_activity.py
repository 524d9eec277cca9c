"""The activity log takes every documented filter."""

from __future__ import annotations

from dashclaw.runtime.identity import Caller

from .conftest import ADMIN, World


def log(world: World, **query: str) -> tuple[list[tuple[str, str | None]], dict[str, int]]:
    status, found = world.ask("GET", "/api/activity", query=query)
    assert status == 200, found
    return [(row["action"], row["agent_id"]) for row in found["logs"]], found["pagination"]


def test_the_log_is_narrowed_to_an_agent_and_a_type(world: World) -> None:
    for agent in ("a", "b"):
        _, made = world.act(agent_id=agent)
        world.ask("PATCH", f"/api/actions/{made['action_id']}", {"status": "completed"})
        world.ask("POST", "/api/goals", {"title": "Fewer errors", "agent_id": agent})
    world.policy("risk_threshold", {"threshold": 99})
    assert log(world, agent_id="a", type="action")[0] == [("action.updated", "a"), ("action.created", "a")]
    assert log(world, type="goal")[0] == [("goal.created", "b"), ("goal.created", "a")]
    assert log(world, agent_id="a", resource_type="goal")[0] == [("goal.created", "a")]
    assert log(world, agent_id="nobody")[0] == []
    assert [name for name, _ in log(world, actor_id=ADMIN.actor_id)[0]] == ["policy.updated"]


def test_the_log_is_read_page_by_page_without_gaps(world: World) -> None:
    for number in range(7):
        world.ask("POST", "/api/goals", {"title": f"Goal {number}", "agent_id": "a"})
    whole, _ = log(world, agent_id="a", type="goal")
    pages = [log(world, agent_id="a", type="goal", limit="3", offset=str(offset)) for offset in (0, 3, 6)]
    assert [row for rows, _ in pages for row in rows] == whole
    assert [len(rows) for rows, _ in pages] == [3, 3, 1]
    assert [page["total"] for _, page in pages] == [7, 7, 7]
    assert [page["has_more"] for _, page in pages] == [True, True, False]
    assert log(world, limit="100000")[1]["limit"] == 200


def test_the_log_is_cut_by_time(world: World) -> None:
    world.ask("POST", "/api/goals", {"title": "Early", "agent_id": "early"})
    world.clock.move(hours=1)
    world.ask("POST", "/api/goals", {"title": "Late", "agent_id": "late"})
    assert log(world, type="goal", before="2026-03-01T12:30:00Z")[0] == [("goal.created", "early")]
    assert log(world, type="goal", after="2026-03-01T13:30:00+01:00")[0] == [("goal.created", "late")]
    assert world.ask("GET", "/api/activity", query={"before": "soon"})[0] == 400


def test_the_log_of_another_organisation_is_not_seen(world: World) -> None:
    world.act(agent_id="a")
    _, org = world.ask("POST", "/api/orgs", {"name": "Other", "slug": "other"}, caller=ADMIN)
    stranger = Caller(org["organization"]["id"], "key_stranger", "admin")
    _, found = world.ask("GET", "/api/activity", caller=stranger, query={"agent_id": "a"})
    assert found["logs"] == []
