"""Budgets: what an agent's model calls used, against a limit."""

from __future__ import annotations

from typing import Any

import pytest

from dashclaw.runtime.guard import BudgetNeed, Decision, Facts, Policy, check_policy, compile_policies, decide

ACT = {"action_type": "research", "agent_id": "a"}
KINDS = [("token_budget", {"max_tokens": 100}), ("cost_budget", {"max_usd": 100})]


def verdict(
    kind: str, rules: dict[str, Any], spent: Any, context: dict[str, Any] | None = None, **facts: Any
) -> Decision:
    policies = compile_policies([Policy("gp_1", "Money", kind, rules)])
    return decide(context or ACT, policies, Facts(spent={} if spent is None else {"gp_1": spent}, **facts))


@pytest.mark.parametrize(("kind", "rules"), KINDS)
@pytest.mark.parametrize("action", ["warn", "require_approval", "block"])
def test_a_budget_fires_when_the_window_holds_the_limit(kind: str, rules: dict[str, Any], action: str) -> None:
    chosen = {**rules, "action": action}
    assert verdict(kind, chosen, 99).decision == "allow"
    assert verdict(kind, chosen, 100).decision == action
    assert verdict(kind, chosen, 101).decision == action
    assert verdict(kind, rules, 100).decision == "require_approval"


def test_the_reason_says_how_much_of_what_was_used() -> None:
    tokens = verdict("token_budget", {"max_tokens": 1_000_000}, 1_234_567)
    assert tokens.reasons == ("Money: 1,234,567 of 1,000,000 tokens within 1,440 minutes reach the budget",)
    money = verdict("cost_budget", {"max_usd": 2.5, "window_minutes": 60}, 2.51239)
    assert money.reasons == ("Money: 2.5124 of 2.5 USD within 60 minutes reach the budget",)


@pytest.mark.parametrize(("kind", "rules"), KINDS)
@pytest.mark.parametrize("spent", [None, "much", float("nan"), float("inf")])
def test_an_amount_that_cannot_be_had_is_a_failure(kind: str, rules: dict[str, Any], spent: Any) -> None:
    found = verdict(kind, {**rules, "action": "warn"}, spent)
    assert (found.decision, found.degraded) == ("require_approval", True)
    assert verdict(kind, {**rules, "action": "warn"}, spent, on_failure="block").decision == "block"


@pytest.mark.parametrize(("kind", "rules"), KINDS)
def test_an_action_without_an_agent_has_no_budget(kind: str, rules: dict[str, Any]) -> None:
    assert verdict(kind, rules, 500, {"action_type": "research"}).decision == "allow"


@pytest.mark.parametrize(("kind", "rules"), KINDS)
def test_a_condition_narrows_a_budget_and_what_it_asks_for(kind: str, rules: dict[str, Any]) -> None:
    policies = compile_policies([Policy("gp_1", "Money", kind, {**rules, "when": {"min_risk": 50}}, ("a",))])
    assert not policies.needs_nothing
    assert policies.needs({**ACT, "risk_score": 10}).budgets == ()
    assert policies.needs({**ACT, "agent_id": "b", "risk_score": 60}).budgets == ()
    assert policies.needs({**ACT, "risk_score": 60}).budgets == (BudgetNeed("gp_1", kind == "cost_budget", 1440),)
    assert decide({**ACT, "risk_score": 10}, policies).decision == "allow"
    assert decide({**ACT, "risk_score": 60}, policies, Facts(spent={"gp_1": 100})).decision == "require_approval"


@pytest.mark.parametrize(
    ("kind", "rules"),
    [
        ("token_budget", {}),
        ("token_budget", {"max_tokens": 0}),
        ("token_budget", {"max_tokens": 1.5}),
        ("token_budget", {"max_tokens": 5, "window_minutes": 44_641}),
        ("token_budget", {"max_usd": 5}),
        ("cost_budget", {"max_usd": 0}),
        ("cost_budget", {"max_usd": float("nan")}),
        ("cost_budget", {"max_usd": True}),
        ("cost_budget", {"max_usd": 5, "action": "stop"}),
    ],
)
def test_a_budget_that_cannot_be_followed_is_refused(kind: str, rules: dict[str, Any]) -> None:
    assert check_policy(kind, rules)
