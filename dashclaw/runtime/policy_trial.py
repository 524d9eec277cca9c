"""Policies one by one about an action: which of them match and what they say, and why the others do not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from .guard import Facts, Policy, compile_policies, preliminary
from .guard.policy import with_defaults

_NAMING = ("block_action_type", "require_approval", "warn_action_type")
_SHOWN = 5


class Outcome(NamedTuple):
    """What one policy makes of an action; `matched` is None for a remote check, which nobody asked."""

    policy_id: str
    name: str
    policy_type: str
    matched: bool | None
    decision: str | None
    why: str


def explain(policies: Iterable[Policy], context: Mapping[str, Any], facts: Facts) -> list[Outcome]:
    """What each policy alone makes of an action; the kill switch is not looked at."""
    facts = facts._replace(kill_switch=False)
    return [_explain(policy, context, facts) for policy in policies]


def _explain(policy: Policy, context: Mapping[str, Any], facts: Facts) -> Outcome:
    alone = compile_policies([policy])
    if alone.needs(context).remotes:
        return _outcome(policy, None, None, "It would ask a service outside, which a trial does not")
    granting = policy.policy_type == "allow_grant" and not alone.broken
    beside = [Policy(f"{policy.id}.", "warning", "warn_action_type", {"action_types": ["*"]})] if granting else []
    found = preliminary(context, compile_policies([policy, *beside]), facts)
    if policy.id not in found.matched_policies:
        return _outcome(policy, False, None, _why_not(policy, context, facts, beside, found.risk_score))
    if granting:
        return _outcome(policy, True, "allow", "It lifts a warning or an approval, and nothing that blocks")
    said = next(iter(found.reasons or found.warnings), f"It decides {found.decision}")
    return _outcome(policy, True, found.decision, said.removeprefix(f"{policy.name}: "))


def _outcome(policy: Policy, matched: bool | None, decision: str | None, why: str) -> Outcome:
    return Outcome(policy.id, policy.name, policy.policy_type, matched, decision, why)


def _why_not(policy: Policy, context: Mapping[str, Any], facts: Facts, beside: Iterable[Policy], score: int) -> str:
    agent_id = context.get("agent_id")
    if policy.agent_ids and agent_id not in policy.agent_ids:
        return f"It is only for {_names(policy.agent_ids)}"

    def fires(rules: Mapping[str, Any]) -> bool:
        changed = compile_policies([policy._replace(rules=rules), *beside])
        return (
            bool(changed.needs(context).remotes) or policy.id in preliminary(context, changed, facts).matched_policies
        )

    when, unless = policy.rules.get("when") or {}, policy.rules.get("unless") or {}
    bare = {key: value for key, value in policy.rules.items() if key not in ("when", "unless")}
    if fires(bare):
        if unless and not fires({**bare, "unless": unless}):
            return "Its unless excepts this action"
        failing = [key for key, value in when.items() if not fires({**bare, "when": {key: value}})]
        parts = [_condition(key, when[key], score) for key in failing]
        return "Its when does not hold: " + (" and ".join(parts) or "not every part of it")
    return _unmet(policy, context, facts, score)


def _condition(key: str, value: Any, score: int) -> str:
    if key == "min_risk":
        return f"the risk score {score} is below {value:g}"
    if key == "reversible":
        wanted = "reversible" if value else "irreversible"
        return f"the action is not declared {wanted}"
    return f"no touched system is one of {_names(value)}"


def _unmet(policy: Policy, context: Mapping[str, Any], facts: Facts, score: int) -> str:
    kind = policy.policy_type
    rules = with_defaults(kind, policy.rules)
    if kind in _NAMING or kind == "allow_grant":
        return f"{str(context.get('action_type'))[:128]} is not one of {_names(rules['action_types'])}"
    if kind == "agent_allowlist":
        return f"The action type is one of {_names(rules['allowed_action_types'])}"
    if kind == "risk_threshold":
        return f"The risk score {score} is below {rules['threshold']:g}"
    if kind == "protected_path":
        return f"Nothing that it names lies in {_names(rules['paths'])}"
    if not context.get("agent_id"):
        return "It counts by agent, and none is named"
    if kind == "rate_limit":
        return f"{facts.counts.get(policy.id, 0)} of {rules['max_actions']} decisions are used"
    limit = rules["max_usd" if kind == "cost_budget" else "max_tokens"]
    return f"{facts.spent.get(policy.id, 0):g} of {limit:g} are used"


def _names(names: Iterable[Any]) -> str:
    every = [str(name) for name in names]
    more = f" and {len(every) - _SHOWN} more" if len(every) > _SHOWN else ""
    return ", ".join(every[:_SHOWN]) + more
