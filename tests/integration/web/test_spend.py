"""The page of what model calls cost."""

from __future__ import annotations

import httpx

from .support import Browser, text_of

SCRIPT = "<script>alert(1)</script>"


def report(agent: httpx.Client, **fields: object) -> None:
    agent.post("/api/tokens", json={"tokens_in": 1000, "tokens_out": 100, **fields}).raise_for_status()


def test_what_was_used_stands_by_day_agent_and_model(operator: Browser, agent: httpx.Client) -> None:
    assert "No spend yet" in text_of(operator.get("/spend")) or "By agent" in text_of(operator.get("/spend"))
    report(agent, agent_id="clerk", model="gpt-4o", cost_usd=3.25)
    report(agent, agent_id="clerk", model="gpt-4o", cost_usd=0.75)
    report(agent, agent_id=SCRIPT, model=SCRIPT, cost_usd=1)
    page = operator.get("/spend?agent_id=clerk")
    assert page.status_code == 200
    text = text_of(page)
    assert "Cost $4.00" in text
    assert "clerk $4.00 100 %" in text
    whole = operator.get("/spend")
    assert SCRIPT not in whole.text
    assert SCRIPT in text_of(whole)


def test_a_range_and_a_filter_without_use_say_so(operator: Browser) -> None:
    assert "No report of model calls matches" in text_of(operator.get("/spend?agent_id=nobody"))
    assert operator.get("/spend?days=nonsense").status_code == 200


def test_a_budget_shows_who_used_how_much_of_it(operator: Browser, agent: httpx.Client) -> None:
    server = operator.server
    rules = {"max_usd": 2, "window_minutes": 60, "action": "block"}
    body = {"name": "Two dollars", "policy_type": "cost_budget", "rules": rules, "agent_ids": ["saver", "spender"]}
    httpx.post(f"{server.url}/api/policies", json=body, headers={"x-api-key": server.admin_key}).raise_for_status()
    report(agent, agent_id="saver", cost_usd=0.5)
    report(agent, agent_id="spender", cost_usd=3)
    report(agent, agent_id="stranger", cost_usd=9)
    text = text_of(operator.get("/spend", region="spend_now"))
    assert "Two dollars $2.00 per agent within 60 min" in text
    assert "spender $3.00 150 %" in text
    assert "saver $0.5000 25 %" in text
    budget = agent.get("/api/tokens/budgets").json()["budgets"][0]
    assert budget["agents_total"] == 2
    assert budget["agents"][0] == {"agent_id": "spender", "used": 3.0, "share": 1.5}
    assert (budget["action"], budget["limit"], budget["unit"]) == ("block", 2, "USD")
