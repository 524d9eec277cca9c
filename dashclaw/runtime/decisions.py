"""Decide about one body and record the decision, in one transaction."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from dashclaw._canonical import digest as canonical_digest

from .clock import ago
from .guard import BudgetNeed, Decision, Facts, Needs, RemoteAnswer, decide
from .lifecycle import publish
from .prices import dollars
from .redaction import redact_fields
from .store import actions as action_rows
from .store import decisions as rows
from .store import tokens as token_rows
from .store.tables import DECISION_MADE

if TYPE_CHECKING:
    from .operations import Invocation
    from .policy_cache import Governance
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
        return canonical_digest(asked)
    except ValueError:
        # An integer beyond 2**53 has no canonical form; spelled out in full it is as unambiguous.
        return hashlib.sha256(json.dumps(asked, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


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
    known = {**context, "agent_id": agent_id}
    digest = body_digest(call.raw)
    earlier = _earlier(tx, call, agent_id, digest) if action_id is not None and "decision_id" in call.raw else None
    verdict = decide(known, governance.policies, _facts(tx, call, governance, known, earlier))
    approval = _use_approval(tx, call, verdict, agent_id, digest)
    if approval is not None:
        verdict = verdict._replace(decision="allow", reasons=(*verdict.reasons, _approved_by(approval)))
    elif earlier is not None and earlier["decision"] == verdict.decision:
        rows.link(tx, call.caller.org_id, earlier["id"], action_id or "")
        return _wire(earlier["id"], earlier["created_at"], verdict, digest, None)
    decision_id = "gd_" + os.urandom(12).hex()
    _record(tx, call, decision_id, verdict, known, digest, action_id)
    return _wire(decision_id, tx.stamp, verdict, digest, approval)


def _facts(
    tx: Tx, call: Invocation, governance: Governance, context: Mapping[str, Any], earlier: Mapping[str, Any] | None
) -> Facts:
    settings = governance.settings
    fallback = settings.get("guard_degradation") or call.runtime.settings.guard_degradation
    kill_switch = bool(settings.get("kill_switch"))
    if governance.policies.needs_nothing:
        return Facts(on_failure=fallback, kill_switch=kill_switch)
    needs: Needs = governance.policies.needs(context)
    agent_id = context["agent_id"]
    but = earlier["id"] if earlier else ""
    counts = {
        need.policy_id: rows.count_in_window(
            tx, call.caller.org_id, agent_id, need.window_minutes, need.max_actions, but
        )
        for need in needs.rate_limits
    }
    remotes: Mapping[str, RemoteAnswer] = call.prepared or {}
    spent = _spent(tx, call.caller.org_id, agent_id, needs.budgets)
    return Facts(counts=counts, remotes=remotes, on_failure=fallback, kill_switch=kill_switch, spent=spent)


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
    if approved is None:
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


def _approved_by(approval: Mapping[str, Any]) -> str:
    return f"Approved by {approval['decided_by']} as {approval['action_id']}"


def _record(
    tx: Tx,
    call: Invocation,
    decision_id: str,
    verdict: Decision,
    context: Mapping[str, Any],
    digest: str,
    action_id: str | None,
) -> None:
    kept, _ = redact_fields(dict(context), _FREE_TEXT)
    row = {
        "id": decision_id,
        "org_id": call.caller.org_id,
        "agent_id": context["agent_id"],
        "action_type": context["action_type"],
        "decision": verdict.decision,
        "risk_score": verdict.risk_score,
        "risk_breakdown": dict(verdict.risk_breakdown),
        "reasons": verdict.reasons,
        "warnings": verdict.warnings,
        "matched_policies": verdict.matched_policies,
        "context": {name: value for name, value in kept.items() if value is not None},
        "digest": digest,
        "degraded": verdict.degraded,
        "action_id": action_id,
        "created_at": tx.stamp,
    }
    rows.record(tx, row)
    data = {
        "decision_id": decision_id,
        "decision": verdict.decision,
        "action_type": context["action_type"],
        "action_id": action_id,
        "agent_id": context["agent_id"],
        "risk_score": verdict.risk_score,
    }
    tx.emit(call.caller, DECISION_MADE, "decision", decision_id, data, context["agent_id"])


def _wire(
    decision_id: str, at: str, verdict: Decision, digest: str, approval: Mapping[str, Any] | None
) -> dict[str, Any]:
    found = {
        "decision": verdict.decision,
        "decision_id": decision_id,
        "reason": next(iter(verdict.reasons or verdict.warnings), None),
        "reasons": list(verdict.reasons),
        "warnings": list(verdict.warnings),
        "matched_policies": list(verdict.matched_policies),
        "risk_score": verdict.risk_score,
        "risk_breakdown": dict(verdict.risk_breakdown),
        "degraded": verdict.degraded,
        "recorded": True,
        "evaluated_at": at,
        "digest": digest,
    }
    if approval is not None:
        found["approval"] = {"action_id": approval["action_id"], "by": approval["decided_by"]}
    return found
