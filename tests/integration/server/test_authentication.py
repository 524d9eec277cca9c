"""Who may do what: every operation with every kind of key."""

from __future__ import annotations

from pathlib import Path

import pytest

from dashclaw.runtime.bootstrap import DEFAULT_ORG
from dashclaw.runtime.identity import Caller
from dashclaw.runtime.operations import Operation
from dashclaw.runtime.problems import Problem
from dashclaw.runtime.runtime import Runtime
from dashclaw.server.auth import CACHE_SECONDS, Keyring

from ..serving import Served, served
from .support import BODIES, ROUTES, Http, Things, clients, filled, make_things, newest_event, refused

EVERY_ROUTE = pytest.mark.parametrize(
    ("operation", "path"), ROUTES, ids=[f"{operation.name}:{path}" for operation, path in ROUTES]
)
ADMIN_KEY = "a-configured-key-of-an-operator"


def new_key(admin: Http, role: str) -> tuple[str, str]:
    """A fresh key and its id."""
    made = admin.made("POST", f"/api/orgs/{DEFAULT_ORG}/keys", {"role": role})
    return made["api_key"]["key"], made["key"]["id"]


@pytest.fixture
def things(small: Served) -> Things:
    admin, agent = clients(small)
    admin.made("POST", "/api/evidence/checkpoint", {})
    return make_things(admin, agent, DEFAULT_ORG)


def test_there_is_an_example_of_every_operation_with_a_body() -> None:
    assert {operation.name for operation, _ in ROUTES if operation.body is not None} == set(BODIES)


@pytest.fixture(scope="module")
def untouched(small: Served) -> Things:
    return make_things(*clients(small), DEFAULT_ORG)


@pytest.fixture(scope="module")
def revoked(small: Served) -> str:
    admin, _ = clients(small)
    key, key_id = new_key(admin, "admin")
    assert admin.with_key(key).ask("GET", "/api/orgs").status == 200
    admin.made("DELETE", f"/api/orgs/{DEFAULT_ORG}/keys/{key_id}")
    return key


@EVERY_ROUTE
def test_without_a_known_key_nothing_is_told_or_done(
    small: Served, untouched: Things, revoked: str, operation: Operation, path: str
) -> None:
    admin, _ = clients(small)
    before = newest_event(small)
    where, body = filled(operation, path, untouched)
    for key, code in (
        (None, "API_KEY_REQUIRED"),
        ("", "API_KEY_REQUIRED"),
        ("oc_live_" + "0" * 32, "INVALID_API_KEY"),
        (small.admin_key.upper(), "INVALID_API_KEY"),
        (small.admin_key + "x", "INVALID_API_KEY"),
        ("x" * 600, "INVALID_API_KEY"),
        ("schlüssel", "INVALID_API_KEY"),
        (revoked, "INVALID_API_KEY"),
    ):
        assert refused(admin.with_key(key).ask(operation.verb, where, body), 401)["code"] == code
    assert newest_event(small) == before


@EVERY_ROUTE
@pytest.mark.parametrize("role", ["readonly", "member", "admin"])
def test_a_key_may_do_what_its_role_reaches(
    small: Served, things: Things, operation: Operation, path: str, role: str
) -> None:
    admin, _ = clients(small)
    key, key_id = new_key(admin, role)
    caller = Caller(DEFAULT_ORG, key_id, role)  # type: ignore[arg-type]
    where, body = filled(operation, path, things)
    reply = admin.with_key(key).ask(operation.verb, where, body)
    if operation.name == "approve_action" and role == "member":
        assert refused(reply, 403)["code"] == "APPROVER_IDENTITY_REQUIRED"
    elif caller.may(operation.role):
        assert reply.status == operation.status, reply
    else:
        only_reads = role == "readonly" and operation.verb != "GET"
        assert refused(reply, 403)["code"] == ("READONLY_KEY" if only_reads else "FORBIDDEN")


@pytest.mark.parametrize("spelling", ["Bearer", "bearer", "BEARER"])
def test_a_key_is_also_taken_as_a_bearer_token(small: Served, spelling: str) -> None:
    reply = Http(small.url).ask("GET", "/api/orgs", headers={"Authorization": f"{spelling} {small.admin_key}"})
    assert reply.status == 200


