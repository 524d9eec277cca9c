"""Signals become events: one when a signal begins, another when it comes back."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from dashclaw.runtime.identity import Caller
from dashclaw.runtime.services.signals import TYPES
from dashclaw.runtime.signal_watch import detect

from .checker import Checker, checking
from .conftest import ADMIN, World
from .delivering import Post


@pytest.fixture
def receiver() -> Iterator[Checker]:
    with checking() as found:
        yield found


def beat(world: World, agent: str = "quiet") -> None:
    assert world.ask("POST", "/api/agents/heartbeat", {"agent_id": agent})[0] == 200


def detected(world: World, caller: Caller = ADMIN) -> list[tuple[str, str | None]]:
    """The type and agent of every signal that was told, in that order."""
    _, found = world.ask("GET", "/api/events", caller=caller, query={"limit": "200"})
    events: list[dict[str, Any]] = [event for event in found["events"] if event["event"] == "signal.detected"]
    return [(event["data"]["type"], event["agent_id"]) for event in events]


def test_a_signal_is_told_when_it_begins_and_again_when_it_comes_back(world: World) -> None:
    beat(world)
    assert detect(world.runtime) == 0
    world.clock.move(minutes=11)
    assert [detect(world.runtime) for _ in range(3)] == [1, 0, 0]
    beat(world)
    assert detect(world.runtime) == 0
    world.clock.move(minutes=11)
    assert detect(world.runtime) == 1
    assert detected(world) == [("agent_silent", "quiet")] * 2


def test_each_subject_is_a_signal_of_its_own(world: World) -> None:
    for agent in ("a", "b"):
        for _ in range(2):
            world.act("x", risk_score=90, reversible=False, agent_id=agent)
    assert detect(world.runtime) == 4
    world.clock.move(hours=5)
    assert detect(world.runtime) == 4 + 2, "they never finished, and the agents are silent"
    assert {kind for kind, _ in detected(world)} == {
        "high_impact_low_oversight",
        "stale_running_action",
        "agent_silent",
    }


def test_signals_beyond_those_that_are_shown_do_not_come_and_go(world: World) -> None:
    for number in range(15):
        beat(world, f"agent-{number:02}")
    world.clock.move(minutes=11)
    assert detect(world.runtime) == 15
    beat(world, "agent-00")
    assert detect(world.runtime) == 0
    assert len(detected(world)) == 15


def test_the_signals_of_every_organisation_are_told_to_itself(world: World) -> None:
    _, made = world.ask("POST", "/api/orgs", {"name": "Other", "slug": "other"}, caller=ADMIN)
    other = Caller(made["organization"]["id"], "key_other", "admin")
    world.ask("POST", "/api/agents/heartbeat", {"agent_id": "theirs"}, caller=other)
    beat(world, "ours")
    world.clock.move(minutes=11)
    assert detect(world.runtime) == 2
    assert detected(world) == [("agent_silent", "ours")]
    assert detected(world, other) == [("agent_silent", "theirs")]


def test_two_servers_tell_a_signal_once(world: World) -> None:
    beat(world)
    world.clock.move(minutes=11)
    begun: list[int] = []
    start = threading.Barrier(2)

    def work() -> None:
        start.wait(20)
        begun.append(detect(world.runtime))

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(begun) == [0, 1]
    assert len(detected(world)) == 1


def test_a_walk_that_is_stopped_ends(world: World) -> None:
    beat(world)
    world.clock.move(minutes=11)
    stop = threading.Event()
    stop.set()
    assert detect(world.runtime, stop) == 0
    assert detect(world.runtime) == 1


def test_a_webhook_gets_the_signals_that_it_asked_for(world: World, receiver: Checker) -> None:
    post = Post(world, receiver)
    for events in (["agent_silent"], ["stale_loop"], ["signal.detected"], ["all"]):
        post.hook(events, url=f"{receiver.url}/{events[0]}")
    beat(world)
    world.clock.move(minutes=11)
    detect(world.runtime)
    post.deliver()
    signals = [asked for asked in receiver.asked if asked.body["event"] == "signal.detected"]
    assert {asked.path for asked in signals} == {"/agent_silent", "/signal.detected", "/all"}
    assert [signal["type"] for signal in signals[0].body["signals"]] == ["agent_silent"]
    assert signals[0].body["data"] == signals[0].body["signals"][0]
    assert [asked.path for asked in receiver.asked if asked not in signals] == ["/all"], "the heartbeat"


def test_every_type_of_signal_can_be_asked_for(world: World, receiver: Checker) -> None:
    assert Post(world, receiver).create(list(TYPES))[0] == 201
