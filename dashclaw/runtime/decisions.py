"""Decide about one body and record the decision, in one transaction."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from dashclaw._canonical import canonical

from .approvers import met, need_row
from .clock import ago
from .guard import BudgetNeed, Decision, Facts, Needs, PolicySet, decide
from .lifecycle import publish
from .prices import dollars
from .recorded_facts import approved_by, pack
from .redaction import redact_fields
from .store import actions as action_rows
from .store import decisions as rows
from .store import tokens as token_rows
from .store.tables import DECISION_MADE

if TYPE_CHECKING:
    from .operations import Invocation
    from .store.engine import Tx

# What may differ between an approved body and the one that uses the approval.
_OUTSIDE_DIGEST = frozenset(
    {
        "_signature",
        "_nonce",
        "_signed_at",
        "idempotency_key",
        "action_id",
        "decision_id",
        "timestamp_start",
        "timestamp_end",
        "approval_wait_seconds",
        "client_capabilities",
    }
)
_FREE_TEXT = ("declared_goal", "reasoning", "input_summary", "authorization_scope", "trigger", "target", "metadata")
REUSE_MINUTES = 5


class StaleGovernanceError(Exception):
    """The policies changed between preparing and deciding, and now ask for facts that were not fetched."""


def body_digest(body: Mapping[str, Any]) -> str:
    """SHA-256 over the canonical JSON of what a person approves."""
    asked = {name: value for name, value in body.items() if name not in _OUTSIDE_DIGEST and value is not None}
    try:
        text = canonical(asked)
    except ValueError:
        # An integer beyond 2**53 has no canonical form; spelled out in full it is as unambiguous.
        text = json.dumps(asked, sort_keys=True, separators=(",", ":")).encode()
    return sha256(text).hexdigest()


def decide_and_record(
    tx: Tx, call: Invocation, context: Mapping[str, Any], agent_id: str | None, action_id: str | None = None
) -> dict[str, Any]:
    """Return the wire form of the decision about `context`; its row, counters and event are part of `tx`.

    A `decision_id` in the body names a decision just made about the same body: when it still stands it is
    used instead of a second one. A granted approval of the same body turns require_approval into allow, once.
    """
    governance = call.runtime.policies.get(tx, call.caller.org_id)
    if governance.policies.asks_remotes and call.prepared is None:
        raise StaleGovernanceError
    # The trace is kept with what was decided about, and is no part of the digest: an approval covers it in any trace.
    known = {**call.trace, **context, "agent_id": agent_id}
    digest = body_digest(call.raw)
    earlier = _earlier(tx, call, agent_id, digest) if action_id is not None and "decision_id" in call.raw else None
    facts = governance.facts
    if not governance.policies.needs_nothing:
        facts = facts._replace(remotes=call.prepared or {})
        facts = look_up(tx, call.caller.org_id, governance.policies, facts, known, but=earlier["id"] if earlier else "")
    verdict = decide(known, governance.policies, facts)
    approval = _use_approval(tx, call, verdict, agent_id, digest)
    if approval is not None:
        verdict = with_approval(verdict, approved_by(approval))
    elif earlier is not None and earlier["decision"] == verdict.decision:
        rows.link(tx, call.caller.org_id, earlier["id"], action_id or "")
        return _wire(earlier, verdict, None)
    kept, security = redact_fields(known, _FREE_TEXT)
    masked = () if security["clean"] else [name for name in _FREE_TEXT if kept.get(name) != known.get(name)]
    plain = facts is governance.facts and approval is None and not masked
    row = {
        "id": "gd_" + os.urandom(12).hex(),
        "digest": digest,
        "policy_set": call.runtime.policies.keep(tx, call.caller.org_id, governance),
        "facts": None if plain else pack(facts, approval, masked),
        "action_id": action_id,
        "created_at": tx.stamp,
    }
    _record(tx, call, row, verdict, kept)
    return _wire(row, verdict, approval)


def look_up(tx: Tx, org_id: str, policies: PolicySet, facts: Facts, context: Mapping[str, Any], but: str = "") -> Facts:
    """The facts with the counts and the budgets that the policies need; the decision `but` does not count."""
    needs: Needs = policies.needs(context)
    agent_id = context["agent_id"]
    counts = {
        need.policy_id: rows.count_in_window(tx, org_id, agent_id, need.window_minutes, need.max_actions, but)
        for need in needs.rate_limits
    }
    return facts._replace(counts=counts, spent=_spent(tx, org_id, agent_id, needs.budgets))


def _spent(tx: Tx, org_id: str, agent_id: str, budgets: tuple[BudgetNeed, ...]) -> dict[str, float]:
    windows = {need.window_minutes for need in budgets}
    used = {minutes: token_rows.in_window(tx, org_id, agent_id, minutes) for minutes in windows}
    return {
        need.policy_id: dollars(used[need.window_minutes].cost) if need.in_dollars else used[need.window_minutes].tokens
        for need in budgets
    }


def _earlier(tx: Tx, call: Invocation, agent_id: str | None, digest: str) -> dict[str, Any] | None:
    """The decision that a pre-check made about this very body, if it is fresh and unused."""
    found = rows.find(tx, call.caller.org_id, str(call.raw["decision_id"]))
    if found is None or found["action_id"] is not None:
        return None
    same = found["digest"] == digest and found["agent_id"] == agent_id
    return found if same and found["created_at"] > ago(tx.now, minutes=REUSE_MINUTES) else None


def _use_approval(
    tx: Tx, call: Invocation, verdict: Decision, agent_id: str | None, digest: str
) -> dict[str, Any] | None:
    if verdict.decision != "require_approval" or agent_id is None:
        return None
    since = ago(tx.now, minutes=call.runtime.settings.consume_minutes)
    approved = action_rows.consumable(tx, call.caller.org_id, agent_id, digest, since)
    # The policies may ask for more people by now than the approval had.
    if approved is None or not met(verdict.approvals, approved["votes"]):
        return None
    # The approval moves to the new request; the action it was given for can no longer start.
    spent = {
        "approval_consumed_at": tx.stamp,
        "status": "cancelled",
        "error_message": "Never started; its approval was used by an identical request",
        "timestamp_end": tx.stamp,
        "updated_at": tx.stamp,
    }
    after = action_rows.change(tx, approved, spent)
    publish(tx, call.caller, "action.updated", after)
    return after


def with_approval(verdict: Decision, reason: str) -> Decision:
    """The verdict once a person's approval of the same body is used."""
    return verdict._replace(decision="allow", reasons=(*verdict.reasons, reason), approvals=())