def test_a_key_is_not_taken_from_elsewhere(small: Served) -> None:
    http = Http(small.url)
    refused(http.ask("GET", "/api/orgs", query={"api_key": small.admin_key, "x-api-key": small.admin_key}), 401)
    refused(http.ask("GET", "/api/orgs", headers={"Authorization": f"Basic {small.admin_key}"}), 401)
    refused(http.ask("GET", "/api/orgs", headers={"Cookie": f"x-api-key={small.admin_key}"}), 401)


def test_the_header_x_api_key_wins_over_a_bearer_token(small: Served) -> None:
    known = {"Authorization": f"Bearer {small.admin_key}"}
    refused(Http(small.url, "oc_live_unknown").ask("GET", "/api/orgs", headers=known), 401)


def test_a_key_that_this_server_revokes_is_refused_at_once(server: Served) -> None:
    admin, _ = clients(server)
    key, key_id = new_key(admin, "member")
    agent = admin.with_key(key)
    assert agent.ask("GET", "/api/actions").status == 200
    admin.made("DELETE", f"/api/orgs/{DEFAULT_ORG}/keys/{key_id}")
    refused(agent.ask("GET", "/api/actions"), 401)


def test_a_key_that_another_process_revokes_is_refused_within_a_second(tmp_path: Path) -> None:
    now = 100.0
    with served(str(tmp_path / "dashclaw.db")) as there:
        admin, _ = clients(there)
        key, key_id = new_key(admin, "member")
        runtime = Runtime.open(str(tmp_path / "dashclaw.db"))
        try:
            keyring = Keyring(runtime, None, clock=lambda: now)
            assert keyring.caller(key, "POST") == Caller(DEFAULT_ORG, key_id, "member", "api_key")
            admin.made("DELETE", f"/api/orgs/{DEFAULT_ORG}/keys/{key_id}")
            now += CACHE_SECONDS
            with pytest.raises(Problem) as caught:
                keyring.caller(key, "POST")
        finally:
            runtime.close()
    assert (caught.value.status, caught.value.code) == (401, "INVALID_API_KEY")
    assert CACHE_SECONDS <= 1


def test_the_last_admin_key_stays(tmp_path: Path) -> None:
    with served(str(tmp_path / "dashclaw.db")) as found:
        admin, _ = clients(found)
        keys = admin.made("GET", f"/api/orgs/{DEFAULT_ORG}/keys")["keys"]
        last = next(row["id"] for row in keys if row["role"] == "admin")
        reply = admin.ask("DELETE", f"/api/orgs/{DEFAULT_ORG}/keys/{last}")
        assert refused(reply, 409)["code"] == "LAST_ADMIN_KEY"
        assert admin.ask("GET", "/api/orgs").status == 200


def test_a_key_is_shown_once_and_stored_as_a_hash(small: Served, things: Things) -> None:
    admin, _ = clients(small)
    key, _ = new_key(admin, "member")
    for path in (f"/api/orgs/{DEFAULT_ORG}/keys", "/api/activity", "/api/events"):
        assert key.encode() not in admin.ask("GET", path).raw
    assert key.encode() not in Path(str(small.runtime.store.url.database)).read_bytes()


def test_a_configured_key_is_the_operators(tmp_path: Path) -> None:
    with served(str(tmp_path / "dashclaw.db"), admin_key=ADMIN_KEY) as found:
        operator = Http(found.url, ADMIN_KEY)
        assert operator.made("GET", "/api/orgs")["organizations"][0]["id"] == DEFAULT_ORG
        refused(Http(found.url, ADMIN_KEY[:-1]).ask("GET", "/api/orgs"), 401)


def test_a_stored_key_keeps_its_role_when_it_is_also_configured(tmp_path: Path) -> None:
    path = str(tmp_path / "dashclaw.db")
    with served(path) as found:
        agent_key = found.agent_key
    with served(path, admin_key=agent_key) as found:
        refused(Http(found.url, agent_key).ask("GET", "/api/orgs"), 403)
