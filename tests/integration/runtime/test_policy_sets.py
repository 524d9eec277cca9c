"""Decisions name the policies that made them and can be decided again, whatever became of those policies."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select, update

from dashclaw.runtime.decisions import decide_and_record
from dashclaw.runtime.guard import Policy, RemoteAnswer
from dashclaw.runtime.inputs import NoInput
from dashclaw.runtime.operations import Invocation
from dashclaw.runtime.policy_sets import hash_of, policy_text, read_policy
from dashclaw.runtime.store import decisions as decision_rows
from dashclaw.runtime.store import orgs
from dashclaw.runtime.store.engine import decode, encode
from dashclaw.runtime.store.tables import events, guard_decisions, policies, policy_sets, policy_versions

from ...unit.guard.test_guard_properties import ANSWERS, CONTEXTS, policy
from .conftest import ADMIN, AGENT, World

Row = dict[str, Any]


def ask(world: World, action_type: str = "research", **fields: object) -> Row:
    status, decision = world.ask("POST", "/api/guard", {"action_type": action_type, "agent_id": "a", **fields})
    assert status == 200, decision
    assert isinstance(decision, dict)
    return decision


def again(world: World, decision_id: str) -> Row:
    status, found = world.ask("GET", f"/api/guard/decisions/{decision_id}")
    assert status == 200, found
    assert isinstance(found["reevaluated"], dict)
    return found["reevaluated"]


def stored_row(world: World, decision_id: str) -> Row:
    with world.runtime.store.read() as tx:
        found = tx.one(select(guard_decisions).where(guard_decisions.c.id == decision_id))
    assert found is not None
    return found


def event_data(world: World, decision_id: str) -> Row:
    with world.runtime.store.read() as tx:
        data: Row = json.loads(tx.scalar(select(events.c.data).where(events.c.resource_id == decision_id)))
    return data


def change_behind_the_api(world: World, statement: Any) -> None:
    with world.runtime.store.write("org_default") as tx:
        assert tx.execute(statement)


def counts(world: World) -> tuple[int, int]:
    with world.runtime.store.read() as tx:
        return len(tx.all(select(policy_sets.c.hash))), len(tx.all(select(policy_versions.c.hash)))


def test_a_decision_names_the_set_that_made_it(world: World) -> None:
    policy_id = world.policy("block_action_type", {"action_types": ["db.drop"]})
    decision = ask(world)
    with world.runtime.store.read() as tx:
        found = tx.one(select(policy_sets))
        version = tx.one(select(policy_versions))
    assert found is not None
    assert version is not None
    assert (found["hash"], hash_of(found["document"])) == (decision["policy_set"], decision["policy_set"])
    assert json.loads(found["document"])["policies"] == [version["hash"]]
    assert hash_of(version["document"]) == version["hash"]
    assert read_policy(version["document"]).id == policy_id
    assert ask(world)["policy_set"] == decision["policy_set"]
    assert counts(world) == (1, 1)
    assert world.ask("GET", "/api/guard")[1]["decisions"][0]["policy_set"] == decision["policy_set"]
    created = world.act()[1]
    assert created["decision"]["policy_set"] == decision["policy_set"]


def test_sets_and_versions_that_come_again_are_stored_once(world: World) -> None:
    policy_id = world.policy("block_action_type", {"action_types": ["db.drop"]})
    world.policy("warn_action_type", {"action_types": ["note"]})
    first = ask(world)["policy_set"]
    path = f"/api/policies/{policy_id}"
    world.ask("PATCH", path, {"active": False}, caller=ADMIN)
    second = ask(world)["policy_set"]
    world.ask("PATCH", path, {"active": True}, caller=ADMIN)
    assert ask(world)["policy_set"] == first
    assert second != first
    world.ask("PATCH", "/api/orgs/org_default", {"guard_degradation": "block"}, caller=ADMIN)
    assert ask(world)["policy_set"] not in (first, second)
    assert counts(world) == (3, 2)


def test_a_transaction_that_fails_leaves_no_set_behind_and_none_is_missed(world: World) -> None:
    world.policy("block_action_type", {"action_types": ["db.drop"]})

    def decide_once() -> str:
        body = {"action_type": "note", "agent_id": "a"}
        with world.runtime.store.write("org_default") as tx:
            call = Invocation(world.runtime, AGENT, {}, NoInput(), None, body)
            decision = decide_and_record(tx, call, body, "a")
            if failing:
                raise ZeroDivisionError
        return str(decision["policy_set"])

    failing = True
    with pytest.raises(ZeroDivisionError):
        decide_once()
    assert counts(world) == (0, 0)
    failing = False
    name = decide_once()
    assert counts(world) == (1, 1)
    failing = True
    with pytest.raises(ZeroDivisionError):
        decide_once()
    failing = False
    assert decide_once() == name
    assert counts(world) == (1, 1)


def test_the_event_finds_a_row_that_was_changed(world: World) -> None:
    world.policy("rate_limit", {"max_actions": 1, "window_minutes": 10})
    ask(world)
    decision_id = ask(world, declared_goal="Compare", reversible=True)["decision_id"]
    data, row = event_data(world, decision_id), stored_row(world, decision_id)
    assert data["policy_set"] == row["policy_set"]
    assert data["row"] == decision_rows.row_digest(row)
    assert encode(guard_decisions, decode(guard_decisions, row)) == row
    for name in decision_rows.FIXED_COLUMNS:
        value = row[name]
        for other in (None, "", 7, "x") if value is not None else ("", 0, "x"):
            if other != value:
                assert decision_rows.row_digest({**row, name: other}) != data["row"], name
    assert decision_rows.row_digest({**row, "action_id": "act_1"}) == data["row"]


def test_a_linked_action_leaves_the_digest_as_it_was(world: World) -> None:
    body = {"action_type": "research", "declared_goal": "Find out", "agent_id": "a"}
    decision_id = world.ask("POST", "/api/guard", body)[1]["decision_id"]
    world.ask("POST", "/api/actions", {**body, "decision_id": decision_id})
    row = stored_row(world, decision_id)
    assert row["action_id"] is not None
    assert decision_rows.row_digest(row) == event_data(world, decision_id)["row"]


def test_an_approval_that_was_used_is_part_of_the_decision(world: World) -> None:
    world.policy("require_approval", {"action_types": ["deploy"]})
    body = {"action_type": "deploy", "declared_goal": "Ship it", "agent_id": "a"}
    waiting = world.ask("POST", "/api/actions", body)[1]["action_id"]
    assert world.ask("POST", f"/api/actions/{waiting}/approve", {"decision": "allow"}, caller=ADMIN)[0] == 200
    status, created = world.ask("POST", "/api/actions", body)
    assert (status, created["decision"]["decision"]) == (201, "allow")
    found = again(world, created["decision"]["decision_id"])
    assert (found["same"], found["exact"], found["notes"]) == (True, True, [])
    assert found["evaluated"]["reasons"][-1].endswith(f"as {waiting}")


def test_masked_text_is_said(world: World) -> None:
    world.policy("require_approval", {"action_types": ["deploy"]})
    goal = "Use ghp_" + "a1B2" * 9
    found = again(world, ask(world, declared_goal=goal)["decision_id"])
    assert found["same"] is True
    assert found["exact"] is False
    assert found["notes"] == ["secrets were masked before it was stored: declared_goal"]


def test_another_engine_is_said(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.policy("block_action_type", {"action_types": ["db.drop"]})
    decision_id = ask(world, "db.drop")["decision_id"]
    monkeypatch.setattr("dashclaw.runtime.reevaluation.ENGINE", "2")
    found = again(world, decision_id)
    assert (found["same"], found["exact"]) == (True, False)
    assert found["notes"] == ["engine 1 decided then, engine 2 now"]


def test_a_changed_policy_version_is_found(world: World) -> None:
    world.policy("block_action_type", {"action_types": ["db.drop"]})
    decision_id = ask(world, "db.drop")["decision_id"]
    milder = policy_text(Policy("gp_1", "Milder", "warn_action_type", {"action_types": ["db.drop"]}))
    change_behind_the_api(world, update(policy_versions).values(document=milder))
    found = again(world, decision_id)
    assert (found["same"], found["exact"], found["evaluated"]) == (False, False, None)
    assert "it was changed" in found["notes"][0]
    change_behind_the_api(world, delete(policy_versions))
    assert "is not stored" in again(world, decision_id)["notes"][0]
    change_behind_the_api(world, update(policy_sets).values(document="{}"))
    assert "it was changed" in again(world, decision_id)["notes"][0]


def test_what_is_not_there_as_it_was_is_said(world: World) -> None:
    decision_id = ask(world)["decision_id"]
    change_behind_the_api(world, update(guard_decisions).values(facts="3"))
    assert again(world, decision_id)["notes"] == ["the recorded facts cannot be read"]
    change_behind_the_api(world, update(guard_decisions).values(context=None))
    assert again(world, decision_id)["notes"] == ["the action was erased from the record"]
    change_behind_the_api(world, update(guard_decisions).values(policy_set=None))
    assert again(world, decision_id)["notes"] == ["the decision was made before policy sets were recorded"]


def test_a_changed_decision_differs_from_what_its_policies_decide(world: World) -> None:
    world.policy("block_action_type", {"action_types": ["db.drop"]})
    decision_id = ask(world, "db.drop")["decision_id"]
    change_behind_the_api(world, update(guard_decisions).values(decision="allow"))
    found = again(world, decision_id)
    assert (found["same"], found["exact"], found["differences"]) == (False, True, ["decision"])


def test_decisions_of_other_organisations_are_not_there(world: World) -> None:
    decision_id = ask(world)["decision_id"]
    other = AGENT._replace(org_id="org_other")
    assert world.ask("GET", f"/api/guard/decisions/{decision_id}", caller=other)[0] == 404
    assert world.ask("GET", "/api/guard/decisions/gd_nothing")[0] == 404


def put_in_force(world: World, chosen: list[Policy]) -> None:
    """Replace every policy, readable or not."""
    with world.runtime.store.write("org_default") as tx:
        tx.execute(delete(policies))
        for number, one in enumerate(chosen):
            rules = [] if one.rules is None else one.rules
            row = {**one._asdict(), "rules": rules, "name": f"{one.name}{number}", "org_id": "org_default"}
            tx.insert(policies, {**row, "active": True, "created_at": tx.stamp, "updated_at": tx.stamp})
        orgs.bump_policies(tx, "org_default")


ACTIONS = st.lists(
    st.tuples(CONTEXTS, st.dictionaries(st.sampled_from([f"gp_{n}" for n in range(6)]), ANSWERS)),
    min_size=1,
    max_size=3,
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.lists(policy(), max_size=6, unique_by=lambda one: one.id),
    st.lists(policy(), max_size=2, unique_by=lambda one: one.id),
    ACTIONS,
    st.integers(0, 40),
    st.booleans(),
)
def test_every_decision_can_be_made_again_once_its_policies_are_gone(
    world: World,
    before: list[Policy],
    after: list[Policy],
    actions: list[tuple[Row, dict[str, RemoteAnswer]]],
    minutes: int,
    stopped: bool,
) -> None:
    world.clock.move(minutes=minutes)
    put_in_force(world, before)
    world.ask("PATCH", "/api/orgs/org_default", {"kill_switch": stopped and minutes > 30}, caller=ADMIN)
    usage = {"agent_id": "a", "tokens_in": 1, "tokens_out": 1, "model": "gpt-4o"}
    assert world.ask("POST", "/api/tokens", usage)[0] < 300
    made = []
    for context, answers in actions:
        agent_id = context.get("agent_id")
        call = Invocation(world.runtime, AGENT, {}, NoInput(), None, context, answers)
        with world.runtime.store.write("org_default") as tx:
            made.append(decide_and_record(tx, call, context, agent_id))
    put_in_force(world, after)
    for decision in made:
        found = again(world, decision["decision_id"])
        assert (found["differences"], found["exact"], found["notes"]) == ([], True, []), (decision, found, before)
        for name in ("decision", "reasons", "warnings", "matched_policies", "risk_score", "risk_breakdown"):
            assert found["evaluated"][name] == decision[name], name
        row = stored_row(world, decision["decision_id"])
        assert decision_rows.row_digest(row) == event_data(world, decision["decision_id"])["row"]
