"""Only a person releases what waits, once, and only what that person saw."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from typing import Any, NamedTuple

import pytest

from dashclaw.runtime.bootstrap import DEFAULT_ORG

from ..databases import database
from ..serving import served
from .support import Http, Reply, clients, refused

DEPLOY = {"action_type": "deploy", "declared_goal": "Ship 2.0", "agent_id": "agent-1"}
RESEARCH = {"action_type": "research", "declared_goal": "Find out", "agent_id": "agent-1"}


class Clock:
    """Time that only tests move; every look at it is a little later."""

    def __init__(self) -> None:
        self.now = datetime(2026, 3, 1, 12, 0, tzinfo=timezone.utc)
        self._lock = threading.Lock()

    def __call__(self) -> datetime:
        with self._lock:
            self.now += timedelta(microseconds=1)
            return self.now


class Pair(NamedTuple):
    """Two servers over one database: two operators and the agent, each on either server."""

    clock: Clock
    admin: Http
    agent: Http
    admin_there: Http
    agent_there: Http

    def asked(self, body: dict[str, Any] = DEPLOY, **fields: Any) -> str:
        """The id of an action that waits."""
        reply = self.agent.ask("POST", "/api/actions", {**body, **fields})
        assert reply.status == 202, reply
        found: str = reply.body["action_id"]
        return found

    def decide(self, action_id: str, decision: str = "allow") -> Reply:
        return self.admin.ask("POST", f"/api/actions/{action_id}/approve", {"decision": decision})

    def action(self, action_id: str) -> Any:
        return self.agent.made("GET", f"/api/actions/{action_id}")["action"]


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def servers(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    clock = Clock()
    with (
        database(request.param, tmp_path_factory.mktemp("pair")) as url,
        served(url, clock=clock) as here,
        served(url, clock=clock) as there,
    ):
        admin, agent = clients(here)
        admin_there, agent_there = clients(there)
        yield Pair(clock, admin, agent, admin_there, agent_there)


@pytest.fixture
def pair(servers: Pair) -> Iterator[Pair]:
    """The servers with one policy, under which a deployment waits; what the test added is removed."""
    servers.admin.made(
        "POST",
        "/api/policies",
        {"name": "ask", "policy_type": "require_approval", "rules": {"action_types": ["deploy"]}},
    )
    yield servers
    for policy in servers.admin.made("GET", "/api/policies")["policies"]:
        servers.admin.made("DELETE", f"/api/policies/{policy['id']}")
    servers.clock.now += timedelta(days=1)


def at_once(asks: list[Callable[[], Reply]]) -> list[Reply]:
    """The answers to requests that start together."""
    barrier = threading.Barrier(len(asks))

    def ask(one: Callable[[], Reply]) -> Reply:
        barrier.wait(20)
        return one()

    with ThreadPoolExecutor(len(asks)) as threads:
        return list(threads.map(ask, asks))


def approving(http: Http, action_id: str, decision: str = "allow") -> Callable[[], Reply]:
    return lambda: http.ask("POST", f"/api/actions/{action_id}/approve", {"decision": decision})


def test_of_two_operators_one_decides(pair: Pair) -> None:
    for first, second in (("allow", "deny"), ("allow", "allow"), ("deny", "deny"), ("deny", "allow")):
        action_id = pair.asked()
        replies = at_once([approving(pair.admin, action_id, first), approving(pair.admin_there, action_id, second)] * 3)
        assert sorted(reply.status for reply in replies) == [200, 409, 409, 409, 409, 409]
        for reply in replies:
            if reply.status == 409:
                assert refused(reply, 409)["code"] == "NOT_PENDING"
        won = next(reply.body["action"] for reply in replies if reply.status == 200)
        assert pair.action(action_id)["approval"] == won["approval"]
        pair.agent.ask("PATCH", f"/api/actions/{action_id}", {"status": "completed"})


def test_an_operators_denial_and_the_agents_cancellation_do_not_both_happen(pair: Pair) -> None:
    action_id = pair.asked()
    approve = approving(pair.admin, action_id)
    replies = at_once(
        [approve, lambda: pair.agent_there.ask("PATCH", f"/api/actions/{action_id}", {"status": "cancelled"})]
    )
    found = pair.action(action_id)
    if replies[0].status == 409:
        assert (found["status"], found["approved_by"]) == ("cancelled", None)
    else:
        assert replies[0].status == 200
        assert found["approved_by"]


ROUTES_OF_AN_AGENT: dict[str, tuple[str, str, dict[str, Any]]] = {
    "approve": ("POST", "/api/actions/{id}/approve", {"decision": "allow"}),
    "approve by the other path": ("POST", "/api/approvals/{id}", {"decision": "allow"}),
    "deny": ("POST", "/api/actions/{id}/approve", {"decision": "deny"}),
    "approve as somebody": ("POST", "/api/actions/{id}/approve", {"decision": "allow", "approved_by": "key_env"}),
    "run": ("PATCH", "/api/actions/{id}", {"status": "running"}),
    "complete": ("PATCH", "/api/actions/{id}", {"status": "completed"}),
    "fail": ("PATCH", "/api/actions/{id}", {"status": "failed"}),
    "set the approval": ("PATCH", "/api/actions/{id}", {"approval_status": "approved", "approved_by": "me"}),
    "set the approval as an object": ("PATCH", "/api/actions/{id}", {"approval": {"status": "approved"}}),
    "set the decision": ("PATCH", "/api/actions/{id}", {"decided_by": "me", "decision": "allow", "status": None}),
    "lengthen the wait": ("PATCH", "/api/actions/{id}", {"approval_expires_at": "2999-01-01T00:00:00Z"}),
    "take it over": ("PATCH", "/api/actions/{id}", {"created_by": "somebody", "agent_id": "another"}),
    "create it again as running": ("POST", "/api/actions", {**DEPLOY, "action_id": "{id}", "status": "running"}),
    "allow itself": ("PATCH", f"/api/orgs/{DEFAULT_ORG}", {"self_approval": True}),
    "make an operator's key": ("POST", f"/api/orgs/{DEFAULT_ORG}/keys", {"role": "admin"}),
    "make an organisation": ("POST", "/api/orgs", {"name": "Mine", "slug": "mine"}),
    "add a grant": (
        "POST",
        "/api/policies",
        {"name": "mine", "policy_type": "allow_grant", "rules": {"action_types": ["deploy"]}},
    ),
}


@pytest.mark.parametrize("route", ROUTES_OF_AN_AGENT)
def test_an_agent_cannot_approve_by_any_route(pair: Pair, route: str) -> None:
    action_id = pair.asked()
    before = pair.action(action_id)
    verb, path, body = ROUTES_OF_AN_AGENT[route]
    body = {name: value.replace("{id}", action_id) if isinstance(value, str) else value for name, value in body.items()}
    reply = pair.agent.ask(verb, path.replace("{id}", action_id), body)
    after = pair.action(action_id)
    for field in ("status", "resolution", "approval", "approved_by", "agent_id", "created_by"):
        assert after[field] == before[field], reply
    assert after["status"] == "pending_approval"
    if reply.status >= 400:
        refused(reply, 400, 403, 409)
    else:
        assert reply.body["warnings"]
    assert pair.agent.made("POST", "/api/guard", DEPLOY)["decision"] == "require_approval"


def test_another_agents_key_cannot_approve_either(pair: Pair) -> None:
    other = pair.admin.made("POST", f"/api/orgs/{DEFAULT_ORG}/keys", {"role": "member"})["api_key"]["key"]
    reply = pair.admin.with_key(other).ask("POST", f"/api/actions/{pair.asked()}/approve", {"decision": "allow"})
    answer = refused(reply, 403)
    assert answer["code"] == "APPROVER_IDENTITY_REQUIRED"
    assert answer["command"].startswith("dashclaw approvals approve act_")


def test_an_operator_cannot_approve_what_the_same_key_asked_unless_the_organisation_allows_it(pair: Pair) -> None:
    action_id = pair.admin.made("POST", "/api/actions", DEPLOY)["action_id"]
    assert refused(pair.decide(action_id), 403)["code"] == "APPROVER_IDENTITY_REQUIRED"
    pair.admin.made("PATCH", f"/api/orgs/{DEFAULT_ORG}", {"self_approval": True})
    try:
        assert pair.decide(action_id).body["action"]["approval"]["self_approved"] is True
    finally:
        pair.admin.made("PATCH", f"/api/orgs/{DEFAULT_ORG}", {"self_approval": False})


def test_a_callers_status_never_weakens_the_guard(pair: Pair) -> None:
    for status in ("running", "completed", "failed", "cancelled", "pending", "pending_approval"):
        reply = pair.agent.ask("POST", "/api/actions", {**DEPLOY, "status": status, "declared_goal": status})
        assert (reply.status, reply.body["action"]["status"]) == (202, "pending_approval")


def test_an_approval_that_was_used_does_not_work_twice(pair: Pair) -> None:
    action_id = pair.asked()
    assert pair.decide(action_id).status == 200
    assert pair.agent_there.made("POST", "/api/guard", DEPLOY)["decision"] == "allow"
    assert pair.agent.made("POST", "/api/guard", DEPLOY)["decision"] == "require_approval"
    assert pair.agent.ask("POST", "/api/actions", DEPLOY).status == 202
    spent = pair.action(action_id)
    assert spent["status"] == "cancelled"
    assert spent["approval"]["used_at"]
    refused(pair.agent.ask("PATCH", f"/api/actions/{action_id}", {"status": "completed"}), 409)


def test_an_approval_whose_action_has_started_releases_no_other(pair: Pair) -> None:
    for report in ({"status": "running"}, {"output_summary": "half way"}, {"status": "completed"}):
        action_id = pair.asked()
        assert pair.decide(action_id).status == 200
        pair.agent.made("PATCH", f"/api/actions/{action_id}", report)
        assert pair.agent.made("POST", "/api/guard", DEPLOY)["decision"] == "require_approval"


def test_an_approval_is_used_by_one_of_many_at_once(pair: Pair) -> None:
    assert pair.decide(pair.asked()).status == 200

    def ask(http: Http) -> Callable[[], Reply]:
        return lambda: http.ask("POST", "/api/actions", DEPLOY)

    replies = at_once([ask(pair.agent), ask(pair.agent_there)] * 4)
    assert sorted(reply.status for reply in replies) == [201] + [202] * 7


@pytest.mark.parametrize(
    "changed",
    [
        {"declared_goal": "Ship 2.1"},
        {"agent_id": "agent-2"},
        {"systems_touched": ["billing"]},
        {"risk_score": 1},
        {"reversible": False},
        {"metadata": {"target": "production"}},
        {"anything": "else"},
    ],
)
def test_a_changed_body_does_not_ride_on_an_old_approval(pair: Pair, changed: dict[str, Any]) -> None:
    action_id = pair.asked()
    assert pair.decide(action_id).status == 200
    other = {**DEPLOY, **changed}
    assert pair.agent.made("POST", "/api/guard", other)["decision"] == "require_approval"
    assert pair.agent_there.ask("POST", "/api/actions", other).status == 202
    assert pair.agent.made("POST", "/api/guard", DEPLOY)["decision"] == "allow"


def test_an_idempotency_key_does_not_carry_an_approval(pair: Pair) -> None:
    keyed = {**DEPLOY, "idempotency_key": "once"}
    action_id = pair.asked(keyed)
    assert pair.agent.made("POST", "/api/actions", keyed)["action_id"] == action_id
    assert pair.decide(action_id).status == 200
    pair.agent.made("PATCH", f"/api/actions/{action_id}", {"status": "running"})
    again = pair.agent.ask("POST", "/api/actions", keyed)
    assert (again.status, again.body["action_id"] != action_id) == (202, True)


def test_an_unused_approval_lapses(pair: Pair) -> None:
    assert pair.decide(pair.asked()).status == 200
    pair.clock.now += timedelta(minutes=16)
    assert pair.agent.made("POST", "/api/guard", DEPLOY)["decision"] == "require_approval"


def test_an_expired_approval_is_gone_for_good(pair: Pair) -> None:
    action_id = pair.asked(approval_wait_seconds=60)
    pair.clock.now += timedelta(seconds=61)
    for http in (pair.admin, pair.admin_there):
        reply = approving(http, action_id)()
        assert refused(reply, 410)["code"] == "APPROVAL_EXPIRED"
    found = pair.action(action_id)
    assert (found["status"], found["resolution"], found["approved_by"]) == ("failed", "expired", None)
    refused(pair.agent.ask("PATCH", f"/api/actions/{action_id}", {"status": "running"}), 409)
    assert pair.agent.made("POST", "/api/guard", DEPLOY)["decision"] == "require_approval"


def test_a_policy_changed_on_one_server_is_in_force_on_the_other_at_once(pair: Pair) -> None:
    policy = {"name": "block", "policy_type": "block_action_type", "rules": {"action_types": ["research"]}}

    def decided() -> list[str]:
        return [http.made("POST", "/api/guard", RESEARCH)["decision"] for http in (pair.agent, pair.agent_there)]

    assert decided() == ["allow", "allow"]
    for _ in range(5):
        made = pair.admin.made("POST", "/api/policies", policy)["policy"]["id"]
        assert decided() == ["block", "block"]
        pair.admin_there.made("PATCH", f"/api/policies/{made}", {"active": False})
        assert decided() == ["allow", "allow"]
        pair.admin_there.made("PATCH", f"/api/policies/{made}", {"active": True})
        assert decided() == ["block", "block"]
        pair.admin_there.made("DELETE", f"/api/policies/{made}")
        assert decided() == ["allow", "allow"]
    pair.admin_there.made("PATCH", f"/api/orgs/{DEFAULT_ORG}", {"kill_switch": True})
    assert decided() == ["block", "block"]
    pair.admin.made("PATCH", f"/api/orgs/{DEFAULT_ORG}", {"kill_switch": False})
    assert decided() == ["allow", "allow"]


def test_two_servers_see_each_others_decisions_and_events(pair: Pair) -> None:
    before = pair.admin_there.made("GET", "/api/events")["last_event_id"]
    while (page := pair.admin_there.made("GET", f"/api/events?after={before}"))["events"]:
        before = page["last_event_id"]
    decision = pair.agent.made("POST", "/api/guard", RESEARCH)["decision_id"]
    action_id = pair.asked()
    assert pair.decide(action_id).status == 200
    history = pair.agent_there.made("GET", "/api/guard")["decisions"]
    assert decision in [row["id"] for row in history]
    events = pair.admin_there.made("GET", f"/api/events?after={before}")["events"]
    assert [event["event"] for event in events] == [
        "guard.decision.created",
        "guard.decision.created",
        "action.created",
        "action.updated",
    ]
    assert pair.admin.made("GET", f"/api/events?after={before}")["events"] == events


def test_a_blocked_action_is_refused_in_the_one_shape(pair: Pair) -> None:
    policy = {"name": "block", "policy_type": "block_action_type", "rules": {"action_types": ["research"]}}
    pair.admin.made("POST", "/api/policies", policy)
    answer = refused(pair.agent.ask("POST", "/api/actions", RESEARCH), 403)
    assert (answer["code"], answer["action"]["status"]) == ("GUARD_BLOCKED", "blocked")
    assert answer["decision"]["decision"] == "block"


def test_a_rate_limit_counts_what_both_servers_decide(pair: Pair) -> None:
    rules = {"max_actions": 6, "window_minutes": 60, "action": "block"}
    pair.admin.made("POST", "/api/policies", {"name": "rate", "policy_type": "rate_limit", "rules": rules})
    body = {**RESEARCH, "agent_id": "the-busy"}

    def ask(http: Http) -> Callable[[], Reply]:
        return lambda: http.ask("POST", "/api/guard", body)

    replies = at_once([ask(pair.agent), ask(pair.agent_there)] * 5)
    decisions = [reply.body["decision"] for reply in replies]
    assert sorted(decisions) == ["allow"] * 6 + ["block"] * 4
