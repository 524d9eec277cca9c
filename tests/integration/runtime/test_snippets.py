"""Snippets are saved by name, found by words, counted and deleted."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from .conftest import World


def save(world: World, name: str, **fields: Any) -> Any:
    status, answer = world.ask("POST", "/api/snippets", {"name": name, "code": "pass", **fields})
    assert status == 201, answer
    return answer["snippet"]


def found(world: World, **query: str) -> list[str]:
    return [row["name"] for row in world.ask("GET", "/api/snippets", query=query)[1]["snippets"]]


def test_saving_a_name_again_replaces_the_code_and_keeps_what_is_left_out(world: World) -> None:
    first = save(world, "retry", language="python", tags=["http"], description="d", agent_id="a", odd=1)
    world.ask("POST", f"/api/snippets/{first['id']}/use")
    world.clock.move(hours=1)
    assert save(world, "retry", agent_id="b")["agent_id"] == "b"
    again = save(world, "retry", code="raise", description="e", odder=2)
    assert (again["id"], again["created_at"], again["use_count"]) == (first["id"], first["created_at"], 1)
    assert (again["code"], again["description"], again["agent_id"]) == ("raise", "e", "b")
    assert (again["language"], again["tags"], again["metadata"]) == ("python", ["http"], {"odd": 1, "odder": 2})
    assert again["updated_at"] > first["updated_at"]
    assert world.ask("GET", f"/api/snippets/{first['id']}")[1] == {"snippet": again}
    _, log = world.ask("GET", "/api/activity")
    assert [entry["action"] for entry in log["logs"]] == [
        "snippet.updated",
        "snippet.updated",
        "snippet.used",
        "snippet.created",
    ]


def test_a_search_looks_for_the_words_as_they_are_in_any_case(world: World) -> None:
    save(world, "Fetch_Retry", language="python", tags=["HTTP", 'quoted "tag"'])
    save(world, "fetch-all", description="100% of them", language="sql", tags=["http2", "späte"])
    save(world, "other")
    assert sorted(found(world, search="FETCH")) == ["Fetch_Retry", "fetch-all"]
    assert found(world, search="h_r") == ["Fetch_Retry"]
    assert found(world, search="100%") == ["fetch-all"]
    assert found(world, search="%") == ["fetch-all"]
    assert found(world, search="nothing") == []
    assert found(world, tag="http") == ["Fetch_Retry"]
    assert found(world, tag='quoted "tag"') == ["Fetch_Retry"]
    assert found(world, tag="späte") == ["fetch-all"]
    assert found(world, tag="htt") == []
    assert found(world, language="sql", search="fetch") == ["fetch-all"]
    assert found(world, language="SQL") == []


def test_the_most_used_come_first(world: World) -> None:
    ids = {name: save(world, name)["id"] for name in ("a", "b", "c")}
    for name in ("b", "b", "a"):
        _, answer = world.ask("POST", f"/api/snippets/{ids[name]}/use")
    assert (answer["snippet"]["use_count"], answer["snippet"]["last_used"] > answer["snippet"]["created_at"]) == (
        1,
        True,
    )
    assert found(world) == ["b", "a", "c"]


def test_no_use_is_lost_when_many_use_it_at_once(world: World) -> None:
    path = f"/api/snippets/{save(world, 'busy')['id']}/use"
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: world.ask("POST", path), range(40)))
    assert {status for status, _ in answers} == {200}
    assert sorted(answer["snippet"]["use_count"] for _, answer in answers) == list(range(1, 41))


def test_a_name_that_many_save_at_once_is_one_snippet(world: World) -> None:
    with ThreadPoolExecutor(8) as pool:
        ids = set(pool.map(lambda n: save(world, "same", code=f"pass  # {n}")["id"], range(24)))
    assert len(ids) == 1
    assert found(world) == ["same"]


def test_a_deleted_snippet_is_gone_and_its_name_free(world: World) -> None:
    first = save(world, "retry")
    assert world.ask("DELETE", "/api/snippets", query={"id": first["id"]}) == (
        200,
        {"deleted": True, "id": first["id"]},
    )
    assert world.ask("DELETE", "/api/snippets", query={"id": first["id"]})[0] == 404
    assert world.ask("GET", f"/api/snippets/{first['id']}")[0] == 404
    assert world.ask("POST", f"/api/snippets/{first['id']}/use")[0] == 404
    status, refused = world.ask("DELETE", "/api/snippets")
    assert (status, refused["fields"][0]["field"]) == (400, "id")
    assert save(world, "retry")["id"] != first["id"]
