"""Try an action on the policies in force or on a draft; nothing is recorded and nobody outside is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..approvers import need_row
from ..decisions import look_up
from ..guard import Policy, compile_policies, preliminary
from ..inputs import Flag, Input, Name, read_input
from ..operations import Invocation, Operation
from ..policy_trial import explain
from ..store import policies as policy_rows
from .guard import GuardInput
from .policy_testing import read_import
from .simulation import drawn, together

if TYPE_CHECKING:
    from ..runtime import Runtime


class TrialInput(Input):
    """An action as the guard is asked about it; a pack or a YAML text is tried with the active policies or alone."""

    context: dict[str, Any]
    pack: Name | None = None
    yaml: str | None = None
    with_current: Flag = True


def attempt(runtime: Runtime, call: Invocation) -> dict[str, Any]:
    """Decide as the guard would now; everything is read in one snapshot, before any writer has to wait."""
    body: TrialInput = call.body
    asked = read_input(GuardInput, body.context)
    context = {**asked.given(), **asked.unknown, "agent_id": asked.agent_id}
    own: list[Policy] = []
    if body.pack is not None or body.yaml is not None:
        own = drawn(read_import(runtime, call)[0])
    org_id = call.caller.org_id
    with runtime.store.read() as tx:
        policies, replaced = together(policy_rows.active(tx, org_id) if body.with_current else [], own)
        compiled = compile_policies(policies)
        facts = runtime.policies.get(tx, org_id).facts
        if not compiled.needs_nothing:
            facts = look_up(tx, org_id, compiled, facts, context)
        at = tx.stamp
    verdict = preliminary(context, compiled, facts)
    outcomes = explain(policies, context, facts)
    return {
        "decision": verdict.decision,
        "reason": next(iter(verdict.reasons or verdict.warnings), None),
        "reasons": list(verdict.reasons),
        "warnings": list(verdict.warnings),
        "matched_policies": list(verdict.matched_policies),
        "risk_score": verdict.risk_score,
        "risk_breakdown": dict(verdict.risk_breakdown),
        "degraded": verdict.degraded,
        "approvals": [need_row(need) for need in verdict.approvals],
        "policies": [outcome._asdict() for outcome in outcomes],
        "not_asked": [outcome.name for outcome in outcomes if outcome.matched is None],
        "kill_switch": facts.kill_switch,
        "replaced": replaced,
        "recorded": False,
        "evaluated_at": at,
    }


def answer(_tx: Any, call: Invocation) -> Any:
    """What was found out before."""
    return call.prepared


OPERATIONS = (
    Operation(
        "try_policies",
        "POST",
        "/api/policies/try",
        answer,
        "Try an action on policies and say which match and why; records nothing",
        "policy testing",
        body=TrialInput,
        prepare=attempt,
        slow=True,
    ),
)