def _record(tx: Tx, call: Invocation, row: dict[str, Any], verdict: Decision, context: Mapping[str, Any]) -> None:
    row |= {
        "org_id": call.caller.org_id,
        "agent_id": context["agent_id"],
        "action_type": context["action_type"],
        "decision": verdict.decision,
        "risk_score": verdict.risk_score,
        "risk_breakdown": verdict.risk_breakdown,
        "reasons": verdict.reasons,
        "warnings": verdict.warnings,
        "matched_policies": verdict.matched_policies,
        "context": {name: value for name, value in context.items() if value is not None},
        "degraded": verdict.degraded,
    }
    data = {
        "decision_id": row["id"],
        "decision": verdict.decision,
        "action_type": context["action_type"],
        "action_id": row["action_id"],
        "agent_id": context["agent_id"],
        "risk_score": verdict.risk_score,
        "policy_set": row["policy_set"],
        "row": rows.record(tx, row),
    }
    tx.emit(call.caller, DECISION_MADE, "decision", row["id"], data, context["agent_id"])


def _wire(row: Mapping[str, Any], verdict: Decision, approval: Mapping[str, Any] | None) -> dict[str, Any]:
    found = {
        "decision": verdict.decision,
        "decision_id": row["id"],
        "reason": next(iter(verdict.reasons or verdict.warnings), None),
        "reasons": list(verdict.reasons),
        "warnings": list(verdict.warnings),
        "matched_policies": list(verdict.matched_policies),
        "risk_score": verdict.risk_score,
        "risk_breakdown": dict(verdict.risk_breakdown),
        "degraded": verdict.degraded,
        "recorded": True,
        "evaluated_at": row["created_at"],
        "digest": row["digest"],
        "policy_set": row["policy_set"],
    }
    if verdict.approvals:
        found["approvals"] = [need_row(need) for need in verdict.approvals]
    if approval is not None:
        found["approval"] = {"action_id": approval["action_id"], "by": approval["decided_by"]}
    return found
