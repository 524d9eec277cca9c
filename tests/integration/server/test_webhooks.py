"""The server sends events by itself, and stops at once."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dashclaw import DashClaw
from dashclaw.runtime.bootstrap import DEFAULT_ORG, ensure_default_org
from dashclaw.runtime.identity import Caller
from dashclaw.runtime.runtime import Runtime
from dashclaw.runtime.settings import Settings
from dashclaw.runtime.store import webhooks as rows
from dashclaw.server.upkeep import Upkeep, signals, webhooks

from ..runtime.checker import Checker, checking, hang
from ..serving import Served
from .support import Http, clients, eventually
from .test_process import serving


@pytest.fixture
def receiver() -> Iterator[Checker]:
    with checking() as found:
        yield found


@pytest.fixture
def runtime(tmp_path: Path) -> Iterator[Runtime]:
    found = Runtime.open(str(tmp_path / "dashclaw.db"), settings=Settings(allow_private_webhooks=True))
    ensure_default_org(found.store, starter_policies=False)
    yield found
    found.close()


def ask(runtime: Runtime, verb: str, path: str, body: dict[str, object]) -> None:
    operation, params = runtime.registry.match(verb, path)
    caller = Caller(DEFAULT_ORG, "key_operator", "admin")
    runtime.execute(operation, caller, params=params, query={}, body=body)


def act(runtime: Runtime) -> None:
    ask(runtime, "POST", "/api/actions", {"action_type": "x", "declared_goal": "g", "agent_id": "a"})


def test_events_are_sent_soon_and_more_follow_without_a_pause(runtime: Runtime, receiver: Checker) -> None:
    ask(runtime, "POST", "/api/webhooks", {"url": receiver.url, "events": ["action.created"]})
    upkeep = webhooks(runtime)
    try:
        for _ in range(40):
            act(runtime)
        eventually(lambda: len(receiver.asked) == 40)
    finally:
        upkeep.close()
    assert not upkeep._thread.is_alive()


def test_a_stop_does_not_wait_for_a_receiver(runtime: Runtime, receiver: Checker) -> None:
    ask(runtime, "POST", "/api/webhooks", {"url": receiver.url, "events": ["action.created"]})
    receiver.way = hang
    act(runtime)
    upkeep = webhooks(runtime)
    eventually(lambda: receiver.asked)
    begun = time.monotonic()
    upkeep.close()
    assert time.monotonic() - begun < 8, "a call may take 10 seconds"
    receiver.stop.set()


def test_signals_are_noticed_at_the_start(tmp_path: Path) -> None:
    path = str(tmp_path / "dashclaw.db")
    with DashClaw.local(path, agent_id="a", starter_policies=False) as claw:
        claw.create_action("x", "g", risk_score=95, reversible=False)
    runtime = Runtime.open(path, settings=Settings())
    upkeep = signals(runtime)
    try:

        def known() -> set[str]:
            with runtime.store.read() as tx:
                return rows.signals_on(tx, DEFAULT_ORG)

        eventually(known)
    finally:
        upkeep.close()
        runtime.close()


def test_a_job_that_is_woken_runs_now() -> None:
    wake, runs = threading.Event(), []
    upkeep = Upkeep("test", lambda: runs.append(1), 3600, wake=wake)
    try:
        eventually(lambda: len(runs) == 1)
        wake.set()
        eventually(lambda: len(runs) == 2)
    finally:
        upkeep.close()


def test_a_test_does_not_hold_up_other_requests(server: Served, receiver: Checker) -> None:
    admin, agent = clients(server)
    hook = admin.made("POST", "/api/webhooks", {"url": receiver.url})["webhook"]["id"]
    receiver.way = hang
    answers: list[bool] = []

    def test() -> None:
        answers.append(admin.made("POST", f"/api/webhooks/{hook}/test")["success"])

    thread = threading.Thread(target=test)
    thread.start()
    try:
        eventually(lambda: receiver.asked)
        assert agent.ask("GET", "/api/actions").status == 200
        assert agent.ask("POST", "/api/guard", {"action_type": "x"}).status == 200
        assert answers == []
    finally:
        receiver.stop.set()
        thread.join(timeout=20)
    assert answers == [False], "it hung up without an answer"


def test_a_killed_server_goes_on_where_it_was(tmp_path: Path, receiver: Checker) -> None:
    database = tmp_path / "dashclaw.db"
    allowed = {"DASHCLAW_ALLOW_PRIVATE_WEBHOOKS": "true"}
    body = {"action_type": "x", "declared_goal": "g", "agent_id": "a"}
    with serving(database, **allowed) as first:
        operator = Http(first.said["url"], first.said["admin_key"])
        operator.made("POST", "/api/webhooks", {"url": receiver.url, "events": ["action.created"]})
        actions = [operator.made("POST", "/api/actions", body)["action_id"] for _ in range(5)]
        eventually(lambda: len(receiver.asked) >= 5)
        first.stop(9)
        first.ended()
    with DashClaw.local(database, agent_id="a") as claw:
        actions.append(claw.create_action("x", "meanwhile")["action_id"])
    with serving(database, **allowed) as second:
        eventually(lambda: {asked.body["resource_id"] for asked in receiver.asked} == set(actions))
        begun = time.monotonic()
        second.stop()
        assert second.ended()[0] == 0
        assert time.monotonic() - begun < 20
