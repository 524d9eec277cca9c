"""The readable policies of one scope, indexed by what makes them fire."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, Any

from .budgets import BUDGET_TYPES
from .matching import GlobIndex, fold

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .rule import Fired, Rule

NAMING_TYPES = ("block_action_type", "require_approval", "warn_action_type")
REMOTE_TYPES = ("semantic_check", "webhook_check")


class Selective:
    """The policies about named actions that except some of them, or mean touched systems as well."""

    __slots__ = ("_names", "_systems")

    def __init__(self, rules: Iterable[Rule]) -> None:
        pairs = [(pattern, rule) for rule in rules for pattern in rule.rules["action_types"]]
        self._names = GlobIndex(pairs)
        self._systems = GlobIndex((fold(pattern), rule) for pattern, rule in pairs if rule.rules["match_systems"])

    def covering(self, context: Mapping[str, Any], names: tuple[str, ...]) -> list[tuple[Rule, str]]:
        """Return each rule that covers the action, with the first name or system that it covers."""
        found: dict[Rule, str] = {}
        for name in names:
            for rule in self._names.find(name):
                if rule.unless is None or not rule.unless.spare_name(name):
                    found.setdefault(rule, name)
        touched = context.get("systems_touched")
        if isinstance(touched, str):
            touched = (touched,)
        if isinstance(touched, (list, tuple, set, frozenset)):
            for system in touched:
                if not isinstance(system, str):
                    continue
                folded = fold(system)
                for rule in self._systems.find(folded):
                    if rule.unless is None or not rule.unless.spare_system(folded):
                        found.setdefault(rule, system)
        return [(rule, name) for rule, name in found.items() if rule.unless is None or not rule.unless.spare(context)]


class Shelf:
    """The policies of every agent, or those of one agent; protected paths have an index of their own."""

    __slots__ = (
        "_allowed",
        "_allowlists",
        "_grants",
        "_levels",
        "_named",
        "_selective",
        "_thresholds",
        "budgets",
        "rates",
        "remotes",
    )

    def __init__(self, rules: Iterable[Rule]) -> None:
        by_type: dict[str, list[Rule]] = {}
        for rule in rules:
            by_type.setdefault(rule.policy_type, []).append(rule)

        naming = [rule for policy_type in NAMING_TYPES for rule in by_type.get(policy_type, ())]
        selective = {rule: None for rule in naming if rule.unless is not None or rule.rules["match_systems"]}

        def listed(key: str, *policy_types: str) -> GlobIndex[Rule]:
            chosen = (rule for policy_type in policy_types for rule in by_type.get(policy_type, ()))
            return GlobIndex((pattern, rule) for rule in chosen for pattern in rule.rules[key])

        self._named = GlobIndex(
            (pattern, rule) for rule in naming if rule not in selective for pattern in rule.rules["action_types"]
        )
        self._selective = Selective(selective) if selective else None
        self._grants = listed("action_types", "allow_grant")
        self._allowlists = tuple(by_type.get("agent_allowlist", ()))
        self._allowed = listed("allowed_action_types", "agent_allowlist")
        self._thresholds = sorted(by_type.get("risk_threshold", ()), key=lambda rule: rule.rules["threshold"])
        self._levels = [rule.rules["threshold"] for rule in self._thresholds]
        self.rates = tuple((rule.id, rule.rules["max_actions"], rule) for rule in by_type.get("rate_limit", ()))
        self.budgets = tuple(rule for policy_type in BUDGET_TYPES for rule in by_type.get(policy_type, ()))
        self.remotes = tuple(rule for policy_type in REMOTE_TYPES for rule in by_type.get(policy_type, ()))

    def fire(self, context: Mapping[str, Any], names: tuple[str, ...], score: int, fired: list[Fired]) -> None:
        """Append what the policies that need no facts say about an action known by these names."""
        for rule, name in _covering(self._named, names):
            if rule.when is None or rule.when.holds(context, score):
                fired.append(rule.say(name))
        if self._selective is not None:
            for rule, name in self._selective.covering(context, names):
                if rule.when is None or rule.when.holds(context, score):
                    fired.append(rule.say(name))
        if self._levels:
            for rule in self._thresholds[: bisect_right(self._levels, score)]:
                if rule.when is None or rule.when.holds(context, score):
                    fired.append(rule.say(str(score)))
        if self._allowlists:
            allowed = self._allowed.find(names[0])
            for rule in self._allowlists:
                if rule not in allowed and (rule.when is None or rule.when.holds(context, score)):
                    fired.append(rule.say(names[0]))

    def granting(self, context: Mapping[str, Any], names: tuple[str, ...], score: int) -> list[Fired]:
        """Return what the grants that cover an action say."""
        return [rule.say("") for rule, _ in _covering(self._grants, names) if rule.fires(context, score)]


def _covering(index: GlobIndex[Rule], names: tuple[str, ...]) -> list[tuple[Rule, str]]:
    """Return each rule whose patterns cover one of the names, with the first name that it covers."""
    found = index.find(names[0])
    if len(names) == 1:
        return [(rule, names[0]) for rule in found] if found else []
    pairs = [(rule, names[0]) for rule in found]
    return pairs + [(rule, names[1]) for rule in index.find(names[1]) if rule not in found]
