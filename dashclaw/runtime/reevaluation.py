"""Decide again about a recorded action, by the policies and facts that were recorded with the decision."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from .decisions import with_approval
from .guard import Decision, Policy, compile_policies, decide
from .policy_sets import ENGINE, BadPolicySetError, checked, read_policy
from .recorded_facts import Settings, approved_by, unpack
from .store import policy_sets as rows

if TYPE_CHECKING:
    from .store.engine import Tx

_COMPARED = ("decision", "reasons", "warnings", "matched_policies", "risk_score", "risk_breakdown", "degraded")


class StoredSet(NamedTuple):
    """A policy set that was read back: each policy under its hash."""

    engine: str
    settings: Settings
    policies: Mapping[str, Policy]


def load_set(tx: Tx, org_id: str, name: str) -> StoredSet:
    """Read a policy set; raises `BadPolicySetError` when a text of it is missing or is not what its hash names."""
    found = json.loads(checked(rows.find(tx, org_id, name), name))
    texts = rows.versions(tx, org_id, found["policies"])
    policies = {part: read_policy(checked(texts.get(part), part)) for part in found["policies"]}
    return StoredSet(found["engine"], Settings(**found["settings"]), policies)


def reevaluate(tx: Tx, org_id: str, row: Mapping[str, Any]) -> dict[str, Any]:
    """Decide again what a recorded decision decided.

    `evaluated` is the new verdict, None when it cannot be had; `same` whether it is the recorded one, and
    `differences` names what is not. `exact` is false when something that the decision rested on is no longer there as
    it was; `notes` say what.
    """
    notes: list[str] = []
    verdict = None
    try:
        if row["policy_set"] is None:
            raise BadPolicySetError("the decision was made before policy sets were recorded")
        if not isinstance(row["context"], dict):
            raise BadPolicySetError("the action was erased from the record")
        if not isinstance(row["facts"], dict | None):
            raise BadPolicySetError("the recorded facts cannot be read")
        stored = load_set(tx, org_id, row["policy_set"])
        verdict, notes = _verdict(row, stored)
    except BadPolicySetError as error:
        notes = [str(error)]
    differences = [] if verdict is None else [name for name in _COMPARED if verdict[name] != row[name]]
    return {
        "same": verdict is not None and not differences,
        "exact": not notes,
        "differences": differences,
        "notes": notes,
        "evaluated": verdict,
        "policy_set": row["policy_set"],
    }


def _verdict(row: Mapping[str, Any], stored: StoredSet) -> tuple[dict[str, Any], list[str]]:
    recorded = unpack(row["facts"], stored.settings)
    context = {"agent_id": None, **row["context"]}
    found = decide(context, compile_policies(stored.policies.values()), recorded.facts)
    if recorded.approval is not None:
        found = with_approval(found, approved_by(recorded.approval))
    notes = []
    if recorded.redacted:
        notes.append(f"secrets were masked before it was stored: {', '.join(recorded.redacted)}")
    if stored.engine != ENGINE:
        notes.append(f"engine {stored.engine} decided then, engine {ENGINE} now")
    return _plain(found), notes


def _plain(verdict: Decision) -> dict[str, Any]:
    return {
        "decision": verdict.decision,
        "reasons": list(verdict.reasons),
        "warnings": list(verdict.warnings),
        "matched_policies": list(verdict.matched_policies),
        "risk_score": verdict.risk_score,
        "risk_breakdown": dict(verdict.risk_breakdown),
        "degraded": verdict.degraded,
    }
