"""Approvals: given by a person, once, for what was asked, in time."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from dashclaw import DashClaw
from dashclaw.errors import DashClawError
from dashclaw.runtime.identity import Caller

from ..databases import database
from .conftest import ADMIN, World

DEPLOY = {"action_types": ["deploy"]}


def waiting(world: World, **fields: object) -> str:
    """Ask for an approval and return the action that waits."""
    status, answer = world.act("deploy", **fields)
    assert status == 202, answer
    found: str = answer["action_id"]
    return found


def decide(world: World, action_id: str, decision: str = "allow", caller: Caller = ADMIN) -> int:
    path = f"/api/actions/{action_id}/approve"
    return world.ask("POST", path, {"decision": decision}, caller=caller)[0]


def shown(world: World, action_id: str) -> dict[str, object]:
    action: dict[str, object] = world.ask("GET", f"/api/actions/{action_id}")[1]["action"]
    return action


def test_a_decision_about_what_changed_meanwhile_is_refused(world: World) -> None:
    world.policy("require_approval", DEPLOY)
    action_id = waiting(world)
    seen = shown(world, action_id)["updated_at"]
    assert world.ask("PATCH", f"/api/actions/{action_id}", {"output_summary": "More"})[0] == 200
    path = f"/api/actions/{action_id}/approve"
    body = {"decision": "allow", "if_updated_at": seen}
    status, answer = world.ask("POST", path, body, caller=ADMIN)
    assert (status, answer["code"]) == (409, "ACTION_CHANGED")
    now = shown(world, action_id)
    assert now["status"] == "pending_approval"
    status, answer = world.ask("POST", path, {**body, "if_updated_at": now["updated_at"]}, caller=ADMIN)
    assert (status, answer["action"]["status"]) == (200, "running")


@pytest.mark.parametrize(("after", "status"), [(59.9, 200), (60.1, 410)])
def test_an_approval_holds_to_the_second_that_was_asked_for(world: World, after: float, status: int) -> None:
    world.policy("require_approval", DEPLOY)
    action_id = waiting(world, approval_wait_seconds=60)
    world.clock.move(seconds=after)
    assert decide(world, action_id) == status


def test_the_usual_time_is_an_hour_unless_the_organisation_says_otherwise(world: World) -> None:
    world.policy("require_approval", DEPLOY)
    first = waiting(world)
    world.ask("PATCH", "/api/orgs/org_default", {"approval_seconds": 30}, caller=ADMIN)
    second = waiting(world)
    world.clock.move(seconds=31)
    assert decide(world, second) == 410
    world.clock.move(minutes=58)
    assert decide(world, first) == 200


def test_an_outcome_that_comes_after_the_approval_expired_is_refused_and_the_expiry_stays(world: World) -> None:
    world.policy("require_approval", DEPLOY)
    action_id = waiting(world, approval_wait_seconds=60)
    world.clock.move(seconds=61)
    status, answer = world.ask("PATCH", f"/api/actions/{action_id}", {"status": "cancelled"})
    assert (status, answer["code"]) == (409, "FINAL_STATE")
    _, log = world.ask("GET", "/api/activity", query={"action": "action.updated"})
    assert [(row["actor_id"], row["details"]["resolution"]) for row in log["logs"]] == [("expiry", "expired")]
    status, answer = world.ask("PATCH", f"/api/actions/{action_id}", {"output_summary": "Never ran"})
    assert (status, answer["action"]["resolution"]) == (200, "expired")


def test_an_expired_approval_is_announced_once_and_never_given(world: World) -> None:
    world.policy("require_approval", DEPLOY)
    action_id = waiting(world, approval_wait_seconds=5)
    world.clock.move(seconds=6)
    assert [decide(world, action_id) for _ in range(2)] == [410, 410]
    assert decide(world, action_id, "deny") == 410
    for state in ("running", "completed", "cancelled"):
        assert world.ask("PATCH", f"/api/actions/{action_id}", {"status": state})[0] == 409
    _, log = world.ask("GET", "/api/activity", query={"action": "action.updated"})
    assert [(row["actor_id"], row["details"]["resolution"]) for row in log["logs"]] == [("expiry", "expired")]
    assert waiting(world) != action_id


def test_expiry_shows_in_every_answer_without_anybody_deciding(world: World) -> None:
    world.policy("require_approval", DEPLOY)
    action_id = waiting(world, approval_wait_seconds=5)
    world.clock.move(seconds=5)
    _, listed = world.ask("GET", "/api/actions", query={"resolution": "expired"})
    assert [row["action_id"] for row in listed["actions"]] == [action_id]
    assert (listed["stats"]["pending_approval"], listed["stats"]["failed"]) == (0, 1)
    approval = listed["actions"][0]["approval"]
    assert approval["status"] == "expired"


def test_the_record_names_who_approved_and_why(world: World) -> None:
    world.policy("require_approval", DEPLOY)
    action_id = waiting(world)
    path = f"/api/actions/{action_id}/approve"
    _, answer = world.ask("POST", path, {"decision": "allow", "reasoning": "checked the plan"}, caller=ADMIN)
    approval = answer["action"]["approval"]
    assert (approval["status"], approval["by"], approval["reason"]) == ("approved", ADMIN.actor_id, "checked the plan")
    assert answer["action"]["approved_by"] == ADMIN.actor_id
    assert "checked the plan" in answer["action"]["reasoning"]
    _, log = world.ask("GET", "/api/activity", query={"action": "action.updated"})
    assert [(row["actor_id"], row["resource_id"]) for row in log["logs"]] == [(ADMIN.actor_id, action_id)]


@pytest.mark.parametrize(
    "changed",
    [
        {"declared_goal": "Ship everything"},
        {"risk_score": 90},
        {"systems_touched": ["production"]},
        {"reversible": False},
        {"agent_id": "agent-2"},
        {"metadata": {"target": "all"}},
        {"unknown_field": "x"},
    ],
)
def test_a_changed_body_does_not_ride_on_an_approval(world: World, changed: dict[str, object]) -> None:
    world.policy("require_approval", DEPLOY)
    assert decide(world, waiting(world)) == 200
    assert world.act("deploy", **changed)[0] == 202
    assert world.act("deploy")[0] == 201


def test_what_says_nothing_of_the_action_does_not_change_its_approval(world: World) -> None:
    world.policy("require_approval", DEPLOY)
    assert decide(world, waiting(world)) == 200
    more = {"action_id": "mine", "idempotency_key": "k", "timestamp_start": "2026-03-01T00:00:00Z"}
    assert world.act("deploy", approval_wait_seconds=60, **more)[0] == 201


def test_an_approval_is_used_by_one_guard_or_one_action_only(world: World) -> None:
    world.policy("require_approval", DEPLOY)
    first = waiting(world)
    assert decide(world, first) == 200
    body = {"action_type": "deploy", "declared_goal": "Find out", "agent_id": "agent-1"}
    assert world.ask("POST", "/api/guard", body)[1]["decision"] == "allow"
    assert world.ask("POST", "/api/guard", body)[1]["decision"] == "require_approval"
    assert world.act("deploy")[0] == 202
    assert shown(world, first)["status"] == "cancelled"
    _, log = world.ask("GET", "/api/activity", query={"action": "action.updated", "type": "action"})
    assert [row["details"]["status"] for row in log["logs"]] == ["cancelled", "running"]


def test_an_approval_does_not_lift_a_block(world: World) -> None:
    world.policy("require_approval", DEPLOY)
    assert decide(world, waiting(world)) == 200
    block = world.policy("block_action_type", DEPLOY)
    assert world.act("deploy")[0] == 403
    world.ask("DELETE", f"/api/policies/{block}", caller=ADMIN)
    assert world.act("deploy")[0] == 201


def test_an_operator_key_cannot_approve_what_it_asked_for_itself(world: World) -> None:
    world.policy("require_approval", DEPLOY)
    body = {"action_type": "deploy", "declared_goal": "Ship", "agent_id": "ops"}
    _, asked = world.ask("POST", "/api/actions", body, caller=ADMIN)
    assert decide(world, asked["action_id"]) == 403
    assert decide(world, asked["action_id"], "deny") == 403
    second = ADMIN._replace(actor_id="key_second_operator")
    assert decide(world, asked["action_id"], caller=second) == 200


def test_an_organisation_may_allow_self_approval_and_the_record_says_so(world: World) -> None:
    world.policy("require_approval", DEPLOY)
    world.ask("PATCH", "/api/orgs/org_default", {"self_approval": True}, caller=ADMIN)
    body = {"action_type": "deploy", "declared_goal": "Ship", "agent_id": "ops"}
    _, asked = world.ask("POST", "/api/actions", body, caller=ADMIN)
    assert decide(world, asked["action_id"]) == 200
    assert shown(world, asked["action_id"])["approval"]["self_approved"] is True  # type: ignore[index]
    assert decide(world, waiting(world, declared_goal="Other")) == 200


def test_only_one_of_two_deciders_at_once_decides(world: World) -> None:
    world.policy("require_approval", DEPLOY)
    for _ in range(5):
        action_id = waiting(world)
        with ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(partial(decide, world, action_id), ["allow", "deny"] * 2))
        assert sorted(answers) == [200, 409, 409, 409]
        world.ask("PATCH", f"/api/actions/{action_id}", {"status": "completed"})


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    with database(request.param, tmp_path) as found:
        yield found


def refused(claw: DashClaw, verb: str, path: str, body: dict[str, object]) -> int | None:
    """The status of a refusal, None when the call went through."""
    try:
        claw.request(verb, path, body=body)
    except DashClawError as error:
        return error.status
    return None


def try_everything(agent: DashClaw, action_id: str) -> None:
    """Every way in which an agent might release its own action, each refused."""
    path = f"/api/actions/{action_id}"
    for verb, at, body, status in (
        ("POST", f"{path}/approve", {"decision": "allow"}, 403),
        ("POST", f"/api/approvals/{action_id}", {"decision": "allow"}, 403),
        ("PATCH", path, {"status": "running"}, 409),
        ("PATCH", path, {"status": "completed"}, 409),
        ("POST", "/api/policies", {"name": "p", "policy_type": "allow_grant", "rules": DEPLOY}, 403),
        ("PATCH", "/api/orgs/org_default", {"self_approval": True}, 403),
        ("POST", "/api/orgs/org_default/keys", {"role": "admin"}, 403),
        ("POST", "/api/orgs", {"name": "Mine", "slug": "mine"}, 403),
    ):
        assert refused(agent, verb, at, body) == status, (verb, at)
    for field in ("approval_status", "decided_by", "resolution", "approval"):
        assert refused(agent, "PATCH", path, {field: "approved"}) is None
    assert agent.get_action(action_id)["action"]["status"] == "pending_approval"
    again = agent.create_action("deploy", "Ship it", status="running", action_id=f"{action_id}-again")
    assert again["action"]["status"] == "pending_approval"


def test_an_embedded_agent_cannot_approve_itself_by_any_way(url: str) -> None:
    with (
        DashClaw.local(url, agent_id="agent", self_approval=False, starter_policies=False) as agent,
        DashClaw.local(url, agent_id="other") as other,
        DashClaw.local(url, operator=True) as operator,
    ):
        operator.request(
            "POST", "/api/policies", body={"name": "p", "policy_type": "require_approval", "rules": DEPLOY}
        )
        action_id = agent.create_action("deploy", "Ship it")["action_id"]
        try_everything(agent, action_id)
        assert refused(other, "POST", f"/api/actions/{action_id}/approve", {"decision": "allow"}) == 403
        operator.approve_action(action_id, "allow")
        assert agent.get_action(action_id)["action"]["approved_by"] == "local:operator"


def test_tightening_holds_for_later_processes_whatever_they_ask_for(url: str) -> None:
    DashClaw.local(url, agent_id="agent", self_approval=False, starter_policies=False).close()
    code = (
        "import sys\n"
        "from dashclaw import DashClaw\n"
        "with DashClaw.local(sys.argv[1], agent_id='agent', self_approval=True) as claw:\n"
        "    made = claw.create_action('x', 'Wait for me', status='pending_approval')\n"
        "    try:\n"
        "        claw.approve_action(made['action_id'], 'allow')\n"
        "    except Exception as error:\n"
        "        print(getattr(error, 'code', error))\n"
    )
    done = subprocess.run([sys.executable, "-c", code, url], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "APPROVER_IDENTITY_REQUIRED\n"


def test_tightening_takes_the_rights_of_a_process_that_is_open_already(url: str) -> None:
    with DashClaw.local(url, agent_id="agent", starter_policies=False) as agent:
        agent.request("POST", "/api/policies", body={"name": "r", "policy_type": "require_approval", "rules": DEPLOY})
        action_id = agent.create_action("deploy", "Ship it")["action_id"]
        DashClaw.local(url, agent_id="other", self_approval=False).close()
        try_everything(agent, action_id)
        with DashClaw.local(url, operator=True) as operator:
            changes = operator.get_activity_logs(type="organization")["logs"]
        assert [row["details"]["settings"] for row in changes] == [{"self_approval": False}]
