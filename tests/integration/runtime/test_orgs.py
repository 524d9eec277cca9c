"""Organisations: nothing that is said of one gets lost, and nothing of one is seen by another."""

from __future__ import annotations

from typing import Any

import pytest

from dashclaw.runtime.identity import Caller

from ...unit.client.test_types import SOMETIMES, promised, unlike
from .conftest import ADMIN, AGENT, World

OWN = "/api/orgs/org_default"


def made(world: World, **fields: Any) -> dict[str, Any]:
    """A new organisation with its first key."""
    status, answer = world.ask("POST", "/api/orgs", {"name": "Acme Corp", "slug": "acme-corp", **fields}, caller=ADMIN)
    assert status == 201, answer
    found: dict[str, Any] = answer
    return found


def test_a_new_organisation_has_a_key_of_its_own(world: World) -> None:
    found = made(world)
    org, key = found["organization"], found["api_key"]
    assert (org["name"], org["slug"], org["plan"]) == ("Acme Corp", "acme-corp", "free")
    assert (key["role"], key["key"][:8], len(key["key"])) == ("admin", "oc_live_", 40)
    assert len(key["prefix"]) > len("oc_live_"), "keys can be told apart"
    owner = Caller(org["id"], key["id"], "admin")
    assert world.ask("GET", "/api/orgs", caller=owner)[1]["organizations"][0]["id"] == org["id"]
    _, shown = world.ask("GET", f"/api/orgs/{org['id']}", caller=owner)
    assert (shown["organization"], shown["active_keys"]) == (org, 1)
    assert world.ask("POST", "/api/orgs", {"name": "B", "slug": "acme-corp"}, caller=ADMIN)[0] == 409


def test_what_an_organisation_does_not_know_is_kept_and_named(world: World) -> None:
    found = made(world, region="eu")
    assert (found["organization"]["metadata"], len(found["warnings"])) == ({"region": "eu"}, 1)
    _, changed = world.ask("PATCH", OWN, {"name": "Research", "plan": "pro"}, caller=ADMIN)
    assert changed["organization"]["metadata"] == {"plan": "pro"}
    assert (changed["organization"]["name"], changed["organization"]["plan"]) == ("Research", "free")
    assert "plan" in changed["warnings"][0]
    _, again = world.ask("PATCH", OWN, {"name": "Research", "cost_centre": 7}, caller=ADMIN)
    assert again["organization"]["metadata"] == {"plan": "pro", "cost_centre": 7}
    assert world.ask("GET", OWN, caller=ADMIN)[1]["organization"] == again["organization"]
    _, key = world.ask("POST", f"{OWN}/keys", {"labl": "laptop"}, caller=ADMIN)
    assert (key["key"]["metadata"], len(key["warnings"])) == ({"labl": "laptop"}, 1)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": "", "slug": "ok"}, "name"),
        ({"name": "x" * 257, "slug": "ok"}, "name"),
        ({"name": "Acme", "slug": "Not Lower"}, "slug"),
        ({"name": "Acme", "slug": "-x"}, "slug"),
        ({"name": "Acme", "slug": "x" * 65}, "slug"),
        ({"name": "Acme"}, "slug"),
    ],
)
def test_a_wrong_organisation_is_refused_by_name(world: World, body: dict[str, Any], field: str) -> None:
    status, refused = world.ask("POST", "/api/orgs", body, caller=ADMIN)
    assert (status, [found["field"] for found in refused["fields"]]) == (400, [field])


def test_a_change_of_nothing_says_what_can_change(world: World) -> None:
    for body in ({}, {"nam": "misspelt"}):
        status, refused = world.ask("PATCH", OWN, body, caller=ADMIN)
        assert (status, refused["error"]) == (400, "Nothing to change: give name or a setting")


def test_keys_are_listed_newest_first_and_by_pages(world: World) -> None:
    ids = []
    for number in range(5):
        world.clock.move(seconds=1)
        _, key = world.ask("POST", f"{OWN}/keys", {"label": f"key {number}"}, caller=ADMIN)
        ids.insert(0, key["key"]["id"])
    _, page = world.ask("GET", f"{OWN}/keys", caller=ADMIN, query={"limit": "2", "offset": "1"})
    assert [key["id"] for key in page["keys"]] == ids[1:3]
    assert (page["total"], page["limit"], page["offset"], page["has_more"]) == (5, 2, 1, True)
    assert world.ask("DELETE", f"{OWN}/keys/{ids[4]}", caller=ADMIN)[0] == 200
    _, rest = world.ask("GET", f"{OWN}/keys", caller=ADMIN)
    assert [key["revoked_at"] is not None for key in rest["keys"]] == [False] * 4 + [True]


def test_another_organisation_is_not_there(world: World) -> None:
    found = made(world)
    org_id, key_id = found["organization"]["id"], found["api_key"]["id"]
    for verb, path, body in (
        ("GET", f"/api/orgs/{org_id}", {}),
        ("PATCH", f"/api/orgs/{org_id}", {"name": "Mine"}),
        ("GET", f"/api/orgs/{org_id}/keys", {}),
        ("POST", f"/api/orgs/{org_id}/keys", {}),
        ("DELETE", f"/api/orgs/{org_id}/keys/{key_id}", {}),
        ("DELETE", f"{OWN}/keys/{key_id}", {}),
    ):
        assert world.ask(verb, path, body, caller=ADMIN)[0] == 404, (verb, path)
        if verb != "DELETE":
            assert world.ask(verb, path, body, caller=AGENT)[0] == 403, "and an agent manages none at all"


def test_answers_are_of_the_declared_types(world: World) -> None:
    answers = {
        "create_org": made(world, x=1),
        "get_org": world.ask("GET", "/api/orgs", caller=ADMIN)[1],
        "update_org": world.ask("PATCH", OWN, {"name": "Research", "x": 1}, caller=ADMIN)[1],
    }
    world.ask("POST", f"{OWN}/keys", {}, caller=ADMIN)
    answers["get_org_keys"] = world.ask("GET", f"{OWN}/keys", caller=ADMIN)[1]
    wrong = {error for method, answer in answers.items() for error in unlike(promised(method), answer, method)}
    assert wrong - {f"{key} is missing" for key in SOMETIMES} == set()
