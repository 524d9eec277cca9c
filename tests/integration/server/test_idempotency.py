"""A request that is sent again acts once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone

import pytest

from dashclaw.runtime.bootstrap import DEFAULT_ORG
from dashclaw.runtime.operations import Operation

from ..databases import database
from ..serving import Served, served
from .support import BODIES, ROUTES, Http, Reply, Things, clients, filled, make_things, newest_event, refused

WRITES = [(operation, operation.path) for operation, path in ROUTES if operation.writes and path == operation.path]
ACTION = BODIES["create_action"]


@pytest.fixture
def things(server: Served) -> Things:
    return make_things(*clients(server), DEFAULT_ORG)


@pytest.mark.parametrize(("operation", "path"), WRITES, ids=[operation.name for operation, _ in WRITES])
def test_the_same_request_with_the_same_key_acts_once(
    server: Served, things: Things, operation: Operation, path: str
) -> None:
    admin, _ = clients(server)
    where, body = filled(operation, path, things)
    header = {"Idempotency-Key": f"again {operation.name} {things.action_id}"}
    first = admin.ask(operation.verb, where, body, headers=header)
    assert (first.status, "idempotent-replay" in first.headers) == (operation.status, False)
    after = newest_event(server)
    second = admin.ask(operation.verb, where, body, headers=header)
    if operation.keeps_answer:
        assert (second.status, second.headers["idempotent-replay"]) == (first.status, "true")
        assert second.body == first.body
    else:
        assert refused(second, 409)["code"] == "IDEMPOTENCY_CONFLICT"
    assert newest_event(server) == after
    other = admin.ask(operation.verb, where, {**(body or {}), "extra": 1}, headers=header)
    assert refused(other, 409)["code"] == "IDEMPOTENCY_CONFLICT"
    assert newest_event(server) == after


def test_a_key_belongs_to_one_operation_and_one_path(server: Served, things: Things) -> None:
    _, agent = clients(server)
    header = {"Idempotency-Key": f"shared {things.action_id}"}
    assert agent.ask("POST", "/api/guard", BODIES["guard"], headers=header).status == 200
    assert refused(agent.ask("POST", "/api/actions", ACTION, headers=header), 409)["code"] == "IDEMPOTENCY_CONFLICT"
    query = agent.ask("POST", "/api/guard?include_signals=1", BODIES["guard"], headers=header)
    assert refused(query, 409)["code"] == "IDEMPOTENCY_CONFLICT"


def test_a_secret_is_not_kept_for_a_replay(server: Served, things: Things) -> None:
    admin, _ = clients(server)
    header = {"Idempotency-Key": f"secret {things.action_id}"}
    made = admin.ask("POST", f"/api/orgs/{DEFAULT_ORG}/keys", {"label": "x"}, headers=header).body
    again = admin.ask("POST", f"/api/orgs/{DEFAULT_ORG}/keys", {"label": "x"}, headers=header)
    assert refused(again, 409)
    assert made["api_key"]["key"].encode() not in again.raw


def test_a_refused_request_may_be_corrected_under_the_same_key(server: Served, things: Things) -> None:
    _, agent = clients(server)
    header = {"Idempotency-Key": f"corrected {things.action_id}"}
    refused(agent.ask("POST", "/api/actions", {**ACTION, "risk_score": "high"}, headers=header), 400)
    refused(agent.ask("POST", "/api/loops", {**BODIES["register_open_loop"], "action_id": "x"}, headers=header), 404)
    assert agent.ask("POST", "/api/actions", ACTION, headers=header).status == 201


def test_a_blocked_action_stays_blocked_when_it_is_sent_again(server: Served, things: Things) -> None:
    admin, agent = clients(server)
    policy = {"name": "no drop", "policy_type": "block_action_type", "rules": {"action_types": ["db.drop"]}}
    made = admin.made("POST", "/api/policies", policy)["policy"]["id"]
    header = {"Idempotency-Key": f"blocked {things.action_id}"}
    first = agent.ask("POST", "/api/actions", {**ACTION, "action_type": "db.drop"}, headers=header)
    admin.made("DELETE", f"/api/policies/{made}")
    second = agent.ask("POST", "/api/actions", {**ACTION, "action_type": "db.drop"}, headers=header)
    assert refused(first, 403)["action"] == refused(second, 403)["action"]
    assert second.headers["idempotent-replay"] == "true"


@pytest.fixture(params=["sqlite", "postgresql"])
def two(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Http, Http]]:
    with (
        database(request.param, tmp_path_factory.mktemp("two")) as url,
        served(url) as here,
        served(url) as there,
    ):
        yield Http(here.url, here.agent_key), Http(there.url, here.agent_key)


def test_duplicates_at_the_same_moment_act_once(two: tuple[Http, Http]) -> None:
    barrier = threading.Barrier(10)

    def ask(number: int) -> list[Reply]:
        barrier.wait(20)
        return [
            two[number % 2].ask("POST", "/api/actions", ACTION, headers={"Idempotency-Key": f"turn {turn}"})
            for turn in range(5)
        ]

    with ThreadPoolExecutor(10) as threads:
        turns = list(zip(*threads.map(ask, range(10)), strict=True))
    for replies in turns:
        assert {reply.status for reply in replies} == {201}
        assert len({reply.body["action_id"] for reply in replies}) == 1
        assert sum("idempotent-replay" not in reply.headers for reply in replies) == 1
    assert two[0].made("GET", "/api/actions")["total"] == 5


def test_without_a_key_two_equal_requests_are_two_actions(server: Served) -> None:
    _, agent = clients(server)
    first, second = (agent.made("POST", "/api/actions", ACTION)["action_id"] for _ in range(2))
    assert first != second


def test_an_answer_is_kept_for_a_day(tmp_path_factory: pytest.TempPathFactory) -> None:
    now = datetime(2026, 3, 1, tzinfo=timezone.utc)
    header = {"Idempotency-Key": "yesterday"}
    path = str(tmp_path_factory.mktemp("day") / "dashclaw.db")
    with served(path, clock=lambda: now) as found:
        _, agent = clients(found)
        first = agent.ask("POST", "/api/actions", ACTION, headers=header).body["action_id"]
        now += timedelta(hours=23, minutes=59)
        assert agent.ask("POST", "/api/actions", ACTION, headers=header).body["action_id"] == first
        now += timedelta(minutes=2)
        later = agent.ask("POST", "/api/actions", ACTION, headers=header)
        assert (later.status, later.body["action_id"] != first) == (201, True)
        assert "idempotent-replay" not in later.headers
