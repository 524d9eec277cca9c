"""One compiled policy: what it says when it fires, and the conditions that narrow it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .matching import any_of, fold
from .policy import ALLOW, SEVERITY
from .risk import reversibility

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


TEXTS: Mapping[str, str] = {
    "agent_allowlist": "not among the allowed action types: ",
    "allow_grant": "a grant lifts ",
    "block_action_type": "blocks ",
    "protected_path": "touches the protected path ",
    "require_approval": "asks for approval of ",
    "risk_threshold": "the threshold {threshold:g} is reached by the risk score ",
    "warn_action_type": "warns about ",
}


# What one policy adds to a decision: minus the severity, policy name, policy id, line, degraded. Sorting such plain
# tuples puts the most severe first, then goes by name and id, which makes the order of the policies irrelevant.
Fired = tuple[int, str, str, str, bool]


class Condition:
    """The `when` of a policy: every given part must hold.

    `systems_touched` holds when one touched system matches; with `every`, when all of them do and there is one.
    """

    __slots__ = ("_every", "_min_risk", "_reversible", "_systems")

    def __init__(self, when: Mapping[str, Any], *, every: bool) -> None:
        self._reversible = when.get("reversible")
        self._min_risk = when.get("min_risk")
        systems = when.get("systems_touched")
        self._systems = any_of(map(fold, systems)) if systems else None
        self._every = every

    def holds(self, context: Mapping[str, Any], score: int) -> bool:
        """Tell whether the condition holds for an action; what the action does not declare holds nothing."""
        if self._min_risk is not None and score < self._min_risk:
            return False
        if self._reversible is not None and reversibility(context) is not self._reversible:
            return False
        return self._systems is None or self._touches(context.get("systems_touched"))

    def _touches(self, touched: object) -> bool:
        if isinstance(touched, str):
            touched = (touched,)
        if self._systems is None or not isinstance(touched, (list, tuple, set, frozenset)) or not touched:
            return False
        hits = (isinstance(name, str) and self._systems.match(fold(name)) is not None for name in touched)
        return all(hits) if self._every else any(hits)


class Exceptions:
    """The `unless` of a policy: names that it does not mean, and systems that it does not mind."""

    __slots__ = ("_folded", "_names", "_systems")

    def __init__(self, unless: Mapping[str, Any]) -> None:
        names = unless.get("action_types") or ()
        self._names = any_of(names) if names else None
        self._folded = any_of(map(fold, names)) if names else None
        systems = unless.get("systems_touched")
        self._systems = Condition({"systems_touched": systems}, every=True) if systems else None

    def spare_name(self, name: str) -> bool:
        """Tell whether an action type or tool is excepted."""
        return self._names is not None and self._names.match(name) is not None

    def spare_system(self, folded: str) -> bool:
        """Tell whether a touched system is excepted, as a name."""
        return self._folded is not None and self._folded.match(folded) is not None

    def spare(self, context: Mapping[str, Any]) -> bool:
        """Tell whether an action touches excepted systems and nothing else."""
        return self._systems is not None and self._systems.holds(context, 0)


class Rule:
    """One readable policy, ready to fire. Two rules are the same only when they are the same object.

    `line` is the beginning of what it says; whoever fires it adds what it met. `rank` is minus the severity.
    """

    __slots__ = ("agents", "id", "line", "name", "policy_type", "rank", "rules", "unless", "when")

    def __init__(
        self, policy_id: str, name: str, policy_type: str, rules: Mapping[str, Any], agents: Iterable[str] = ()
    ) -> None:
        self.agents = frozenset(agents)
        self.id = policy_id
        self.name = name
        self.policy_type = policy_type
        self.rules = rules
        self.rank = -SEVERITY[rules.get("action", ALLOW)]
        self.line = f"{name}: " + TEXTS.get(policy_type, "").format_map(rules)
        when = rules["when"]
        self.when = Condition(when, every=policy_type == "allow_grant") if when else None
        unless = rules.get("unless")
        self.unless = Exceptions(unless) if unless else None

    def say(self, detail: str) -> Fired:
        """Return the line of this rule about what it met."""
        return (self.rank, self.name, self.id, self.line + detail, False)

    def fires(self, context: Mapping[str, Any], score: int) -> bool:
        """Tell whether the conditions of the rule hold for this action."""
        return self.when is None or self.when.holds(context, score)
