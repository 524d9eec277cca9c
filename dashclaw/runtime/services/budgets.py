"""Budgets: which there are, and how much of each its agents have used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from ..guard.policy import unreadable, with_defaults
from ..operations import Invocation, Operation
from ..prices import dollars
from ..store import policies
from ..store import tokens as rows

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..store.engine import Tx

MOST_AGENTS = 20
_LIMITS = {"cost_budget": ("max_usd", "USD"), "token_budget": ("max_tokens", "tokens")}


class _Budget(NamedTuple):
    """A policy that is a budget, and its rules with their defaults."""

    policy: Mapping[str, Any]
    rules: Mapping[str, Any]


def listing(tx: Tx, call: Invocation) -> dict[str, Any]:
    """Active budgets, each with the agents that used most of it; `share` is of the limit, 1.0 for all of it."""
    org_id = call.caller.org_id
    budgets = [
        _Budget(row, with_defaults(row["policy_type"], row["rules"]))
        for row in policies.active(tx, org_id)
        if row["policy_type"] in _LIMITS and not unreadable(row["policy_type"], row["rules"])
    ]
    windows = {budget.rules["window_minutes"] for budget in budgets}
    used = {minutes: rows.by_agent(tx, org_id, minutes) for minutes in windows}
    return {"budgets": [_shown(budget, used[budget.rules["window_minutes"]]) for budget in budgets]}


def _shown(budget: _Budget, used: Mapping[str, rows.Usage]) -> dict[str, Any]:
    policy, rules = budget
    limit_name, unit = _LIMITS[policy["policy_type"]]
    limit, meant = rules[limit_name], policy["agent_ids"]
    spent = {
        agent_id: dollars(usage.cost) if unit == "USD" else usage.tokens
        for agent_id, usage in used.items()
        if not meant or agent_id in meant
    }
    dearest = sorted(spent.items(), key=lambda pair: (-pair[1], pair[0]))
    return {
        "policy_id": policy["id"],
        "name": policy["name"],
        "unit": unit,
        "limit": limit,
        "window_minutes": rules["window_minutes"],
        "action": rules["action"],
        "agents_total": len(dearest),
        "agents": [
            {"agent_id": agent_id, "used": amount, "share": round(amount / limit, 4)}
            for agent_id, amount in dearest[:MOST_AGENTS]
        ],
    }


OPERATIONS = (
    Operation(
        "get_budgets",
        "GET",
        "/api/tokens/budgets",
        listing,
        "Show budgets and how much of each is used",
        "tokens",
        role="readonly",
        slow=True,
    ),
)
