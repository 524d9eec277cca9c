"""Ways to tamper with live rows, each with what must be found: the row by its id, and the column where there is one."""

from __future__ import annotations

import json

from sqlalchemy import Table, select

from dashclaw.runtime.store import tables as t
from dashclaw.runtime.store.action_digests import row_digest as action_digest

from ...keys import ed25519_pem
from .tampering import CASES, LATER, Attacker, Found, Sign, case

_D = t.guard_decisions.c


def _row(words: str) -> Found:
    return [Sign("row", None, None, words)]


def _decision(name: str, value: object) -> None:
    def change(a: Attacker) -> Found:
        row = a.row(t.guard_decisions)
        a.set(t.guard_decisions, row, **{name: value})
        return _row(f"decision {row['id']} is not what was recorded")

    CASES[f"decision_{name}"] = change


for _name, _value in {
    "created_at": LATER,
    "reasons": '["because"]',
    "warnings": '["careful"]',
    "risk_score": 99,
    "risk_breakdown": '{"base":99}',
    "decision": "warned",
    "context": '{"action_type":"other"}',
    "agent_id": "agent-9",
    "action_type": "other",
    "matched_policies": '["pol_1"]',
    "digest": "0" * 64,
    "facts": '{"count":1}',
    "degraded": 1,
    "policy_set": None,
}.items():
    _decision(_name, _value)


@case
def name_a_policy_set_that_is_not_there(a: Attacker) -> Found:
    row = a.row(t.guard_decisions)
    a.set(t.guard_decisions, row, policy_set="0" * 64)
    return [*_row(f"decision {row['id']} "), Sign("policy", None, None, row["id"])]


@case
def delete_decision(a: Attacker) -> Found:
    row = a.row(t.guard_decisions)
    a.drop(t.guard_decisions, row)
    return _row(f"decision {row['id']} is gone")


@case
def insert_decision(a: Attacker) -> Found:
    row = a.row(t.guard_decisions)
    at = a.chance.choice((row["created_at"], "2020-01-01T00:00:00.000000Z", LATER))
    a.add(t.guard_decisions, row, id="gd_slipped_in", created_at=at)
    return _row("decision gd_slipped_in was never recorded")


@case
def swap_two_decisions(a: Attacker) -> Found:
    one = a.row(t.guard_decisions)
    two = a.row(t.guard_decisions, _D.id != one["id"])
    for row, to in ((one, "gd_aside"), (two, one["id"]), (one | {"id": "gd_aside"}, two["id"])):
        a.set(t.guard_decisions, row, id=to)
    return [*_row(f"decision {one['id']} is not"), *_row(f"decision {two['id']} is not")]


@case
def move_decision_to_the_other_organisation(a: Attacker) -> Found:
    row = a.row(t.guard_decisions)
    a.set(t.guard_decisions, row, org_id=a.other)
    return _row(f"decision {row['id']} is gone")


def _live(table: Table, what: str, identity: str, name: str, value: object, shown: str | None = None) -> None:
    def change(a: Attacker) -> Found:
        row = a.row(table, table.c[name].is_distinct_from(value))
        a.set(table, row, **{name: value})
        text = f"{what} {row[identity]} differs from what was last recorded in "
        return [Sign("row", None, None, text), Sign("row", None, None, shown or name)]

    CASES[f"{table.name}_{name}"] = change


_live(t.actions, "action", "action_id", "status", "failed")
_live(t.actions, "action", "action_id", "declared_goal", "Another goal")
_live(t.actions, "action", "action_id", "risk_score", 1000)
_live(t.actions, "action", "action_id", "cost_estimate", 0.1 + 2**-50)
_live(t.actions, "action", "action_id", "metadata", '{"ticket":1}')
_live(t.actions, "action", "action_id", "created_at", LATER)
_live(t.actions, "action", "action_id", "created_by", "key_nobody")
_live(t.actions, "action", "action_id", "output_summary", "Done otherwise")
_live(t.actions, "action", "action_id", "digest", "0" * 64, "row")
_live(
    t.actions, "action", "action_id", "approval_needs", '[{"approvals_required":1,"approver_roles":["all"]}]', "differs"
)
_live(t.policies, "policy", "id", "rules", '{"threshold":100,"action":"warn"}')
_live(t.policies, "policy", "id", "active", 0)
_live(t.policies, "policy", "id", "agent_ids", '["agent-9"]')
_live(t.api_keys, "API key", "id", "role", "approver")
_live(t.api_keys, "API key", "id", "key_hash", "0" * 64, "check")
_live(t.api_keys, "API key", "id", "operator", "Mallory")
_live(t.identities, "identity", "id", "public_key", ed25519_pem(998), "public_key")
_live(t.identities, "identity", "id", "agent_id", "agent-9")
_live(t.identities, "identity", "id", "not_after", "2099-01-01T00:00:00.000000Z")


