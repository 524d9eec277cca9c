"""Token usage: reports, their costs, and totals that stay exact."""

from __future__ import annotations

import random

from dashclaw.runtime.store import tokens as rows

from .conftest import World


def report(world: World, tokens_in: int = 1000, tokens_out: int = 100, **fields: object) -> dict[str, object]:
    body = {"tokens_in": tokens_in, "tokens_out": tokens_out, "agent_id": "a", "model": "gpt-4o", **fields}
    status, answer = world.ask("POST", "/api/tokens", body)
    assert status == 201, answer
    found: dict[str, object] = answer
    return found


def test_a_report_comes_back_with_everything_that_was_said_and_its_cost(world: World) -> None:
    answer = report(
        world, 1200, 350, session_id="sess_abc", context_used=50_000, context_max=200_000, compactions=2, mood="good"
    )
    snapshot = answer["snapshot"]
    assert isinstance(snapshot, dict)
    assert (snapshot["session_id"], snapshot["session_key"]) == ("sess_abc", "sess_abc")
    assert (snapshot["cost_usd"], snapshot["cost_source"]) == (0.0065, "model")
    assert (snapshot["context_pct"], snapshot["compactions"], snapshot["metadata"]) == (25.0, 2, {"mood": "good"})
    assert answer["warnings"] == ["unknown field 'mood' was kept in metadata and not interpreted"]
    assert answer["today"] == {"reports": 1, "tokens_in": 1200, "tokens_out": 350, "cost_usd": 0.0065}
    _, listed = world.ask("GET", "/api/tokens", query={"session_id": "sess_abc"})
    assert (listed["reports"], listed["total"], listed["has_more"]) == ([snapshot], 1, False)
    _, events = world.ask("GET", "/api/activity", query={"action": "token.usage", "agent_id": "a"})
    assert events["logs"][0]["details"]["id"] == snapshot["id"]


def test_a_report_of_nothing_is_refused_and_one_of_the_two_is_enough(world: World) -> None:
    status, refused = world.ask("POST", "/api/tokens", {"model": "gpt-4o"})
    assert (status, refused["fields"][0]["field"]) == (400, "tokens_in")
    status, answer = world.ask("POST", "/api/tokens", {"tokens_out": 5})
    assert status == 201
    assert (answer["snapshot"]["agent_id"], answer["snapshot"]["session_key"]) == (None, "sdk")


def test_the_cost_is_that_of_the_model_and_a_model_without_a_price_is_named(world: World) -> None:
    cheap, dear = report(world, model="gpt-4o-mini")["snapshot"], report(world, model="claude-opus-4-1")["snapshot"]
    assert isinstance(cheap, dict)
    assert isinstance(dear, dict)
    assert cheap["cost_usd"] < 0.001 < dear["cost_usd"]
    unknown = report(world, model="home-made")
    assert "'home-made' has no price" in str(unknown["warnings"])
    said = report(world, model="home-made", cost_usd=0.25)["snapshot"]
    assert isinstance(said, dict)
    assert (said["cost_usd"], said["cost_source"]) == (0.25, "reported")


def test_totals_by_day_agent_and_model_are_the_sums_of_the_reports(world: World) -> None:
    for day in range(3):
        for agent, model in (("a", "gpt-4o"), ("a", "o3"), ("b", "gpt-4o")):
            report(world, 1000 * (day + 1), 10, agent_id=agent, model=model)
        world.clock.move(days=1)
    world.clock.move(days=-1)
    _, by_day = world.ask("GET", "/api/tokens/summary", query={"days": "2"})
    assert (by_day["since"], by_day["until"]) == ("2026-03-02", "2026-03-03")
    assert [(row["day"], row["tokens_in"], row["reports"]) for row in by_day["usage"]] == [
        ("2026-03-02", 6000, 3),
        ("2026-03-03", 9000, 3),
    ]
    assert by_day["total"]["tokens_in"] == 15_000
    _, by_agent = world.ask("GET", "/api/tokens/summary", query={"by": "agent"})
    assert [(row["agent"], row["tokens_out"]) for row in by_agent["usage"]] == [("a", 60), ("b", 30)]
    _, by_model = world.ask("GET", "/api/tokens/summary", query={"by": "model", "agent_id": "b"})
    assert [(row["model"], row["reports"]) for row in by_model["usage"]] == [("gpt-4o", 3)]
    assert world.ask("GET", "/api/tokens/summary", query={"by": "hour"})[0] == 400


def test_what_an_agent_used_in_a_window_is_exact_to_the_microsecond(world: World) -> None:
    chance = random.Random(7)
    told = []
    for _ in range(60):
        world.clock.move(minutes=chance.randrange(40), seconds=chance.randrange(60))
        amount = chance.randrange(1, 1000)
        answer = report(world, amount, 1)["snapshot"]
        assert isinstance(answer, dict)
        told.append((world.clock.now, amount + 1, round(answer["cost_usd"] * 1_000_000_000)))
        report(world, 7, 7, agent_id="other")
    for minutes in (1, 5, 59, 60, 61, 600, 1440):
        with world.runtime.store.read() as tx:
            usage = rows.in_window(tx, "org_default", "a", minutes)
            inside = [item for item in told if (tx.now - item[0]).total_seconds() < minutes * 60]
        assert usage == (sum(item[1] for item in inside), sum(item[2] for item in inside)), minutes


def test_the_prices_in_force_can_be_asked_for(world: World) -> None:
    _, found = world.ask("GET", "/api/tokens/prices")
    assert found["models"]["gpt-4o"] == {"input": 2.5, "output": 10, "cached": 1.25, "cache_write": 2.5}
    assert found["default"]["output"] == 75


def test_the_cost_of_an_action_follows_from_its_tokens_and_model(world: World) -> None:
    used = {"tokens_in": 1000, "tokens_out": 1000, "model": "gpt-4o"}
    _, begun = world.act(**used)
    assert begun["action"]["cost_estimate"] == 0.0125
    _, other = world.act()
    path = f"/api/actions/{other['action_id']}"
    assert world.ask("PATCH", path, {"tokens_in": 1000, "model": "gpt-4o"})[1]["action"]["cost_estimate"] == 0.0025
    assert world.act(**used, cost_estimate=2)[1]["action"]["cost_estimate"] == 2
    _, unknown = world.act(**{**used, "model": "home-made"})
    assert not unknown["action"]["cost_estimate"]
    assert world.ask("GET", "/api/actions")[1]["stats"]["total_cost"] == 2.015
