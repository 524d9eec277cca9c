"""What belongs to one organisation does not exist for another."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest

from dashclaw.runtime.bootstrap import DEFAULT_ORG
from dashclaw.runtime.operations import Operation

from ..serving import Served
from .support import (
    BODIES,
    QUERIES,
    ROUTES,
    Http,
    Things,
    clients,
    filled,
    make_things,
    named,
    newest_event,
    refused,
    unique,
)

ABSENT = Things(*(f"absent-{name}" for name in Things._fields))
NAMED = [(operation, path) for operation, path in ROUTES if named(operation, path)]
LISTS = [
    (operation, path)
    for operation, path in ROUTES
    if operation.verb == "GET" and "{" not in path and operation.name not in QUERIES
]


def ids(routes: list[tuple[Operation, str]]) -> list[str]:
    return [f"{operation.name}:{path}" for operation, path in routes]


class Neighbours(NamedTuple):
    """Two organisations of one server, each with one of every kind."""

    admin: Http
    agent: Http
    theirs: Things
    other_admin: Http
    other_agent: Http
    others: Things


@pytest.fixture(scope="module")
def neighbours(server: Served) -> Neighbours:
    admin, agent = clients(server)
    made = admin.made("POST", "/api/orgs", unique(BODIES["create_org"]))
    other_admin = admin.with_key(made["api_key"]["key"])
    other_org = made["organization"]["id"]
    member = other_admin.made("POST", f"/api/orgs/{other_org}/keys", {"role": "member"})["api_key"]["key"]
    other_agent = admin.with_key(member)
    return Neighbours(
        admin,
        agent,
        make_things(admin, agent, DEFAULT_ORG),
        other_admin,
        other_agent,
        make_things(other_admin, other_agent, other_org),
    )


@pytest.mark.parametrize(("operation", "path"), NAMED, ids=ids(NAMED))
def test_an_id_of_another_organisation_is_not_found(
    server: Served, neighbours: Neighbours, operation: Operation, path: str
) -> None:
    before = newest_event(server)
    where, body = filled(operation, path, neighbours.theirs)
    for key in (neighbours.other_admin, neighbours.other_agent):
        if key is neighbours.other_agent and operation.role == "admin":
            continue
        reply = key.ask(operation.verb, where, body)
        assert refused(reply, 404)["code"] == "NOT_FOUND"
        unseen = [value for value in neighbours.theirs if value not in where and value not in str(body)]
        assert not [value for value in unseen if value.encode() in reply.raw]
    assert newest_event(server) == before


@pytest.mark.parametrize(("operation", "path"), NAMED, ids=ids(NAMED))
def test_an_unknown_id_is_not_found(neighbours: Neighbours, operation: Operation, path: str) -> None:
    where, body = filled(operation, path, ABSENT)
    assert refused(neighbours.admin.ask(operation.verb, where, body), 404)["code"] == "NOT_FOUND"


@pytest.mark.parametrize(("operation", "path"), LISTS, ids=ids(LISTS))
def test_a_list_holds_nothing_of_another_organisation(neighbours: Neighbours, operation: Operation, path: str) -> None:
    named = {"action_id": neighbours.theirs.action_id}
    for query in ({}, named) if "action_id" in operation.query.model_fields else ({},):
        reply = neighbours.other_admin.ask("GET", path, query=query)
        assert reply.status == 200
        assert not [value for value in neighbours.theirs if value.encode() in reply.raw]


def test_a_trace_does_not_follow_a_parent_into_another_organisation(neighbours: Neighbours) -> None:
    body = {**BODIES["create_action"], "parent_action_id": neighbours.theirs.action_id}
    child = neighbours.other_agent.made("POST", "/api/actions", body)["action_id"]
    trace = neighbours.other_agent.made("GET", f"/api/actions/{child}/trace")["trace"]
    assert not trace["parent_chain"]
    theirs = neighbours.agent.ask("GET", f"/api/actions/{neighbours.theirs.action_id}/trace")
    assert child.encode() not in theirs.raw


def test_two_organisations_may_choose_the_same_id(neighbours: Neighbours) -> None:
    body = {**BODIES["create_action"], "action_id": "chosen"}
    path = "/api/actions/chosen"
    for agent in (neighbours.agent, neighbours.other_agent):
        assert agent.ask("POST", "/api/actions", body).status == 201
    neighbours.other_agent.made("PATCH", path, {"status": "failed", "error_message": "ours only"})
    found = neighbours.agent.made("GET", path)["action"]
    assert (found["status"], found["error_message"]) == ("running", None)


def test_two_organisations_may_choose_the_same_idempotency_key(neighbours: Neighbours) -> None:
    header = {"Idempotency-Key": "the-same"}
    answers: list[Any] = [
        agent.ask("POST", "/api/actions", BODIES["create_action"], headers=header)
        for agent in (neighbours.agent, neighbours.other_agent)
    ]
    assert [reply.status for reply in answers] == [201, 201]
    assert not [reply for reply in answers if "idempotent-replay" in reply.headers]
    assert answers[0].body["action_id"] != answers[1].body["action_id"]


def test_an_approval_is_worth_nothing_in_another_organisation(neighbours: Neighbours) -> None:
    rule = {"name": "ask", "policy_type": "require_approval", "rules": {"action_types": ["deploy"]}}
    body = {**BODIES["create_action"], "action_type": "deploy"}
    for admin in (neighbours.admin, neighbours.other_admin):
        admin.made("POST", "/api/policies", rule)
    asked = neighbours.agent.made("POST", "/api/actions", body)["action_id"]
    neighbours.admin.made("POST", f"/api/actions/{asked}/approve", {"decision": "allow"})
    assert neighbours.other_agent.ask("POST", "/api/actions", body).status == 202
    assert neighbours.other_agent.made("POST", "/api/guard", body)["decision"] == "require_approval"


def test_a_policy_and_a_kill_switch_bind_one_organisation(neighbours: Neighbours) -> None:
    neighbours.admin.made("PATCH", f"/api/orgs/{DEFAULT_ORG}", {"kill_switch": True})
    try:
        assert neighbours.agent.made("POST", "/api/guard", BODIES["guard"])["decision"] == "block"
        assert neighbours.other_agent.made("POST", "/api/guard", BODIES["guard"])["decision"] == "allow"
    finally:
        neighbours.admin.made("PATCH", f"/api/orgs/{DEFAULT_ORG}", {"kill_switch": False})