@case
def approve_by_hand(a: Attacker) -> Found:
    row = a.row(t.actions, t.actions.c.approval_status == "denied")
    a.set(t.actions, row, approval_status="approved")
    return _row(f"action {row['action_id']} differs from what was last recorded in approval, approved_by")


@case
def change_a_vote(a: Attacker) -> Found:
    row = a.row(t.approval_votes)
    a.set(t.approval_votes, row, actor_id="key_nobody")
    return _row(f"action {row['action_id']} differs from what was last recorded in approval")


@case
def add_a_vote(a: Attacker) -> Found:
    row = a.row(t.approval_votes)
    a.add(t.approval_votes, row, number=row["number"] + 1, person="operator:mallory")
    return _row(f"action {row['action_id']} differs from what was last recorded in approval")


@case
def take_votes_away(a: Attacker) -> Found:
    row = a.row(t.approval_votes)
    a.drop(t.approval_votes, row)
    return _row(f"action {row['action_id']} differs from what was last recorded in approval")


@case
def put_back_an_action_as_it_was_created(a: Attacker) -> Found:
    row = a.row(t.actions, t.actions.c.status == "completed")
    query = select(t.events.c.data).where(t.events.c.org_id == a.org_id, t.events.c.event == "action.created")
    told = json.loads(a.db.execute(query.where(t.events.c.resource_id == row["action_id"])).scalar_one())
    names = ("status", "output_summary", "timestamp_end", "duration_ms", "cost_estimate", "updated_at")
    a.set(t.actions, row, **{name: told[name] for name in names}, side_effects=None)
    assert action_digest(a.row(t.actions, t.actions.c.action_id == row["action_id"])) == told["row"]
    return _row(f"action {row['action_id']} differs from what was last recorded in ")


@case
def let_a_revoked_key_in_again(a: Attacker) -> Found:
    row = a.row(t.api_keys, t.api_keys.c.revoked_at.is_not(None))
    a.set(t.api_keys, row, revoked_at=None)
    return _row(f"API key {row['id']} differs from what was last recorded in revoked_at")


@case
def let_a_revoked_identity_in_again(a: Attacker) -> Found:
    row = a.row(t.identities, t.identities.c.revoked_at.is_not(None))
    a.set(t.identities, row, revoked_at=None, not_after="2026-01-01T00:00:00.000000Z", agent_id="agent-9")
    return _row(f"identity {row['id']} differs from what was last recorded in agent_id, not_after, revoked_at")


def _row_of(table: Table, what: str, identity: str, **values: object) -> None:
    def slip_in(a: Attacker) -> Found:
        a.add(table, a.row(table), **{identity: "slipped_in", **values})
        return _row(f"{what} slipped_in was never recorded")

    def remove(a: Attacker) -> Found:
        row = a.row(table)
        a.drop(table, row)
        return _row(f"{what} {row[identity]} is gone")

    CASES[f"{table.name}_insert"] = slip_in
    CASES[f"{table.name}_delete"] = remove


_row_of(t.actions, "action", "action_id")
_row_of(t.policies, "policy", "id", name="slipped in")
_row_of(t.api_keys, "API key", "id", key_hash="f" * 64)
_row_of(t.identities, "identity", "id", agent_id="agent-8")


def _document(table: Table, what: str) -> None:
    def change(a: Attacker) -> Found:
        row = a.row(table)
        a.set(table, row, document=row["document"].replace("{", "{ ", 1))
        return [Sign("policy", None, None, f"{what} {row['hash'][:16]}")]

    def remove(a: Attacker) -> Found:
        row = a.row(table)
        a.drop(table, row)
        return [Sign("policy", None, None, row["hash"][:16])]

    CASES[f"{table.name}_document"] = change
    CASES[f"{table.name}_delete"] = remove


_document(t.policy_versions, "policy")
_document(t.policy_sets, "set of policies")
