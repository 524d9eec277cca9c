"""Votes over HTTP: where they came from, and people who vote at once on two servers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from dashclaw import ApprovalTimeoutError, DashClaw
from dashclaw.runtime.bootstrap import DEFAULT_ORG, SYSTEM
from dashclaw.runtime.keys import new_key
from dashclaw.runtime.store import orgs

from ..databases import database
from ..serving import served
from .support import Http, clients, refused
from .test_approvals import DEPLOY, approving, at_once

KEYS = f"/api/orgs/{DEFAULT_ORG}/keys"


class Office(NamedTuple):
    """Two servers over one database, the agent, and people with keys of their own."""

    admin: Http
    admin_there: Http
    agent: Http
    stranger: Http
    people: list[Http]

    def asked(self) -> str:
        """The id of an action that waits for five people of security."""
        reply = self.agent.ask("POST", "/api/actions", DEPLOY)
        assert reply.status == 202, reply
        found: str = reply.body["action_id"]
        return found

    def approval(self, action_id: str) -> Any:
        return self.admin.made("GET", f"/api/actions/{action_id}")["action"]["approval"]


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def office(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    rules = {"action_types": ["deploy"], "approvals_required": 5, "approver_roles": ["security"]}
    with (
        database(request.param, tmp_path_factory.mktemp("office")) as url,
        served(url) as here,
        served(url) as there,
    ):
        admin, agent = clients(here)
        admin_there, _ = clients(there)
        admin.made("POST", "/api/policies", {"name": "Five", "policy_type": "require_approval", "rules": rules})
        people = []
        for number in range(8):
            body = {"operator": f"person {number}", "approver_roles": ["security"]}
            key = admin.made("POST", KEYS, body)["api_key"]["key"]
            people.append((admin if number % 2 else admin_there).with_key(key))
        stranger = SYSTEM._replace(org_id="org_other")
        with here.runtime.store.write("org_other") as tx:
            orgs.insert(tx, "org_other", "Other", "other")
            other, _ = new_key(tx, stranger, "admin", None, approver_roles=["security"])
        yield Office(admin, admin_there, agent, admin.with_key(other), people)


def test_people_who_vote_at_once_are_counted_exactly(office: Office) -> None:
    for _ in range(3):
        action_id = office.asked()
        replies = at_once([approving(person, action_id) for person in office.people])
        assert sorted(reply.status for reply in replies) == [200] * 5 + [409] * 3
        left = sorted(reply.body["action"]["approval"]["remaining"] for reply in replies if reply.status == 200)
        assert left == [0, 1, 2, 3, 4]
        found = office.approval(action_id)
        assert (found["status"], len(found["votes"])) == ("approved", 5)
        assert len({vote["by"] for vote in found["votes"]}) == 5
        office.agent.made("PATCH", f"/api/actions/{action_id}", {"status": "completed"})


def test_one_person_at_once_with_two_keys_is_one_vote(office: Office) -> None:
    body = {"operator": "Person 0", "approver_roles": ["security"]}
    second = office.admin.with_key(office.admin.made("POST", KEYS, body)["api_key"]["key"])
    action_id = office.asked()
    replies = at_once([approving(person, action_id) for person in (office.people[0], second)] * 3)
    assert [reply.status for reply in replies] == [200] * 6
    assert len(office.approval(action_id)["votes"]) == 1
    assert refused(approving(second, action_id, "deny")(), 409)["code"] == "ALREADY_VOTED"


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ({}, ("api", {"address": "127.0.0.1"})),
        ({"User-Agent": "x" * 300}, ("api", {"address": "127.0.0.1", "user_agent": "x" * 256})),
        ({"X-DashClaw-Channel": "cli"}, ("cli", {"address": "127.0.0.1"})),
        ({"X-DashClaw-Channel": "local"}, ("api", {"address": "127.0.0.1"})),
        # The server of these tests trusts a proxy on this machine, as uvicorn does unless it is told otherwise.
        ({"X-Forwarded-For": "192.0.2.9"}, ("api", {"address": "192.0.2.9"})),
    ],
)
def test_a_vote_keeps_where_it_came_from(office: Office, sent: dict[str, str], kept: tuple[str, Any]) -> None:
    action_id = office.asked()
    path = f"/api/actions/{action_id}/approve"
    reply = office.people[0].ask("POST", path, {"decision": "allow"}, headers=sent)
    [vote] = reply.body["action"]["approval"]["votes"]
    assert (vote["how"], vote["from"]) == kept


def test_the_client_of_the_package_names_itself(office: Office) -> None:
    with DashClaw(office.people[0].url, office.people[0].key) as person:
        action = person.approve_action(office.asked(), "allow")["action"]
    assert action["approval"] is not None
    [vote] = action["approval"]["votes"]
    assert vote["from"]["user_agent"].startswith("dashclaw-python/")
    assert action["status"] == "pending_approval"


def test_an_agent_goes_on_waiting_until_the_last_approval(office: Office) -> None:
    with DashClaw(office.agent.url, office.agent.key, agent_id="agent-1") as agent:
        action_id = agent.create_action("deploy", "Ship 3.0")["action_id"]
        for person in office.people[:4]:
            assert approving(person, action_id)().status == 200
        with pytest.raises(ApprovalTimeoutError):
            agent.wait_for_approval(action_id, timeout=0.1)
        assert approving(office.people[4], action_id)().status == 200
        found = agent.wait_for_approval(action_id, timeout=20)
    assert found["action"]["approval"] is not None
    assert len(found["action"]["approval"]["votes"]) == 5


def test_an_approver_of_another_organisation_sees_and_decides_nothing(office: Office) -> None:
    action_id = office.asked()
    refused(approving(office.stranger, action_id)(), 404)
    refused(office.stranger.ask("GET", f"/api/actions/{action_id}"), 404)
    assert office.approval(action_id)["votes"] == []


def test_a_body_cannot_claim_an_approver(office: Office) -> None:
    action_id = office.asked()
    claimed = {"decision": "allow", "approver_roles": ["security"], "operator": "person 5", "votes": []}
    reply = office.admin.ask("POST", f"/api/actions/{action_id}/approve", claimed)
    assert refused(reply, 403)["code"] == "APPROVER_ROLE_REQUIRED"
    forged = {"approval": {"required": [], "votes": []}, "approval_needs": [], "votes": []}
    office.agent.made("PATCH", f"/api/actions/{action_id}", forged)
    assert office.approval(action_id)["required"][0]["approvals_required"] == 5


def test_a_revoked_key_votes_no_more_and_its_vote_stays(office: Office) -> None:
    made = office.admin.made("POST", KEYS, {"operator": "leaver", "approver_roles": ["security"]})["api_key"]
    leaver = office.admin.with_key(made["key"])
    action_id = office.asked()
    assert approving(leaver, action_id)().status == 200
    office.admin.made("DELETE", f"{KEYS}/{made['id']}")
    refused(approving(leaver, office.asked())(), 401)
    assert [vote["name"] for vote in office.approval(action_id)["votes"]] == ["leaver"]
