"""The daily digest: any day, from all sources."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from dashclaw.runtime.identity import Caller
from dashclaw.runtime.store.digest import SOURCES
from dashclaw.runtime.store.engine import Store

from .conftest import ADMIN, World

WRITES: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("actions", "/api/actions", {"action_type": "research", "declared_goal": "Find out"}),
    ("decisions", "/api/learning", {"decision": "Retry"}),
    ("content", "/api/content", {"title": "Report"}),
    ("ideas", "/api/inspiration", {"title": "Vectors"}),
    ("interactions", "/api/relationships", {"summary": "Asked"}),
    ("goals", "/api/goals", {"title": "Fewer errors"}),
    ("handoffs", "/api/handoffs", {"summary": "Half done"}),
    ("snippets", "/api/snippets", {"name": "one", "code": "pass"}),
    ("context_points", "/api/context/points", {"content": "The budget is 50"}),
    ("observations", "/api/preferences", {"type": "observation", "observation": "Likes short answers"}),
    ("moods", "/api/preferences", {"type": "mood", "mood": "focused"}),
    ("messages", "/api/messages", {"body": "Hello", "from_agent_id": "a", "to_agent_id": "b"}),
    ("tasks", "/api/routing/tasks", {"title": "Count"}),
    ("calendar", "/api/calendar", {"summary": "Review", "start_time": "2026-05-01"}),
    ("findings", "/api/security/scan", {"text": "Write to john@example.com", "store": True}),
)


def write(world: World, agent_id: str = "a") -> None:
    """One of everything."""
    for _, path, body in WRITES:
        given = {"agent_id": agent_id, **body}
        if "from_agent_id" in given:
            given["from_agent_id"] = agent_id
        status, answer = world.ask("POST", path, given)
        assert status < 300, (path, answer)


def digest(world: World, caller: Caller = ADMIN, **query: str) -> Any:
    status, found = world.ask("GET", "/api/digest", caller=caller, query=query)
    assert status == 200, found
    return found


def test_a_day_has_everything_of_that_day_and_nothing_else(world: World) -> None:
    world.clock.move(days=-1)
    write(world)
    world.clock.move(days=1)
    write(world)
    write(world, "b")
    today, yesterday = digest(world), digest(world, date="2026-02-28")
    assert (today["date"], yesterday["date"]) == ("2026-03-01", "2026-02-28")
    for name, _, _ in WRITES:
        # A snippet is known by its name: writing it again changes the one there is.
        expected = 0 if name == "snippets" else 2
        assert today[f"{name}_count"] == today["digest"][name]["total"] == expected, name
        assert yesterday[f"{name}_count"] == len(yesterday["digest"][name]["items"]) == 1, name
    assert yesterday["summary"]["total_activities"] == len(WRITES)
    assert (yesterday["actions_count"], yesterday["summary"]["action_count"]) == (1, 1)
    assert digest(world, date="2026-02-27")["summary"]["total_activities"] == 0
    assert {name for name, _, _ in WRITES} == {source.name for source in SOURCES if source.only is None}


def test_a_digest_of_an_agent_leaves_out_what_others_did(world: World) -> None:
    write(world)
    write(world, "b")
    found = digest(world, agent_id="a")
    assert found["agent_id"] == "a"
    assert (found["actions_count"], found["decisions_count"], found["messages_count"]) == (1, 1, 1)
    assert {row["agent_id"] for row in found["digest"]["goals"]["items"]} == {"a"}
    # Ideas and the calendar are the organisation's.
    assert (found["ideas_count"], found["calendar_count"]) == (2, 2)


def test_a_lesson_is_a_decision_whose_outcome_is_known(world: World) -> None:
    world.ask("POST", "/api/learning", {"decision": "Wait"})
    world.ask("POST", "/api/learning", {"decision": "Retry", "outcome": "success"})
    found = digest(world)
    assert (found["decisions_count"], found["lessons_count"], found["summary"]["total_activities"]) == (2, 1, 2)
    assert [row["decision"] for row in found["digest"]["lessons"]["items"]] == ["Retry"]


def test_the_figures_of_actions_the_guard_and_tokens(world: World) -> None:
    world.policy("block_action_type", {"action_types": ["db.drop"]})
    for status, risk in (("completed", 10), ("failed", 30), ("running", 50)):
        _, action = world.act(risk_score=risk)
        world.ask("PATCH", f"/api/actions/{action['action_id']}", {"status": status})
    world.act("db.drop", risk_score=90)
    world.ask("POST", "/api/tokens", {"tokens_in": 1_000_000, "tokens_out": 0, "model": "gpt-4o", "agent_id": "a"})
    found = digest(world)["digest"]
    actions = found["actions"]
    assert (actions["total"], actions["completed"], actions["failed"], actions["avg_risk"]) == (4, 1, 1, 45)
    assert found["guard"] == {"total": 4, "allow": 3, "warn": 0, "require_approval": 0, "block": 1}
    assert found["tokens"] == {"reports": 1, "tokens_in": 1_000_000, "tokens_out": 0, "cost_usd": 2.5}
    assert digest(world, agent_id="nobody")["digest"]["tokens"]["reports"] == 0


def test_the_newest_come_first_and_no_more_than_twenty_actions(world: World) -> None:
    for number in range(22):
        world.act(declared_goal=f"Goal {number}")
    actions = digest(world)["digest"]["actions"]
    assert (actions["total"], [row["declared_goal"] for row in actions["items"][:2]]) == (22, ["Goal 21", "Goal 20"])
    assert len(actions["items"]) == 20


def test_a_digest_belongs_to_one_organisation(world: World) -> None:
    write(world)
    _, org = world.ask("POST", "/api/orgs", {"name": "Other", "slug": "other"}, caller=ADMIN)
    found = digest(world, Caller(org["organization"]["id"], "key_stranger", "admin"))
    assert found["summary"]["total_activities"] == 0
    assert found["digest"]["guard"]["total"] == 0


@pytest.mark.parametrize("date", ["yesterday", "2026-02-30", "2026-13-01", "9999-12-31", ""])
def test_what_is_no_day_is_refused(world: World, date: str) -> None:
    status, refused = world.ask("GET", "/api/digest", query={"date": date})
    assert (status, refused["fields"][0]["field"]) == (400, "date")


def test_every_source_is_read_by_an_index(sqlite_template: Path, tmp_path: Path) -> None:
    store = Store.open(str(shutil.copy(sqlite_template, tmp_path)))
    try:
        with store.read() as tx:
            for source in SOURCES:
                at = f"{source.at} >= 'x' AND {source.at} < 'y'"
                for agent in ("", f" AND {source.agent} = 'a'" if source.agent else ""):
                    where = f"org_id = 'o' AND {at}{agent}"
                    query = f"EXPLAIN QUERY PLAN SELECT count(*) FROM {source.table.name} WHERE {where}"
                    plan = " ".join(row["detail"] for row in tx.all(text(query)))
                    assert f"{source.at}>" in plan, (source.name, plan)
    finally:
        store.close()
