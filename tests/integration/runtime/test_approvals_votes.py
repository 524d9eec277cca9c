"""Several people approve one action: who counts for what, and what is kept of them."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from typing import Any

import pytest
from sqlalchemy import delete, select, update

from dashclaw.runtime.identity import Caller, Origin
from dashclaw.runtime.store.tables import actions, approval_votes

from .conftest import ADMIN, AGENT, World

ORIGIN = Origin("api", "192.0.2.7", "curl/8.5")
TWO_OF = {"action_types": ["deploy"], "approvals_required": 2}


def person(name: str, *roles: str, role: str = "member", **fields: Any) -> Caller:
    """A person with a key of their own."""
    return ADMIN._replace(
        actor_id=f"key_{name}",
        role=role,  # type: ignore[arg-type]
        operator=f"{name}@example.com",
        approver_roles=roles,
        origin=ORIGIN,
        **fields,
    )


ANA, BEN, EVE = person("ana", "security"), person("ben", "security"), person("eve", "finance")
BOSS = person("boss", role="admin")


def vote(world: World, action_id: str, caller: Caller, decision: str = "allow", **fields: Any) -> tuple[int, Any]:
    body = {"decision": decision, **fields}
    return world.ask("POST", f"/api/actions/{action_id}/approve", body, caller=caller)


def waiting(world: World, **fields: Any) -> str:
    status, answer = world.act("deploy", **fields)
    assert status == 202, answer
    found: str = answer["action_id"]
    return found


def approval(world: World, action_id: str) -> Any:
    return world.ask("GET", f"/api/actions/{action_id}")[1]["action"]["approval"]


def stored(world: World) -> list[dict[str, Any]]:
    with world.runtime.store.read() as tx:
        return tx.all(select(approval_votes).order_by(approval_votes.c.created_at))


def test_an_action_waits_until_enough_people_have_approved(world: World) -> None:
    policy = world.policy("require_approval", TWO_OF, name="Two admins")
    action_id = waiting(world)
    second = BOSS._replace(actor_id="key_second", operator="second@example.com")
    status, first = vote(world, action_id, BOSS, reasoning="read the plan")
    found = first["action"]["approval"]
    assert (status, first["action"]["status"], found["status"]) == (200, "pending_approval", "pending")
    assert (found["by"], found["remaining"], first["action"]["approved_by"]) == (None, 1, None)
    assert found["required"] == [
        {
            "policy_id": policy,
            "policy": "Two admins",
            "approvals_required": 2,
            "approver_roles": ["admin"],
            "given": 1,
        }
    ]
    status, last = vote(world, action_id, second)
    found = last["action"]["approval"]
    assert (status, last["action"]["status"], found["status"]) == (200, "running", "approved")
    assert (found["by"], found["remaining"], found["required"][0]["given"]) == ("key_second", 0, 2)
    assert last["action"]["approved_by"] == "key_second"
    assert approval(world, action_id) == found
    assert "[Approved by key_boss: read the plan]\n[Approved by key_second]" in last["action"]["reasoning"]


def test_a_vote_says_who_from_where_how_when_and_about_what(world: World) -> None:
    world.policy("require_approval", {**TWO_OF, "approver_roles": ["security"]})
    action_id = waiting(world)
    _, answer = vote(world, action_id, ANA, reasoning="checked")
    [said] = [dict(said) for said in answer["action"]["approval"]["votes"]]
    digest = said.pop("digest")
    at = said.pop("at")
    assert said == {
        "by": "key_ana",
        "name": "ana@example.com",
        "actor_type": "api_key",
        "role": "member",
        "approver_roles": ["security"],
        "self": False,
        "decision": "allow",
        "from": {"address": "192.0.2.7", "user_agent": "curl/8.5"},
        "how": "api",
        "reason": "checked",
    }
    [row] = stored(world)
    assert (row["digest"], row["created_at"], row["person"]) == (digest, at, "operator:ana@example.com")
    with world.runtime.store.read() as tx:
        action = tx.one(select(actions))
    assert action is not None
    assert action["digest"] == digest
    _, log = world.ask("GET", "/api/activity", query={"action": "action.updated"})
    assert [row["actor_id"] for row in log["logs"]] == ["key_ana"]
    assert log["logs"][0]["details"]["approval"]["votes"] == answer["action"]["approval"]["votes"]


def test_secrets_in_a_reason_are_masked_in_the_vote(world: World) -> None:
    world.policy("require_approval", TWO_OF)
    secret = "AKIA" + "IOSFODNN7EXAMPLE"
    vote(world, waiting(world), BOSS, reasoning=f"the key is {secret}")
    assert secret not in str(stored(world))


@pytest.mark.parametrize(
    "again",
    [BOSS, BOSS._replace(actor_id="key_laptop"), BOSS._replace(actor_id="key_phone", operator=" Boss@Example.COM ")],
    ids=["the same key", "another key", "another spelling"],
)
def test_a_person_votes_once(world: World, again: Caller) -> None:
    world.policy("require_approval", TWO_OF)
    action_id = waiting(world)
    assert vote(world, action_id, BOSS)[0] == 200
    status, repeated = vote(world, action_id, again)
    assert (status, repeated["action"]["approval"]["remaining"]) == (200, 1)
    status, refused = vote(world, action_id, again, "deny")
    assert (status, refused["code"]) == (409, "ALREADY_VOTED")
    assert len(stored(world)) == 1
    assert approval(world, action_id)["status"] == "pending"


def test_each_policy_counts_its_own_people(world: World) -> None:
    security = world.policy("require_approval", {**TWO_OF, "approver_roles": ["security"]}, name="A")
    finance = world.policy("risk_threshold", {"threshold": 50, "action": "require_approval"}, name="B")
    world.policy("require_approval", {"action_types": ["other"], "approvals_required": 9}, name="C")
    action_id = waiting(world, risk_score=60)
    asked = approval(world, action_id)
    assert [need["policy_id"] for need in asked["required"]] == [security, finance]
    assert asked["remaining"] == 2
    both = person("both", "security", role="admin")
    remaining = []
    for caller in (BOSS, both):
        _, answer = vote(world, action_id, caller)
        given = [need["given"] for need in answer["action"]["approval"]["required"]]
        remaining.append((given, answer["action"]["approval"]["remaining"]))
    assert remaining == [([0, 1], 2), ([1, 2], 1)]
    assert vote(world, action_id, ANA)[1]["action"]["status"] == "running"


def test_who_has_none_of_the_roles_does_not_count(world: World) -> None:
    world.policy("require_approval", {**TWO_OF, "approver_roles": ["security", "legal"]})
    action_id = waiting(world)
    for caller in (EVE, BOSS):
        status, refused = vote(world, action_id, caller)
        assert (status, refused["code"]) == (403, "APPROVER_ROLE_REQUIRED")
        assert refused["approver_roles"] == ["legal", "security"]
    assert vote(world, action_id, EVE, "deny")[0] == 403
    other_agent = AGENT._replace(actor_id="key_other_agent")
    assert vote(world, action_id, other_agent)[1]["code"] == "APPROVER_IDENTITY_REQUIRED"
    assert stored(world) == []


@pytest.mark.parametrize("caller", [ANA, BOSS], ids=["an approver", "an operator"])
def test_one_denial_denies(world: World, caller: Caller) -> None:
    world.policy("require_approval", {**TWO_OF, "approver_roles": ["security"]})
    action_id = waiting(world)
    assert vote(world, action_id, BEN)[0] == 200
    _, answer = vote(world, action_id, caller, "deny", reasoning="not today")
    found = answer["action"]
    assert (found["status"], found["resolution"], found["error_message"]) == ("failed", "denied", "not today")
    assert (found["approval"]["by"], found["approved_by"]) == (caller.actor_id, None)
    assert [said["decision"] for said in found["approval"]["votes"]] == ["allow", "deny"]
    assert vote(world, action_id, person("dan", "security"))[1]["code"] == "NOT_PENDING"


def test_the_creator_does_not_approve_by_another_key_of_the_same_operator(world: World) -> None:
    world.policy("require_approval", {"action_types": ["deploy"], "approver_roles": ["security"]})
    keys = [
        world.ask(
            "POST",
            "/api/orgs/org_default/keys",
            {"operator": name, "approver_roles": ["security"]},
            caller=ADMIN,
        )[1]["key"]
        for name in ("Ana Lopez", "ANA  lopez", "Ben")
    ]
    callers = [
        AGENT._replace(actor_id=key["id"], operator=key["operator"], approver_roles=tuple(key["approver_roles"]))
        for key in keys
    ]
    body = {"action_type": "deploy", "declared_goal": "Ship", "agent_id": "ops"}
    _, asked = world.ask("POST", "/api/actions", body, caller=callers[0])
    for own in callers[:2]:
        status, refused = vote(world, asked["action_id"], own)
        assert (status, refused["code"]) == (403, "APPROVER_IDENTITY_REQUIRED")
    _, answer = vote(world, asked["action_id"], callers[2])
    assert (answer["action"]["status"], answer["action"]["approval"]["self_approved"]) == ("running", False)


def test_a_self_approval_is_one_vote_of_several_and_stays_marked(world: World) -> None:
    world.policy("require_approval", TWO_OF)
    world.ask("PATCH", "/api/orgs/org_default", {"self_approval": True}, caller=ADMIN)
    body = {"action_type": "deploy", "declared_goal": "Ship", "agent_id": "ops"}
    _, asked = world.ask("POST", "/api/actions", body, caller=ADMIN)
    _, first = vote(world, asked["action_id"], ADMIN)
    assert first["action"]["status"] == "pending_approval"
    _, second = vote(world, asked["action_id"], BOSS)
    found = second["action"]["approval"]
    assert (found["self_approved"], [said["self"] for said in found["votes"]]) == (True, [True, False])


def test_what_an_approval_takes_is_frozen_when_the_action_comes_to_wait(world: World) -> None:
    policy = world.policy("require_approval", TWO_OF)
    action_id = waiting(world)
    rules = {"action_types": ["deploy"], "approvals_required": 1, "approver_roles": ["security"]}
    world.ask("PATCH", f"/api/policies/{policy}", {"rules": rules}, caller=ADMIN)
    assert vote(world, action_id, ANA)[1]["code"] == "APPROVER_ROLE_REQUIRED"
    assert vote(world, action_id, BOSS)[1]["action"]["approval"]["remaining"] == 1


def test_half_an_approval_is_never_used_and_a_whole_one_once(world: World) -> None:
    world.policy("require_approval", {**TWO_OF, "approver_roles": ["security"]})
    action_id = waiting(world)
    body = {"action_type": "deploy", "declared_goal": "Find out", "agent_id": "agent-1"}
    assert vote(world, action_id, ANA)[0] == 200
    asked = world.ask("POST", "/api/guard", body)[1]
    assert (asked["decision"], asked["approvals"][0]["approvals_required"]) == ("require_approval", 2)
    assert world.ask("PATCH", f"/api/actions/{action_id}", {"status": "running"})[0] == 409
    assert vote(world, action_id, BEN)[0] == 200
    used = world.ask("POST", "/api/guard", body)[1]
    assert (used["decision"], "approvals" in used) == ("allow", False)
    assert world.ask("POST", "/api/guard", body)[1]["decision"] == "require_approval"


def test_an_approval_is_not_used_where_the_policies_ask_for_more_by_now(world: World) -> None:
    world.policy("require_approval", {"action_types": ["deploy"]})
    assert vote(world, waiting(world), BOSS)[1]["action"]["status"] == "running"
    later = world.policy("require_approval", {"action_types": ["deploy"], "approver_roles": ["security"]})
    assert world.act("deploy")[0] == 202
    world.ask("DELETE", f"/api/policies/{later}", caller=ADMIN)
    assert world.act("deploy")[0] == 201


def test_an_agent_that_asks_for_a_person_gets_an_operator(world: World) -> None:
    status, answer = world.act("research", status="pending_approval")
    found = answer["action"]["approval"]
    assert (status, found["remaining"]) == (202, 1)
    assert found["required"][0] == {
        "policy_id": None,
        "policy": None,
        "approvals_required": 1,
        "approver_roles": ["admin"],
        "given": 0,
    }
    assert "approvals" not in answer["decision"]
    assert vote(world, answer["action_id"], ANA)[1]["code"] == "APPROVER_ROLE_REQUIRED"
    assert vote(world, answer["action_id"], BOSS)[1]["action"]["status"] == "running"


def test_an_action_that_waited_before_there_were_votes_takes_one_operator(world: World) -> None:
    world.policy("require_approval", TWO_OF)
    waits, done = waiting(world), waiting(world, declared_goal="Other")
    vote(world, done, BOSS)
    vote(world, done, ADMIN)
    with world.runtime.store.write(AGENT.org_id) as tx:
        tx.execute(update(actions).values(approval_needs=None))
        tx.execute(delete(approval_votes))
    found = approval(world, done)
    assert (found["status"], found["required"], found["remaining"], found["votes"]) == ("approved", [], 0, [])
    assert vote(world, waits, ANA)[0] == 403
    assert vote(world, waits, BOSS)[1]["action"]["status"] == "running"


def test_votes_given_before_it_expired_stay_with_the_action(world: World) -> None:
    world.policy("require_approval", TWO_OF)
    action_id = waiting(world, approval_wait_seconds=5)
    assert vote(world, action_id, BOSS)[0] == 200
    world.clock.move(seconds=6)
    status, gone = vote(world, action_id, ADMIN)
    assert (status, gone["code"]) == (410, "APPROVAL_EXPIRED")
    found = approval(world, action_id)
    assert (found["status"], found["remaining"], [said["by"] for said in found["votes"]]) == (
        "expired",
        1,
        ["key_boss"],
    )


def test_votes_at_once_count_exactly(world: World) -> None:
    world.policy("require_approval", {**TWO_OF, "approvals_required": 5, "approver_roles": ["security"]})
    crowd = [person(f"p{number}", "security") for number in range(8)]
    for _ in range(3):
        action_id = waiting(world)
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda caller, action_id=action_id: vote(world, action_id, caller), crowd))  # type: ignore[misc]
        assert sorted(status for status, _ in answers) == [200] * 5 + [409] * 3
        left = sorted(body["action"]["approval"]["remaining"] for status, body in answers if status == 200)
        assert left == [0, 1, 2, 3, 4]
        found = approval(world, action_id)
        assert (found["status"], len(found["votes"]), len({said["by"] for said in found["votes"]})) == (
            "approved",
            5,
            5,
        )
        world.ask("PATCH", f"/api/actions/{action_id}", {"status": "completed"})


def test_a_list_shows_the_votes_of_each_action(world: World) -> None:
    world.policy("require_approval", TWO_OF)
    first, second = waiting(world), waiting(world, declared_goal="Other")
    vote(world, first, BOSS)
    _, page = world.ask("GET", "/api/actions", query={"status": "pending_approval"})
    assert {row["action_id"]: len(row["approval"]["votes"]) for row in page["actions"]} == {first: 1, second: 0}


VOTE = """
import sys
from dashclaw import DashClaw

