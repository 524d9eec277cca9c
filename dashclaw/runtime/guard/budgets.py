"""Budgets: what an agent's model calls used in a window, against a limit in tokens or in dollars."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

from .facts import on_failure

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .facts import Facts
    from .rule import Fired, Rule

BUDGET_TYPES = ("cost_budget", "token_budget")


class BudgetNeed(NamedTuple):
    """What the caller must add up: the tokens, or the US dollars, of this agent's model calls over so many minutes."""

    policy_id: str
    in_dollars: bool
    window_minutes: int


def need_of(rule: Rule) -> BudgetNeed:
    """Return the fact that a budget depends on."""
    return BudgetNeed(rule.id, rule.policy_type == "cost_budget", rule.rules["window_minutes"])


def fire_budgets(
    budgets: Iterable[Rule], context: Mapping[str, Any], score: int, facts: Facts, fired: list[Fired]
) -> None:
    """Append what the budgets say; an amount that is missing counts as a failure."""
    for rule in budgets:
        if not rule.fires(context, score):
            continue
        spent = facts.spent.get(rule.id)
        if not isinstance(spent, (int, float)) or not math.isfinite(spent):
            line = rule.line + "what this agent used could not be added up"
            fired.append((on_failure(facts), rule.name, rule.id, line, True))
        elif spent >= _limit(rule):
            fired.append(rule.say(f"{_amount(rule, spent)} within {_window(rule)} reach the budget"))


def _limit(rule: Rule) -> float:
    limit: float = rule.rules["max_usd" if rule.policy_type == "cost_budget" else "max_tokens"]
    return limit


def _amount(rule: Rule, spent: float) -> str:
    if rule.policy_type == "cost_budget":
        return f"{spent:.4f} of {_limit(rule):g} USD"
    return f"{spent:,.0f} of {_limit(rule):,} tokens"


def _window(rule: Rule) -> str:
    return f"{rule.rules['window_minutes']:,} minutes"
