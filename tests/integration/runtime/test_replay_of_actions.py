"""The replay of an action is what the log says, whatever the tables say now."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import delete, select, update

from dashclaw._signing import load_signer, sign_body
from dashclaw.runtime.bootstrap import DEFAULT_ORG
from dashclaw.runtime.identity import Caller
from dashclaw.runtime.store import history
from dashclaw.runtime.store.tables import (
    actions,
    approval_votes,
    assumptions,
    events,
    guard_decisions,
    loops,
    policy_versions,
)

from ...keys import pem_of
from .conftest import ADMIN, World

RISKY = {"threshold": 80, "action": "require_approval"}


def replayed(world: World, action_id: str, caller: Caller = ADMIN) -> dict[str, Any]:
    status, found = world.ask("GET", f"/api/actions/{action_id}/replay", caller=caller)
    assert status == 200, found
    return dict(found)


def told(found: dict[str, Any]) -> list[tuple[str, str]]:
    return [(step["kind"], step["title"]) for step in found["steps"]]


def step(found: dict[str, Any], kind: str) -> dict[str, Any]:
    return next(step for step in found["steps"] if step["kind"] == kind)


def acted(world: World, **fields: Any) -> str:
    status, answer = world.act(**fields)
    assert status in (201, 202, 403), answer
    return str(answer["action_id"])


def decided(world: World, action_id: str, decision: str, caller: Caller = ADMIN) -> None:
    body = {"decision": decision, "reasoning": "Looked at it"}
    assert world.ask("POST", f"/api/actions/{action_id}/approve", body, caller=caller)[0] == 200


def ended(world: World, action_id: str, status: str = "completed", **fields: Any) -> None:
    assert world.ask("PATCH", f"/api/actions/{action_id}", {"status": status, **fields})[0] == 200


def change(world: World, statement: Any) -> None:
    with world.runtime.store.engine.begin() as connection:
        assert connection.execute(statement).rowcount > 0


def test_an_action_that_ran_is_told_from_intent_to_outcome(world: World) -> None:
    world.policy("warn_action_type", {"action_types": ["research"]}, name="Watch research")
    action_id = acted(world, declared_goal="Compare vendors", systems_touched=["crm"], reasoning="Asked by Ann")
    world.clock.move(seconds=2)
    ended(world, action_id, output_summary="Three found", duration_ms=1900, cost_estimate=0.25)
    found = replayed(world, action_id)
    assert told(found) == [
        ("intent", "Compare vendors"),
        ("policies", "1 policy matched"),
        ("decision", "Allowed with a warning"),
        ("action", "Started"),
        ("outcome", "Completed"),
    ]
    intent = step(found, "intent")["details"]
    assert (intent["agent_id"], intent["systems_touched"], intent["reasoning"]) == ("agent-1", ["crm"], "Asked by Ann")
    [policy] = step(found, "policies")["details"]["policies"]
    assert (policy["name"], len(policy["hash"])) == ("Watch research", 64)
    decision = step(found, "decision")["details"]
    assert decision["decision"] == "warn"
    assert decision["warnings"] == ["Watch research: warns about research"]
    assert decision["risk_breakdown"]["base"] > 0
    outcome = step(found, "outcome")
    assert outcome["details"]["output_summary"] == "Three found"
    assert (outcome["details"]["duration_ms"], outcome["details"]["cost_estimate"]) == (1900, 0.25)
    assert 2000 <= outcome["since_previous_ms"] < 2001
    assert outcome["actor"]["id"] == "key_agent"
    assert (found["missing"], found["differences"]) == ([], [])


def test_each_step_names_its_event(world: World) -> None:
    action_id = acted(world)
    ended(world, action_id)
    found = replayed(world, action_id)
    with world.runtime.store.read() as tx:
        names = {row["id"]: row["event"] for row in tx.all(select(events))}
    for one in found["steps"]:
        assert names[one["event"]["id"]] == one["event"]["name"]
    assert step(found, "decision")["event"]["name"] == "guard.decision.created"
    assert found["evidence"]["events"] == 3


def test_a_blocked_action_never_ran(world: World) -> None:
    world.policy("block_action_type", {"action_types": ["db.drop"]})
    found = replayed(world, acted(world, action_type="db.drop"))
    assert told(found)[-2:] == [("decision", "Blocked"), ("outcome", "Never ran: the guard blocked it")]


@pytest.mark.parametrize(
    ("decision", "wanted"),
    [
        ("allow", [("approval", "Approved by key_operator")]),
        ("deny", [("approval", "Denied by key_operator"), ("outcome", "Never ran: a person denied it")]),
    ],
)
def test_an_approval_tells_who_answered_and_why(world: World, decision: str, wanted: list[tuple[str, str]]) -> None:
    world.policy("risk_threshold", RISKY)
    action_id = acted(world, risk_score=90)
    world.clock.move(minutes=3)
    decided(world, action_id, decision)
    found = replayed(world, action_id)
    assert told(found)[2:] == [("decision", "A person has to approve"), ("approval", "A person was asked"), *wanted]
    answer = found["steps"][4]
    assert answer["details"]["reason"] == "Looked at it"
    assert answer["details"]["by"] == "key_operator"
    assert 180_000 <= answer["since_previous_ms"] < 180_001


def test_an_approval_that_nobody_gave_expires(world: World) -> None:
    world.policy("risk_threshold", RISKY)
    action_id = acted(world, risk_score=90, approval_wait_seconds=5)
    world.clock.move(minutes=1)
    world.ask("GET", "/api/actions")
    assert told(replayed(world, action_id))[-2:] == [
        ("approval", "Nobody decided in time"),
        ("outcome", "Never ran: nobody decided in time"),
    ]


def test_an_action_cancelled_while_it_waited_never_ran(world: World) -> None:
    world.policy("risk_threshold", RISKY)
    action_id = acted(world, risk_score=90)
    ended(world, action_id, "cancelled")
    assert told(replayed(world, action_id))[-1] == ("outcome", "Never ran: it was cancelled while it waited")


def test_an_approved_action_that_ran_has_used_its_approval(world: World) -> None:
    world.policy("risk_threshold", RISKY)
    action_id = acted(world, risk_score=90)
    decided(world, action_id, "allow")
    ended(world, action_id)
    assert told(replayed(world, action_id))[-2:] == [
        ("approval", "The approval was used: the action has begun"),
        ("outcome", "Completed"),
    ]


def test_an_approval_that_moved_to_an_identical_request_is_told_by_both(world: World) -> None:
    world.policy("risk_threshold", RISKY)
    first = acted(world, risk_score=90)
    decided(world, first, "allow")
    second = acted(world, risk_score=90)
    gave = replayed(world, first)
    assert told(gave)[-2:] == [
        ("approval", "The approval moved to an identical request"),
        ("outcome", "Never ran: its approval moved to another request"),
    ]
    assert gave["steps"][-2]["details"]["used_by"] == second
    took = replayed(world, second)
    assert told(took)[2:] == [
        ("decision", "Allowed"),
        ("approval", "Approved by key_operator"),
        ("approval", "The approval moved to an identical request"),
        ("action", "Started"),
    ]
    assert took["steps"][3]["details"]["given_to"] == first
    assert took["steps"][3]["record"] == {"type": "action", "id": first}


def test_loops_and_assumptions_stand_where_they_happened(world: World) -> None:
    action_id = acted(world)
    for field, path, body in (
        ("loop_id", "loops", {"loop_type": "followup", "description": "Tell Ann"}),
        ("assumption_id", "assumptions", {"assumption": "Prices hold"}),
    ):
        status, made = world.ask("POST", f"/api/actions/{path}", {"action_id": action_id, **body})
        assert status == 201
        world.clock.move(seconds=1)
        end = (
            {"status": "resolved", "resolution": "Told"}
            if path == "loops"
            else {
                "validated": False,
                "invalidated_reason": "New list",
            }
        )
        assert world.ask("PATCH", f"/api/actions/{path}/{made[field]}", end)[0] == 200
    ended(world, action_id)
    found = replayed(world, action_id)
    assert told(found)[4:] == [
        ("loop", "Loop opened"),
        ("loop", "Loop resolved"),
        ("assumption", "Assumption made"),
        ("assumption", "Assumption invalidated"),
        ("outcome", "Completed"),
    ]
    assert found["steps"][7]["details"]["invalidated_reason"] == "New list"
    ids = [one["event"]["id"] for one in found["steps"][4:]]
    assert ids == sorted(ids)
    assert found["differences"] == []


def test_parent_and_sub_actions_are_part_of_the_chain(world: World) -> None:
    parent = acted(world, declared_goal="Plan")
    action_id = acted(world, declared_goal="Do", parent_action_id=parent)
    child = acted(world, declared_goal="Check", parent_action_id=action_id)
    ended(world, child, "failed", error_message="No")
    found = replayed(world, action_id)
    assert told(found)[0] == ("parent", "Parent action recorded")
    assert found["steps"][0]["details"]["action_id"] == parent
    assert told(found)[-2:] == [("sub_action", "Sub-action recorded"), ("sub_action", "Sub-action failed")]
    assert found["steps"][-1]["tone"] == "bad"


def test_the_decision_of_an_earlier_question_is_found(world: World) -> None:
    body = {"action_type": "research", "declared_goal": "Find out", "agent_id": "agent-1"}
    _, decision = world.ask("POST", "/api/guard", body)
    world.clock.move(minutes=4)
    for number in range(5):
        world.ask("POST", "/api/guard", {**body, "declared_goal": f"Other {number}"})
    action_id = acted(world, decision_id=decision["decision_id"])
    found = replayed(world, action_id)
    assert step(found, "decision")["details"]["decision_id"] == decision["decision_id"]
    assert -240_001 < step(found, "policies")["since_previous_ms"] < -239_999
    assert (found["missing"], found["differences"]) == ([], [])


def test_a_decision_far_back_in_the_log_is_found_by_its_time(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "NEAR", 3)
    body = {"action_type": "research", "declared_goal": "Find out", "agent_id": "agent-1"}
    _, decision = world.ask("POST", "/api/guard", body)
    for number in range(40):
        world.ask("POST", "/api/guard", {**body, "declared_goal": f"Other {number}"})
    found = replayed(world, acted(world, decision_id=decision["decision_id"]))
    assert found["missing"] == []
    assert step(found, "decision")["details"]["decision_id"] == decision["decision_id"]


def test_a_changed_row_is_named_with_both_values(world: World) -> None:
    action_id = acted(world)
    ended(world, action_id, "failed", error_message="Disk full")
    change(
        world,
        update(actions).where(actions.c.action_id == action_id).values(status="completed", error_message=None),
    )
    found = replayed(world, action_id)
    [difference] = found["differences"]
    assert difference["record"] == {"type": "action", "id": action_id}
    assert {(field["name"], field["log"], field["stored"]) for field in difference["fields"]} == {
        ("status", "failed", "completed"),
        ("error_message", "Disk full", None),
    }
    assert told(found)[-1] == ("outcome", "Failed")


@pytest.mark.parametrize("column", ["reasons", "context", "risk_breakdown", "matched_policies"])
def test_a_changed_decision_is_noticed_whatever_was_changed(world: World, column: str) -> None:
    action_id = acted(world)
    change(world, update(guard_decisions).where(guard_decisions.c.action_id == action_id).values({column: '["x"]'}))
    if column == "risk_breakdown":
        change(world, update(guard_decisions).where(guard_decisions.c.action_id == action_id).values({column: "{}"}))
    [difference] = replayed(world, action_id)["differences"]
    assert difference["record"]["type"] == "decision"
    assert [field["name"] for field in difference["fields"]] == ["row"]


def test_a_changed_vote_is_noticed(world: World) -> None:
    world.policy("risk_threshold", RISKY)
    action_id = acted(world, risk_score=90)
    decided(world, action_id, "allow")
    change(world, update(approval_votes).values(actor_id="key_somebody"))
    [difference] = replayed(world, action_id)["differences"]
    assert [field["name"] for field in difference["fields"]] == ["approval.votes"]


def test_a_changed_policy_text_is_not_believed(world: World) -> None:
    world.policy("warn_action_type", {"action_types": ["research"]}, name="Watch research")
    action_id = acted(world)
    change(world, update(policy_versions).values(document='{"name": "Harmless"}'))
    found = replayed(world, action_id)
    assert any("it was changed" in sentence for sentence in found["missing"])
    assert [policy["name"] for policy in step(found, "policies")["details"]["policies"]] == ["Watch research"]


def test_removed_rows_are_replayed_from_the_log(world: World) -> None:
    action_id = acted(world)
    world.ask(
        "POST", "/api/actions/loops", {"action_id": action_id, "loop_type": "question", "description": "Who pays?"}
    )
    world.ask("POST", "/api/actions/assumptions", {"action_id": action_id, "assumption": "Somebody"})
    child = acted(world, parent_action_id=action_id)
    for table in (loops, assumptions, actions):
        change(world, delete(table))
    found = replayed(world, action_id)
    assert [kind for kind, _ in told(found)] == [
        "intent",
        "policies",
        "decision",
        "action",
        "loop",
        "assumption",
        "sub_action",
    ]
    assert found["steps"][-1]["record"]["id"] == child
    gone = {(one["record"]["type"], one["problem"]) for one in found["differences"]}
    assert gone == {("action", "missing"), ("loop", "missing"), ("assumption", "missing")}


def test_an_action_whose_events_are_forgotten_says_so(world: World) -> None:
    action_id = acted(world, declared_goal="Long ago")
    change(world, delete(events))
    found = replayed(world, action_id)
    assert (found["steps"], found["differences"]) == ([], [])
    assert "retention has forgotten it" in found["missing"][0]
    assert found["action"]["declared_goal"] == "Long ago"


def test_an_action_whose_first_event_is_forgotten_is_told_from_the_rest(world: World) -> None:
    action_id = acted(world, declared_goal="Half")
    ended(world, action_id)
    change(world, delete(events).where(events.c.event == "action.created"))
    found = replayed(world, action_id)
    assert "The event of its creation is gone" in found["missing"][0]
    assert step(found, "intent")["details"]["declared_goal"] == "Half"


def test_verified_signatures_stand_beside_what_they_sign(world: World) -> None:
    key = Ed25519PrivateKey.generate()
    identity = {"agent_id": "agent-1", "public_key": pem_of(key.public_key()), "algorithm": "Ed25519"}
    assert world.ask("POST", "/api/identities", identity, caller=ADMIN)[0] == 200

    def signed(body: dict[str, Any]) -> dict[str, Any]:
        return sign_body(body, load_signer(key), now=lambda: world.clock.now, nonce=lambda: uuid.uuid4().hex)

    body = signed({"action_type": "research", "declared_goal": "Find out", "agent_id": "agent-1"})
    status, made = world.ask("POST", "/api/actions", body)
    assert status == 201, made
    world.clock.move(seconds=1)
    outcome = signed({"status": "completed", "agent_id": "agent-1"})
    status, answer = world.ask("PATCH", f"/api/actions/{made['action_id']}", outcome)
    assert status == 200, answer
    found = replayed(world, made["action_id"])
    assert [kind for kind, _ in told(found)] == [
        "intent",
        "signature",
        "policies",
        "decision",
        "action",
        "outcome",
        "signature",
    ]
    first = found["steps"][1]
    assert (first["title"], first["event"]["name"]) == ("Signed by agent-1", "signature.verified")
    assert (first["details"]["algorithm"], first["details"]["replay_protected"]) == ("Ed25519", True)
    assert found["steps"][-1]["details"]["operation"] == "update_outcome"


def test_an_erased_text_is_gone_and_the_replay_says_by_whom_and_why(world: World) -> None:
    world.policy("risk_threshold", RISKY)
    action_id = acted(world, risk_score=90, declared_goal="Call Ann Smith")
    decided(world, action_id, "allow")
    loop = {"action_id": action_id, "loop_type": "question", "description": "Is Ann Smith in?"}
    world.ask("POST", "/api/actions/loops", loop)
    ended(world, action_id, output_summary="Ann Smith was out")
    world.clock.move(days=1)
    body = {"action_id": action_id, "reason": "Ann Smith's request"}
    status, answer = world.ask("POST", "/api/evidence/erase", body, caller=ADMIN)
    assert status == 200, answer
    found = replayed(world, action_id)
    erasure = step(found, "erasure")
    assert erasure["title"] == "Text was erased by key_operator"
    assert erasure["details"].pop("reason") == "Ann Smith's request"
    erasure["details"].clear()
    assert "Ann" not in str(found)
    assert step(found, "intent")["details"]["agent_id"] == "agent-1"
    assert step(found, "decision")["details"]["decision"] == "require_approval"
    assert told(found)[-1] == ("outcome", "After the erasure: completed")
    assert ("loop", "A loop whose text was erased") in told(found)
    assert found["evidence"]["erased"] >= 3
    assert found["evidence"]["unlinked"] == 0
    assert (found["missing"], found["differences"]) == ([], [])


def test_other_organisations_see_nothing(world: World) -> None:
    action_id = acted(world)
    _, org = world.ask("POST", "/api/orgs", {"name": "Other", "slug": "other"}, caller=ADMIN)
    stranger = Caller(org["organization"]["id"], "key_stranger", "admin")
    status, answer = world.ask("GET", f"/api/actions/{action_id}/replay", caller=stranger)
    assert (status, answer["code"]) == (404, "NOT_FOUND")
    assert world.ask("GET", "/api/actions/act_no/replay", caller=ADMIN)[0] == 404
    reader = Caller(DEFAULT_ORG, "key_reader", "readonly")
    assert replayed(world, action_id, reader)["action_id"] == action_id


def test_records_of_other_kinds_with_the_same_id_do_not_mix_in(world: World) -> None:
    action_id = acted(world, action_id="same")
    other = acted(world)
    body = {"action_id": other, "loop_type": "question", "description": "Who?", "loop_id": "same"}
    assert world.ask("POST", "/api/actions/loops", body)[0] == 201
    assert [kind for kind, _ in told(replayed(world, action_id))] == ["intent", "policies", "decision", "action"]


def test_the_events_of_a_record_are_read_from_their_index(world: World) -> None:
    with world.runtime.store.engine.connect() as connection:
        explain = "EXPLAIN QUERY PLAN" if world.runtime.store.dialect == "sqlite" else "EXPLAIN"
        if explain == "EXPLAIN":
            connection.exec_driver_sql("SET enable_seqscan = off")
        plan = connection.exec_driver_sql(
            f"{explain} SELECT * FROM events WHERE org_id = 'o' AND resource_id = 'r' "
            "AND event <> 'guard.decision.created' ORDER BY id"
        ).all()
    assert "events_by_record" in str(plan)
