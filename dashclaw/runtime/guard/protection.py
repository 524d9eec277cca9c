"""The protected_path policies of all agents in one index, so that an action's paths are read once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .paths import PathIndex, TooMuchToReadError, declared

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .rule import Fired, Rule

ANY_PATH = "(any: the tool arguments are too large to be read)"


class Protection:
    """What is protected, for whom."""

    __slots__ = ("_agents", "_everyone", "_index", "_rules")

    def __init__(self, rules: Iterable[Rule]) -> None:
        self._rules = tuple(rules)
        self._index = PathIndex((path, (rule, path)) for rule in self._rules for path in rule.rules["paths"])
        self._everyone = any(not rule.agents for rule in self._rules)
        self._agents = frozenset(agent for rule in self._rules for agent in rule.agents)

    def fire(self, context: Mapping[str, Any], agent_id: str | None, score: int, fired: list[Fired]) -> None:
        """Append one line per policy whose protected place the action declares to touch."""
        if not self._everyone and agent_id not in self._agents:
            return
        touched: dict[Rule, str] = {}
        try:
            for value in declared(context):
                for rule, path in self._index.find(value):
                    if rule not in touched or path < touched[rule]:
                        touched[rule] = path
        except TooMuchToReadError:
            touched = dict.fromkeys(self._rules, ANY_PATH)
        for rule, path in touched.items():
            if (not rule.agents or agent_id in rule.agents) and rule.fires(context, score):
                fired.append(rule.say(path))
