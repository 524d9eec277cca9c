"""What is told to agents and to those who submitted a task: after the change, at least once, to public addresses."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator
from typing import Any

import pytest

from dashclaw.runtime.delivery import GIVE_UP_HOURS, LEASE_SECONDS
from dashclaw.runtime.problems import Problem
from dashclaw.runtime.routing.due import keep_all_up
from dashclaw.runtime.routing.tasks import submit, tell
from dashclaw.runtime.settings import Settings
from dashclaw.runtime.store.retention import sweep

from .checker import Checker, checking, hang, says
from .conftest import ADMIN, AGENT, World
from .test_routing import agent, complete, shown, task


@pytest.fixture
def checker() -> Iterator[Checker]:
    with checking() as found:
        yield found


@pytest.fixture(autouse=True)
def local_addresses(world: World) -> None:
    """Addresses of this machine may be called, and what is sent is signed."""
    chosen = world.runtime.settings._replace(allow_private_webhooks=True, webhook_secret="shared")
    world.runtime.settings = chosen


def arrived(world: World, checker: Checker) -> list[Any]:
    """The bodies that came until nothing is being sent."""
    assert world.runtime.courier.settle(30)
    return [asked.body for asked in checker.asked]


def messages(world: World, task_id: str) -> Any:
    return shown(world, task_id)["messages"]


def test_the_agent_and_the_caller_are_told(world: World, checker: Checker) -> None:
    agent(world, "analyst", endpoint=f"{checker.url}/agent")
    key = task(world, callbackUrl=f"{checker.url}/done")["task_id"]
    [assigned] = arrived(world, checker)
    assert (assigned["event"], assigned["task"]["id"], assigned["routing"]["agent_name"]) == (
        "task.assigned",
        key,
        "analyst",
    )
    complete(world, key, result={"pages": 3})
    *_, completed = arrived(world, checker)
    assert (completed["event"], completed["task"]["result"]) == ("task.completed", {"pages": 3})
    assert [asked.path for asked in checker.asked] == ["/agent", "/done"]
    told = messages(world, key)
    assert {(one["event"], one["status"], one["attempts"], one["next_at"]) for one in told} == {
        ("task.assigned", "delivered", 1, None),
        ("task.completed", "delivered", 1, None),
    }


def test_a_message_is_signed_as_webhooks_are(world: World, checker: Checker) -> None:
    agent(world)
    complete(world, task(world, callbackUrl=checker.url)["task_id"])
    arrived(world, checker)
    [asked] = checker.asked
    moment = asked.headers["X-DashClaw-Timestamp"]
    digest = hmac.new(b"shared", moment.encode() + b"." + asked.raw, hashlib.sha256).hexdigest()
    assert asked.headers["X-DashClaw-Signature"] == f"v1={digest}"
    assert asked.headers["X-DashClaw-Event"] == "task.completed"


def test_the_caller_is_told_of_an_escalation_too(world: World, checker: Checker) -> None:
    agent(world)
    key = task(world, callbackUrl=checker.url, timeoutSeconds=60, maxRetries=0)["task_id"]
    assert arrived(world, checker) == []
    world.clock.move(seconds=61)
    keep_all_up(world.runtime)
    [told] = arrived(world, checker)
    assert (told["event"], told["task"]["id"], told["routing"]["reason"]) == (
        "task.escalated",
        key,
        "Not done within 60 s",
    )


def test_what_fails_is_sent_again_later_and_given_up_after_a_day(world: World, checker: Checker) -> None:
    checker.way = says({}, 503)
    agent(world)
    key = task(world, callbackUrl=checker.url)["task_id"]
    complete(world, key)
    assert len(arrived(world, checker)) == 1
    [told] = messages(world, key)
    assert (told["status"], told["error"]) == ("retrying", "it answered with status 503")
    assert len(arrived(world, checker)) == 1
    world.clock.move(seconds=11)
    [told] = messages(world, key)
    assert len(arrived(world, checker)) == 2
    world.clock.move(hours=GIVE_UP_HOURS)
    keep_all_up(world.runtime)
    assert len(arrived(world, checker)) == 3
    [told] = messages(world, key)
    assert (told["status"], told["attempts"], told["next_at"]) == ("failed", 3, None)
    world.clock.move(hours=1)
    keep_all_up(world.runtime)
    assert len(arrived(world, checker)) == 3
    _, answer = world.ask("GET", "/api/activity", caller=ADMIN)
    assert "routing.message.failed" in {row["action"] for row in answer["logs"]}


def test_a_message_whose_sender_died_is_sent_when_its_lease_ends(world: World, checker: Checker) -> None:
    with world.runtime.store.write(AGENT.org_id) as tx:
        row, _ = submit(tx, AGENT, {"title": "Report"})
        tell(tx, row, "task.completed", checker.url, {"status": "completed"})
    courier = world.runtime.courier
    [taken] = courier._claims(AGENT.org_id)
    assert taken["attempts"] == 1
    assert courier._claims(AGENT.org_id) == []
    world.clock.move(seconds=LEASE_SECONDS + 1)
    keep_all_up(world.runtime)
    assert len(arrived(world, checker)) == 1
    [told] = messages(world, row["id"])
    assert (told["status"], told["attempts"]) == ("delivered", 2)


def test_what_was_delivered_long_ago_is_forgotten(world: World, checker: Checker) -> None:
    agent(world, endpoint=checker.url)
    key = task(world)["task_id"]
    complete(world, key)
    arrived(world, checker)
    assert sweep(world.runtime.store, Settings(delivery_days=2))["deliveries"] == 0
    world.clock.move(days=3)
    with world.runtime.store.write(AGENT.org_id) as tx:
        waiting, _ = submit(tx, AGENT, {"title": "Later"})
        tell(tx, waiting, "task.completed", checker.url, {"status": "completed"})
    assert sweep(world.runtime.store, Settings(delivery_days=2))["deliveries"] == 1
    assert messages(world, key) == []
    assert {one["event"] for one in messages(world, waiting["id"])} == {"task.assigned", "task.completed"}


def test_nothing_is_told_of_a_change_that_did_not_happen(world: World, checker: Checker) -> None:
    agent(world, endpoint=checker.url)

    def half_way() -> None:
        with world.runtime.store.write(AGENT.org_id) as tx:
            submit(tx, AGENT, {"title": "Never"})
            world.runtime.courier.look(tx, AGENT.org_id)
            raise Problem(409, "CONFLICT", "half way")

    with pytest.raises(Problem, match="half way"):
        half_way()
    assert arrived(world, checker) == []


def test_a_private_address_is_judged_again_when_it_is_called(world: World, checker: Checker) -> None:
    agent(world)
    key = task(world, callbackUrl=checker.url)["task_id"]
    world.runtime.settings = world.runtime.settings._replace(allow_private_webhooks=False)
    complete(world, key)
    assert arrived(world, checker) == []
    [told] = messages(world, key)
    assert told["status"] == "retrying"
    assert "its address must use https" in told["error"]


def test_a_redirect_is_not_followed(world: World, checker: Checker) -> None:
    checker.way = lambda handler: handler.answer(b"", 302, Location=f"{checker.url}/elsewhere")
    agent(world)
    key = task(world, callbackUrl=f"{checker.url}/done")["task_id"]
    complete(world, key)
    arrived(world, checker)
    assert [asked.path for asked in checker.asked] == ["/done"]
    assert "redirects are refused" in messages(world, key)[0]["error"]


def test_closing_does_not_wait_for_a_receiver_that_hangs(world: World, checker: Checker) -> None:
    checker.way = hang
    agent(world)
    complete(world, task(world, callbackUrl=checker.url)["task_id"])
    world.runtime.close()
    checker.stop.set()
    assert world.runtime.courier.settle(30)