with DashClaw.local(sys.argv[1], agent_id=sys.argv[2], operator=True) as claw:
    print(claw.approve_action(sys.argv[3], "allow")["action"]["approval"]["remaining"])
"""


def test_processes_that_vote_at_once_are_all_counted(world: World) -> None:
    world.policy("require_approval", {**TWO_OF, "approvals_required": 3})
    # The processes look at the real clock.
    world.clock.now = datetime.now(timezone.utc)
    action_id = waiting(world)
    running = [
        subprocess.Popen([sys.executable, "-c", VOTE, world.url, name, action_id], stdout=subprocess.PIPE, text=True)
        for name in ("ana", "ben", "eve")
    ]
    printed = [process.communicate(timeout=60)[0] for process in running]
    assert [process.returncode for process in running] == [0, 0, 0]
    assert sorted(printed) == ["0\n", "1\n", "2\n"]


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"approver_roles": ["admin"]}, "approver_roles"),
        ({"approver_roles": ["member"]}, "approver_roles"),
        ({"approver_roles": ["Security"]}, "approver_roles"),
        ({"approver_roles": [""]}, "approver_roles"),
        ({"approver_roles": "security"}, "approver_roles"),
        ({"approver_roles": [f"r{number}" for number in range(21)]}, "approver_roles"),
        ({"approver_roles": ["security"], "role": "readonly"}, "approver_roles"),
        ({"operator": ""}, "operator"),
        ({"operator": "x" * 257}, "operator"),
    ],
)
def test_a_key_with_wrong_roles_is_refused(world: World, fields: dict[str, Any], field: str) -> None:
    status, answer = world.ask("POST", "/api/orgs/org_default/keys", fields, caller=ADMIN)
    assert (status, answer["fields"][0]["field"]) == (400, field)


def test_a_key_keeps_its_operator_and_roles(world: World) -> None:
    body = {"operator": "Ana", "approver_roles": ["security", "finance", "security"], "label": "laptop"}
    _, made = world.ask("POST", "/api/orgs/org_default/keys", body, caller=ADMIN)
    _, listed = world.ask("GET", "/api/orgs/org_default/keys", caller=ADMIN)
    for key in (made["key"], listed["keys"][0]):
        assert (key["operator"], key["approver_roles"]) == ("Ana", ["finance", "security"])
    _, log = world.ask("GET", "/api/activity", query={"action": "key.created"}, caller=ADMIN)
    assert log["logs"][0]["details"]["operator"] == "Ana"
