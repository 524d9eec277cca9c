"""Budgets as policies: reported usage stops the next action."""

from __future__ import annotations

from .conftest import World
from .test_tokens import report


def decision(world: World, agent: str = "a") -> tuple[str, list[str]]:
    _, found = world.ask("POST", "/api/guard", {"action_type": "research", "agent_id": agent})
    return found["decision"], found["reasons"] or found["warnings"]


def test_tokens_beyond_the_budget_block_the_agent_until_the_window_has_passed(world: World) -> None:
    world.policy("token_budget", {"max_tokens": 2000, "window_minutes": 90, "action": "block"}, name="Tokens")
    assert decision(world)[0] == "allow"
    report(world, 1000, 900)
    assert decision(world)[0] == "allow"
    world.clock.move(minutes=30)
    report(world, 50, 50)
    assert decision(world) == ("block", ["Tokens: 2,000 of 2,000 tokens within 90 minutes reach the budget"])
    assert decision(world, "b")[0] == "allow"
    assert world.act(agent_id="a")[0] == 403
    world.clock.move(minutes=61)
    assert decision(world)[0] == "allow"


def test_money_beyond_the_budget_asks_a_person_or_warns(world: World) -> None:
    world.policy("cost_budget", {"max_usd": 0.01}, name="Money")
    world.policy("cost_budget", {"max_usd": 0.005, "action": "warn"}, name="Soon")
    report(world, 1_000, 300)
    assert decision(world)[0] == "warn"
    report(world, 1_000, 300)
    assert decision(world)[0] == "require_approval"
    status, waiting = world.act(agent_id="a")
    assert (status, waiting["action"]["status"]) == (202, "pending_approval")


def test_a_model_without_a_price_does_not_escape_a_budget(world: World) -> None:
    world.policy("cost_budget", {"max_usd": 1, "action": "block"})
    report(world, 100_000, 0, model="home-made")
    assert decision(world)[0] == "block"
