"""Which policies can never make a difference, whatever an agent does. What is found is certain; not all is found."""

from __future__ import annotations

import fnmatch
from typing import TYPE_CHECKING, Any, NamedTuple

from .matching import fold, is_glob
from .policy import ALLOW, BLOCK, SEVERITY, unreadable, with_defaults
from .shelf import NAMING_TYPES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from .policy import Policy

_LISTING = (*NAMING_TYPES, "allow_grant")
_KNOWN = (*_LISTING, "risk_threshold")


class Doubt(NamedTuple):
    """A policy that makes no difference: `kind` is never_fires, no_effect or shadowed, `why` is a sentence."""

    policy_id: str
    name: str
    kind: str
    why: str


class _Reach(NamedTuple):
    """What is true of every action that a policy fires for; None where anything may be."""

    agents: frozenset[str]
    names: tuple[str, ...]
    min_risk: float
    reversible: bool | None
    systems: tuple[str, ...] | None


def doubts(policies: Iterable[Policy]) -> list[Doubt]:
    """Return the policies that never change a decision, with the first reason found; unreadable ones are left out."""
    readable = [policy for policy in policies if not unreadable(policy.policy_type, policy.rules)]
    known = [(policy, with_defaults(policy.policy_type, policy.rules)) for policy in readable]
    stops = [(policy, rules, _reach(policy, rules)) for policy, rules in known if _whole(policy, rules)]
    found = []
    for policy, rules in known:
        doubt = _never(policy, rules) or _shadowed(policy, rules, stops)
        if doubt is not None:
            found.append(Doubt(policy.id, policy.name, *doubt))
    return found


def _never(policy: Policy, rules: Mapping[str, Any]) -> tuple[str, str] | None:
    if rules.get("action") == ALLOW and policy.policy_type != "allow_grant":
        return "no_effect", "Its action is allow, so that nothing changes when it fires"
    if policy.policy_type == "agent_allowlist" and any(map(_everything, rules["allowed_action_types"])):
        return "never_fires", "It allows every action type"
    spared = (rules.get("unless") or {}).get("action_types") or ()
    names_only = policy.policy_type in NAMING_TYPES and not rules["match_systems"]
    if names_only and spared and all(_covered(name, spared) for name in rules["action_types"]):
        return "never_fires", "Its unless excepts every action type that it lists"
    return None


def _shadowed(
    policy: Policy, rules: Mapping[str, Any], stops: Sequence[tuple[Policy, Mapping[str, Any], _Reach]]
) -> tuple[str, str] | None:
    if policy.policy_type not in _KNOWN or rules.get("match_systems"):
        return None
    reach = _reach(policy, rules)
    for other, strict, wider in stops:
        if other.id == policy.id or not _within(reach, wider):
            continue
        if policy.policy_type == "allow_grant":
            if strict["action"] == BLOCK:
                return "shadowed", f"{other.name} blocks all that it grants, and a grant never lifts a block"
        elif SEVERITY[strict["action"]] > SEVERITY[rules["action"]]:
            return "shadowed", f"Whenever it fires, {other.name} fires as well and decides {strict['action']}"
    return None


def _whole(policy: Policy, rules: Mapping[str, Any]) -> bool:
    """Whether a policy is one that others may be compared with: it fires for all of its reach."""
    return policy.policy_type in _KNOWN and policy.policy_type != "allow_grant" and not rules.get("unless")


def _reach(policy: Policy, rules: Mapping[str, Any]) -> _Reach:
    when = rules["when"] or {}
    risk = max(rules.get("threshold") or 0, when.get("min_risk") or 0)
    names = tuple(rules["action_types"]) if policy.policy_type in _LISTING else ("*",)
    systems = when.get("systems_touched")
    folded = tuple(map(fold, systems)) if systems else None
    return _Reach(frozenset(policy.agent_ids), names, risk, when.get("reversible"), folded)


def _within(inner: _Reach, outer: _Reach) -> bool:
    """Whether all that one policy fires for is something that the other one fires for as well."""
    if outer.agents and (not inner.agents or not inner.agents <= outer.agents):
        return False
    if outer.min_risk > inner.min_risk:
        return False
    if outer.reversible is not None and outer.reversible is not inner.reversible:
        return False
    return _all_covered(inner.names, outer.names) and _all_covered(inner.systems, outer.systems)


def _all_covered(inner: tuple[str, ...] | None, outer: tuple[str, ...] | None) -> bool:
    return outer is None or (inner is not None and all(_covered(pattern, outer) for pattern in inner))


def _everything(pattern: str) -> bool:
    return pattern.strip("*") == ""


def _covered(pattern: str, others: Iterable[str]) -> bool:
    """Whether some other pattern matches every name that this one matches."""
    return any(_covers(other, pattern) for other in others)


def _covers(outer: str, inner: str) -> bool:
    if outer == inner or _everything(outer):
        return True
    if not is_glob(inner):
        return fnmatch.fnmatchcase(inner, outer)
    if outer[-1] == "*" and not is_glob(outer[:-1]):
        return _literal(inner).startswith(outer[:-1])
    return False


def _literal(pattern: str) -> str:
    """The beginning of a pattern up to its first wildcard."""
    return pattern[: min((pattern.index(sign) for sign in "*?[" if sign in pattern), default=len(pattern))]
