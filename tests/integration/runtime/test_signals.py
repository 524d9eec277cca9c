"""The eight signals at both sides of each threshold."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from .conftest import World

Make = Callable[[World], object]
SECOND = timedelta(seconds=1)


def severities(world: World, kind: str, **query: str) -> list[str]:
    """How severe the signals of one kind are."""
    _, found = world.ask("GET", "/api/signals", query=query)
    return [signal["severity"] for signal in found["signals"] if signal["type"] == kind]


def start(world: World, **fields: object) -> str:
    status, answer = world.act(**fields)  # type: ignore[arg-type]
    assert status == 201, answer
    found: str = answer["action_id"]
    return found


def finish(world: World, action_id: str, status: str) -> None:
    assert world.ask("PATCH", f"/api/actions/{action_id}", {"status": status})[0] == 200


def add_loop(world: World) -> None:
    body = {"action_id": start(world), "loop_type": "question", "description": "Who owns it?"}
    assert world.ask("POST", "/api/actions/loops", body)[0] == 201


def add_assumption(world: World) -> str:
    body = {"action_id": start(world), "assumption": "The disk is big enough"}
    found: str = world.ask("POST", "/api/actions/assumptions", body)[1]["assumption_id"]
    return found


def invalidate(world: World) -> None:
    path = f"/api/actions/assumptions/{add_assumption(world)}"
    assert world.ask("PATCH", path, {"validated": False, "invalidated_reason": "it is full"})[0] == 200


def beat(world: World, **said: str) -> None:
    assert world.ask("POST", "/api/agents/heartbeat", {"agent_id": "agent-1", **said})[0] == 200


# Each kind with what makes it and the ages at which it becomes amber and red.
AGES: list[tuple[str, Make, timedelta | None, timedelta | None]] = [
    ("agent_silent", beat, timedelta(minutes=10), None),
    ("agent_silent", lambda world: beat(world, current_task_id="t"), None, timedelta(minutes=10)),
    ("agent_silent", lambda world: beat(world, status="offline"), None, None),
    ("agent_silent", lambda world: beat(world, status="offline", current_task_id="t"), None, timedelta(minutes=10)),
    ("stale_loop", add_loop, timedelta(hours=48), timedelta(hours=96)),
    ("stale_assumption", add_assumption, timedelta(days=14), timedelta(days=30)),
    ("stale_assumption", invalidate, None, None),
    ("stale_running_action", start, timedelta(hours=4), timedelta(hours=24)),
]


@pytest.mark.parametrize(("kind", "make", "amber", "red"), AGES)
def test_what_gets_old_becomes_a_signal(
    world: World, kind: str, make: Make, amber: timedelta | None, red: timedelta | None
) -> None:
    make(world)
    begun = world.clock.now
    level: list[str] = []
    for age, reached in ((amber, ["amber"]), (red, ["red"])):
        if age is not None:
            world.clock.now = begun + age - SECOND
            assert severities(world, kind) == level
            world.clock.now = begun + age + SECOND
            assert severities(world, kind) == reached
            level = reached
    world.clock.now = begun + timedelta(days=60)
    assert severities(world, kind) == level


def test_many_actions_within_an_hour_are_a_spike(world: World) -> None:
    start(world, agent_id="another")
    found = {}
    for count in range(1, 22):
        start(world)
        found[count] = severities(world, "autonomy_spike")
    assert [count for count, level in found.items() if level == ["amber"]] == list(range(11, 21))
    assert [count for count, level in found.items() if level == ["red"]] == [21]
    world.clock.move(hours=1)
    assert severities(world, "autonomy_spike") == []


def test_failures_within_a_day_are_a_signal(world: World) -> None:
    finish(world, start(world), "completed")
    found = []
    for _ in range(6):
        finish(world, start(world), "failed")
        found.append(severities(world, "repeated_failures"))
    assert found == [[], [], [], ["amber"], ["amber"], ["red"]]
    world.clock.move(hours=24)
    assert severities(world, "repeated_failures") == []


def test_invalidated_assumptions_within_a_week_are_drift(world: World) -> None:
    found = []
    for _ in range(4):
        invalidate(world)
        found.append(severities(world, "assumption_drift"))
    assert found == [[], ["amber"], ["amber"], ["red"]]
    world.clock.move(days=6, hours=23)
    assert severities(world, "assumption_drift") == ["red"]
    world.clock.move(hours=2)
    assert severities(world, "assumption_drift") == []


def test_a_risky_action_that_nobody_authorized_is_a_signal(world: World) -> None:
    unsupervised: list[tuple[dict[str, Any], list[str]]] = [
        ({"risk_score": 69}, []),
        ({"risk_score": 70}, ["amber"]),
        ({"risk_score": 89}, ["amber"]),
        ({"risk_score": 90}, ["red"]),
        ({"risk_score": 90, "authorization_scope": "  "}, ["red"]),
        ({"risk_score": 90, "authorization_scope": "ticket 7"}, []),
        ({"risk_score": 90, "reversible": True}, []),
    ]
    for fields, expected in unsupervised:
        action_id = start(world, **{"action_type": "review", "reversible": False, **fields})
        assert severities(world, "high_impact_low_oversight") == expected, fields
        finish(world, action_id, "completed")
        assert severities(world, "high_impact_low_oversight") == []


def test_what_is_settled_is_no_signal(world: World) -> None:
    action_id = start(world)
    loop = {"action_id": action_id, "loop_type": "question", "description": "Who?"}
    _, opened = world.ask("POST", "/api/actions/loops", loop)
    world.ask("PATCH", f"/api/actions/loops/{opened['loop_id']}", {"status": "cancelled"})
    world.ask("PATCH", f"/api/actions/assumptions/{add_assumption(world)}", {"validated": True})
    finish(world, action_id, "completed")
    world.clock.move(days=60)
    kinds = {signal["type"] for signal in world.ask("GET", "/api/signals")[1]["signals"]}
    assert kinds == {"agent_silent", "stale_running_action"}, "the action of the assumption still runs"


def test_an_action_is_a_sign_of_life(world: World) -> None:
    beat(world)
    world.clock.move(minutes=9)
    start(world)
    world.clock.move(minutes=9)
    assert severities(world, "agent_silent") == []


def test_red_comes_before_amber_and_the_counts_agree(world: World) -> None:
    add_loop(world)
    add_assumption(world)
    world.clock.move(days=15)
    _, found = world.ask("GET", "/api/actions/signals")
    order = [(signal["severity"], signal["type"]) for signal in found["signals"]]
    assert order == [
        ("red", "stale_loop"),
        ("red", "stale_running_action"),
        ("red", "stale_running_action"),
        ("amber", "agent_silent"),
        ("amber", "stale_assumption"),
    ]
    assert found["counts"] == {"red": 3, "amber": 2, "total": 5}


def test_ten_of_a_kind_are_shown_and_they_never_hide_the_ones_of_another_agent(world: World) -> None:
    for _ in range(12):
        start(world)
    start(world, agent_id="late")
    world.clock.move(hours=5)
    assert len(severities(world, "stale_running_action")) == 10
    assert severities(world, "stale_running_action", agent_id="late") == ["amber"]
    assert severities(world, "stale_running_action", agent_id="nobody") == []
