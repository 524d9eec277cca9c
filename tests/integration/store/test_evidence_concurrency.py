"""Several processes write and link at once: no fork in the chain, nothing lost, nothing linked twice."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from dashclaw import DashClaw, RetryPolicy
from dashclaw.runtime.evidence.sequencer import link_events
from dashclaw.runtime.identity import Caller
from dashclaw.runtime.runtime import Runtime

from ..databases import database
from .competing import ORG, assert_linked_once, recorded, writers

ROUNDS = 60
CLIENTS = 8
CALLS = 12


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_four_processes_write_and_link_one_database(kind: str, tmp_path: Path) -> None:
    names = [f"agent-{number}" for number in range(4)]
    with database(kind, tmp_path) as url, writers(url, tmp_path, names, rounds=ROUNDS) as four:
        for writer in four:
            writer.process.join(90)
            assert writer.process.exitcode == 0
        answered = {pair for writer in four for pair in writer.answered()}
        assert len(answered) == 4 * ROUNDS * 3
        count = assert_linked_once(url, seconds=5)
        # Each round made a second decision, with the action.
        assert count >= 4 * ROUNDS * 4
        runtime = Runtime.open(url)
        try:
            with runtime.store.read() as tx:
                assert answered <= recorded(tx)
        finally:
            runtime.close()


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_many_sequencers_link_each_event_once(kind: str, tmp_path: Path) -> None:
    with database(kind, tmp_path) as url, ExitStack() as stack:
        runtimes = [Runtime.open(url) for _ in range(4)]
        for runtime in runtimes:
            stack.callback(runtime.close)
            runtime.store.on_events = None
        agent = Caller(ORG, "key_agent", "member")
        for _ in range(20):
            with runtimes[0].store.write(ORG) as tx:
                for number in range(50):
                    tx.emit(agent, "message.read", "inbox", str(number), {"number": number})
        with ThreadPoolExecutor(4) as pool:
            linked = list(pool.map(link_in_small_steps, runtimes))
        assert sum(linked) == 1000
        assert assert_linked_once(url, seconds=1) == 1000


def link_in_small_steps(runtime: Runtime) -> int:
    """Link until nothing is left, while others do; returns how many this one linked."""
    total = idle = 0
    while idle < 30:
        done = link_events(runtime.store, ORG, 7)
        idle = 0 if done else idle + 1
        total += done
    return total


@pytest.mark.slow
def test_four_servers_over_one_database_with_eight_clients_each(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "dashclaw", "serve", "--port", "0", "--json", "--no-starter-policies", "--db"]
    with database("postgresql", tmp_path) as url, ExitStack() as stack:
        Runtime.open(url).close()
        addresses, key = [], ""
        for _ in range(4):
            pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
            child = stack.enter_context(subprocess.Popen([*command, url], **pipes, text=True))  # type: ignore[call-overload]
            stack.callback(child.kill)
            said = json.loads(child.stdout.readline())
            addresses.append(said["url"])
            key = key or said["agent_key"]
        with ThreadPoolExecutor(4 * CLIENTS) as pool:
            asked = [
                pool.submit(ask, address, key, f"agent-{at}-{number}")
                for at, address in enumerate(addresses)
                for number in range(CLIENTS)
            ]
            answered = [pair for future in asked for pair in future.result(timeout=90)]
        assert len(set(answered)) == 4 * CLIENTS * CALLS * 2
        assert assert_linked_once(url, seconds=5) >= 4 * CLIENTS * CALLS * 3
        runtime = Runtime.open(url)
        try:
            with runtime.store.read() as tx:
                assert set(answered) <= recorded(tx)
        finally:
            runtime.close()


def ask(url: str, key: str, agent_id: str) -> list[tuple[str, str]]:
    """Guard and record; returns what was answered."""
    answered = []
    with DashClaw(url, key, agent_id=agent_id, retry=RetryPolicy(base=0.0, cap=0.0), timeout=60) as claw:
        for number in range(CALLS):
            answered.append(("guard.decision.created", claw.guard({"action_type": "research"})["decision_id"]))
            answered.append(("action.created", claw.create_action("research", f"Read {number}")["action_id"]))
    return answered
