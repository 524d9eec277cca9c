"""What is learnt about the user: counts of approaches, and a summary per agent."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from .conftest import World

PATH = "/api/preferences"


def record(world: World, kind: str, value: str, agent_id: str = "a", **fields: Any) -> Any:
    status, answer = world.ask("POST", PATH, {"type": kind, kind: value, "agent_id": agent_id, **fields})
    assert status == 201, answer
    return answer[kind]


def counts(row: dict[str, Any]) -> tuple[int, int]:
    return row["success_count"], row["fail_count"]


def test_both_words_for_success_move_the_counts_and_silence_does_not(world: World) -> None:
    seen = [
        counts(record(world, "approach", "Stack", **said))
        for said in (
            {},
            {"succeeded": True},
            {"success": True},
            {"succeeded": False},
            {"success": 0},
            {"success": None},
            {},
        )
    ]
    assert seen == [(0, 0), (1, 0), (2, 0), (2, 1), (2, 2), (2, 2), (2, 2)]
    row = record(world, "approach", "Stack", context="reviews")
    assert (row["succeeded"], row["context"]) == (False, "reviews")
    assert counts(record(world, "approach", "Stack", "b", succeeded=True)) == (1, 0)


def test_no_count_is_lost_when_many_report_at_once(world: World) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: record(world, "approach", "Stack", succeeded=n % 4 != 0), range(40)))
    _, page = world.ask("GET", PATH, query={"type": "approaches"})
    assert [counts(row) for row in page["approaches"]] == [(30, 10)]


def test_approaches_are_listed_by_their_successes(world: World) -> None:
    for name, successes in (("never", 0), ("often", 3), ("once", 1)):
        record(world, "approach", name)
        for _ in range(successes):
            record(world, "approach", name, succeeded=True)
    _, page = world.ask("GET", PATH, query={"type": "approaches", "limit": "2"})
    assert [row["approach"] for row in page["approaches"]] == ["often", "once"]
    assert (page["total"], page["has_more"]) == (3, True)


def test_the_summary_has_the_best_of_each_of_one_agent(world: World) -> None:
    for number in range(22):
        record(world, "observation", f"o{number}")
        record(world, "preference", f"p{number}", confidence=number)
        record(world, "mood", f"m{number}")
        record(world, "approach", f"a{number}", succeeded=number == 7)
    record(world, "preference", "of another", "b", confidence=100)
    _, answer = world.ask("GET", PATH, query={"type": "summary", "agent_id": "a"})
    summary = answer["summary"]
    assert summary["observations_count"] == 22
    assert [row["confidence"] for row in summary["preferences"]] == list(range(21, 1, -1))
    assert [row["mood"] for row in summary["recent_moods"]] == [f"m{number}" for number in range(21, 16, -1)]
    assert (len(summary["top_approaches"]), summary["top_approaches"][0]["approach"]) == (10, "a7")
    assert world.ask("GET", PATH, query={"agent_id": "a"})[1] == answer
    assert world.ask("GET", PATH)[1]["summary"]["preferences"][0]["preference"] == "of another"


def test_a_preference_that_is_set_twice_is_kept_twice(world: World) -> None:
    ids = {record(world, "preference", "tabs")["id"] for _ in range(2)}
    assert len(ids) == 2


def test_a_field_of_another_type_is_kept_as_unknown(world: World) -> None:
    body = {"type": "observation", "observation": "o", "energy": "high"}
    _, answer = world.ask("POST", PATH, body)
    assert answer["observation"]["metadata"] == {"energy": "high"}
    assert len(answer["warnings"]) == 1


def test_what_is_wrong_is_refused_by_name(world: World) -> None:
    for body, field in (
        ({}, "type"),
        ({"type": "odd", "observation": "o"}, "type"),
        ({"type": "mood", "observation": "o"}, "mood"),
        ({"type": "approach", "approach": "a", "succeeded": "perhaps"}, "succeeded"),
        ({"type": "approach", "approach": "a", "success": 2}, "success"),
        ({"type": "preference", "preference": "p", "confidence": 101}, "confidence"),
        ({"type": "preference", "preference": "p", "confidence": True}, "confidence"),
        ({"type": "observation", "observation": "o" * 2001}, "observation"),
    ):
        status, refused = world.ask("POST", PATH, body)
        assert (status, refused["fields"][0]["field"]) == (400, field), body
    assert world.ask("GET", PATH, query={"type": "odd"})[0] == 400
    _, answer = world.ask("GET", PATH)
    assert answer["summary"] == {"observations_count": 0, "preferences": [], "recent_moods": [], "top_approaches": []}
