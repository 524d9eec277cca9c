"""The span in which somebody asks is kept with the action and the decision, and decides nothing."""

from __future__ import annotations

from typing import Any

from .conftest import AGENT, World

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
HERE = {"trace_id": TRACE, "span_id": SPAN}
BODY = {"action_type": "deploy", "declared_goal": "Ship it", "agent_id": "agent-1"}


def asked(world: World, path: str, traceparent: str | None, **more: Any) -> Any:
    operation, params = world.runtime.registry.match("POST", path)
    body = {**BODY, **more}
    return world.runtime.execute(operation, AGENT, params=params, query={}, body=body, traceparent=traceparent).body


def kept(world: World, decision_id: str) -> Any:
    _, answer = world.ask("GET", f"/api/guard/decisions/{decision_id}")
    assert answer["reevaluated"]["same"]
    return answer["decision"]


def test_an_action_and_its_decision(world: World) -> None:
    plain = asked(world, "/api/actions", None)
    traced = asked(world, "/api/actions", f"00-{TRACE}-{SPAN}-01", metadata={"ticket": 7})
    again = asked(world, "/api/actions", f"00-{TRACE}-{SPAN}-01")
    assert plain["action"]["metadata"] == {}
    assert traced["action"]["metadata"] == {**HERE, "ticket": 7}
    decision, without = (kept(world, found["decision"]["decision_id"]) for found in (again, plain))
    assert {name: decision["context"][name] for name in HERE} == HERE
    # The same was asked: what is approved in one trace is approved in any other.
    assert decision["digest"] == without["digest"]


def test_a_question(world: World) -> None:
    found = asked(world, "/api/guard", f"00-{TRACE}-{SPAN}-01")
    assert {name: kept(world, found["decision_id"])["context"][name] for name in HERE} == HERE


def test_what_the_body_says_goes_first_and_nonsense_says_nothing(world: World) -> None:
    own = asked(world, "/api/actions", f"00-{TRACE}-{SPAN}-01", metadata={"trace_id": "mine"})
    assert own["action"]["metadata"] == {"trace_id": "mine", "span_id": SPAN}
    assert asked(world, "/api/actions", "00-nonsense")["action"]["metadata"] == {}
