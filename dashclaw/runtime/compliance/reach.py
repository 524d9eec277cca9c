"""What one policy really stops or pauses, found out by asking the guard itself."""

from __future__ import annotations

import fnmatch
import json
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, NamedTuple

from ..guard import POLICY_TYPES, SEVERITY, Policy, PolicySet, compile_policies, decide
from ..policy_tests import fitting, samples

ENFORCING = ("block", "require_approval")
_LISTING = ("block_action_type", "require_approval", "agent_allowlist")
_UNLISTED = "zz.not-listed-anywhere"
_NOTHING: frozenset[str] = frozenset()


class Reach(NamedTuple):
    """What a policy holds back: tools wholly or in part, and the kinds of policy that it counts as.

    A policy for single agents, or under a condition, holds back in part only. Granted tools need no approval any more.
    """

    policy_id: str
    name: str
    blocked: frozenset[str] = _NOTHING
    partly_blocked: frozenset[str] = _NOTHING
    stopped: frozenset[str] = _NOTHING
    partly_stopped: frozenset[str] = _NOTHING
    allowlisted: frozenset[str] = _NOTHING
    kinds: frozenset[str] = _NOTHING
    partial_kinds: frozenset[str] = _NOTHING
    granted: frozenset[str] = _NOTHING


def reach_of(policy: Policy, tools: tuple[str, ...]) -> Reach:
    """Find out what a policy holds back; one that only warns, or cannot be read, holds back nothing."""
    name, own = str(policy.policy_type), json.dumps(policy.rules, sort_keys=True, default=str)
    found = _reach(name, own, tuple(map(str, policy.agent_ids)), tools)
    return found._replace(policy_id=str(policy.id), name=str(policy.name))


@lru_cache(maxsize=4096)
def _reach(policy_type: str, rules: str, agent_ids: tuple[str, ...], tools: tuple[str, ...]) -> Reach:
    """What equal policies hold back, remembered: it takes the guard a hundred decisions to find out."""
    none = Reach("", "")
    policy = Policy("alone", "alone", policy_type, json.loads(rules), agent_ids)
    if (alone := Alone.of(policy)) is None:
        return none
    if policy_type == "allow_grant":
        listed = policy.rules["action_types"]
        return none._replace(granted=frozenset(tool for tool in tools if _touches(listed, tool)))
    kinds = _kinds(alone)
    if not kinds:
        return none
    narrowed = bool(agent_ids or policy.rules.get("when"))
    found = none._replace(partial_kinds=kinds) if narrowed else none._replace(kinds=kinds)
    if policy_type in _LISTING:
        found = _with_tools(found, alone, tools)
        if "dry_run" in kinds and not agent_ids:
            found = found._replace(kinds=found.kinds | {"dry_run"}, partial_kinds=found.partial_kinds - {"dry_run"})
    return found


class Alone(NamedTuple):
    """A policy, its effect, and a guard that knows nothing else."""

    policy: Policy
    guard: PolicySet
    action: str
    excepted: tuple[str, ...]

    @classmethod
    def of(cls, policy: Policy) -> Alone | None:
        """None for a policy that cannot be read."""
        guard = compile_policies([policy])
        if guard.broken:
            return None
        rules = policy.rules
        if policy.policy_type == "agent_allowlist":
            excepted = rules["allowed_action_types"]
        else:
            excepted = (rules.get("unless") or {}).get("action_types") or ()
        action = rules.get("action") or POLICY_TYPES[policy.policy_type].action
        return cls(policy, guard, action, tuple(excepted))

    def stops(self, *contexts: dict[str, Any]) -> bool:
        """Whether the guard stops or pauses every one of these actions."""
        asking = SEVERITY["require_approval"]
        return all(SEVERITY[decide(context, self.guard).decision] >= asking for context in contexts)


def _kinds(alone: Alone) -> frozenset[str]:
    """The kinds of policy that this one counts as; empty when it does not hold back anything for sure."""
    kind, rules = alone.policy.policy_type, alone.policy.rules
    if kind in ("webhook_check", "semantic_check"):
        # What they answer is not ours to say; they count where their silence stops the action.
        silence = rules.get("on_timeout" if kind == "webhook_check" else "fallback") or "require_approval"
        return frozenset({"any_active_policy"} if silence in ENFORCING else ())
    if alone.action not in ENFORCING:
        return _NOTHING
    found = {"any_active_policy"}
    if kind in ("rate_limit", "risk_threshold"):
        found.add(kind)
    if kind in ("rate_limit", "risk_threshold", "protected_path") and alone.action == "require_approval":
        found.add("escalation")
    if kind in (*_LISTING, "protected_path"):
        found.add(alone.action)
    if kind in _LISTING and alone.stops({**fitting(alone.policy), "action_type": _UNLISTED, "reversible": False}):
        found.add("dry_run")
        if alone.excepted:
            found.add("allowlist")
    return frozenset(found)


def _with_tools(found: Reach, alone: Alone, tools: Iterable[str]) -> Reach:
    held: dict[str, set[str]] = {"whole": set(), "part": set(), "": set()}
    listed = set()
    for tool in tools:
        if tool == "*":
            continue
        level = _level(alone, tool)
        held[level].add(tool)
        if alone.excepted and level and alone.stops(*({"action_type": name} for name in samples(tool))):
            listed.add(tool)
    whole, part = frozenset(held["whole"]), frozenset(held["part"])
    found = found._replace(stopped=whole, partly_stopped=part, allowlisted=frozenset(listed))
    return found._replace(blocked=whole, partly_blocked=part) if alone.action == "block" else found


def _level(alone: Alone, tool: str) -> str:
    """How far a policy holds back a tool: whole, part, or not at all (an empty text)."""
    names = samples(tool)
    if alone.stops(*({"action_type": name} for name in names)):
        return "part" if _touches(alone.excepted, tool) else "whole"
    # A condition on every action says nothing about this tool: only patterns that mean it count in part.
    listed = [pattern for pattern in alone.policy.rules.get("action_types") or () if pattern != "*"]
    narrower = [name for pattern in listed for name in samples(pattern) if _match(name, tool)]
    meant = [name for name in names if any(_match(name, pattern) for pattern in listed)]
    context = fitting(alone.policy)
    return "part" if any(alone.stops({**context, "action_type": name}) for name in (*meant, *narrower)) else ""


def _touches(patterns: Iterable[str], tool: str) -> bool:
    """Whether some name is covered by a pattern and by the tool."""
    return any(
        any(_match(name, tool) for name in samples(pattern)) or any(_match(name, pattern) for name in samples(tool))
        for pattern in patterns
    )


def _match(name: str, pattern: str) -> bool:
    return fnmatch.fnmatchcase(name, pattern)
