"""What was answered is recorded, also when the process dies the moment after, and whoever else writes."""

from __future__ import annotations

import json
import random
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from dashclaw import DashClaw, DashClawError, RetryPolicy
from dashclaw.runtime.bootstrap import SYSTEM, ensure_default_org
from dashclaw.runtime.runtime import Runtime
from dashclaw.runtime.services.policies import add_policy
from dashclaw.runtime.store.tables import action_counts, actions, decision_counts, events, guard_decisions

from ...unit.client.support import eventually
from ..databases import database

WRITER = str(Path(__file__).with_name("writer.py"))
FOR_EVER = 1_000_000
ROUNDS = 80


@contextmanager
def writer(url: str, agent_id: str, rounds: int = FOR_EVER) -> Iterator[subprocess.Popen[str]]:
    """A process that writes to the database; killed when the block ends."""
    command = [sys.executable, WRITER, url, agent_id, str(rounds)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def told(text: str) -> list[tuple[str, str]]:
    """The whole lines of a writer as pairs of kind and id."""
    whole = text[: text.rfind("\n") + 1]
    return [(kind, key) for kind, _, key in (line.partition(" ") for line in whole.splitlines())]


def recorded(url: str) -> dict[str, Any]:
    """What the tables hold, by the kinds that a writer tells."""
    runtime = Runtime.open(url)
    try:
        with runtime.store.read() as tx:
            statuses = {row["action_id"]: row["status"] for row in tx.all(select(actions))}
            return {
                "decision": {row["id"] for row in tx.all(select(guard_decisions.c.id))},
                "action": set(statuses),
                "outcome": {key for key, status in statuses.items() if status == "completed"},
                "events": Counter((row["event"], row["resource_id"]) for row in tx.all(select(events))),
                "decisions counted": tx.scalar(select(func.sum(decision_counts.c.n))),
                "actions counted": tx.scalar(select(func.sum(action_counts.c.n))),
            }
    finally:
        runtime.close()


def assert_whole(found: dict[str, Any]) -> None:
    """Counters and events agree with the rows: every transaction is there whole or not at all."""
    assert found["decisions counted"] == len(found["decision"])
    assert found["actions counted"] == len(found["action"])
    expected = Counter({("guard.decision.created", key): 1 for key in found["decision"]})
    expected += Counter({("action.created", key): 1 for key in found["action"]})
    expected += Counter({("action.updated", key): 1 for key in found["outcome"]})
    assert {key: n for key, n in found["events"].items() if key[0].startswith(("guard.", "action."))} == expected


def integrity(path: str) -> str:
    with closing(sqlite3.connect(path)) as connection:
        sound: str = connection.execute("PRAGMA integrity_check").fetchone()[0]
        return sound


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_what_was_answered_survives_the_death_of_the_process(kind: str, tmp_path: Path) -> None:
    chance = random.Random(20260301)
    answered: list[tuple[str, str]] = []
    with database(kind, tmp_path) as url:
        for round_ in range(6 if kind == "sqlite" else 2):
            with writer(url, f"agent-{round_}") as process:
                assert process.stdout is not None
                first = "".join(process.stdout.readline() for _ in range(chance.randint(1, 100)))
                process.kill()
                rest, trouble = process.communicate(timeout=30)
            assert trouble == ""
            answered += told(first + rest)
            found = recorded(url)
            for name in ("decision", "action", "outcome"):
                assert {key for said, key in answered if said == name} <= found[name]
            assert_whole(found)
            if kind == "sqlite":
                assert integrity(url) == "ok"
    assert len(answered) > 50


@contextmanager
def server(path: Path) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    """A served database and what the server said at its start."""
    command = [
        sys.executable,
        "-m",
        "dashclaw",
        "serve",
        "--db",
        str(path),
        "--port",
        "0",
        "--json",
        "--no-starter-policies",
    ]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, **pipes, text=True) as process:  # type: ignore[call-overload]
        try:
            yield process, json.loads(process.stdout.readline())
        finally:
            process.kill()


def ask_until_it_dies(url: str, key: str, agent_id: str, answered: list[tuple[str, str]]) -> None:
    """Guard and record without end; every answer is noted."""
    with (
        suppress(DashClawError),
        DashClaw(url, key, agent_id=agent_id, retry=RetryPolicy(base=0.0, cap=0.0), timeout=10) as claw,
    ):
        for number in range(FOR_EVER):
            answered.append(("decision", claw.guard({"action_type": "research"})["decision_id"]))
            answered.append(("action", claw.create_action("research", f"Read {number}")["action_id"]))


def test_what_a_server_answered_to_many_survives_its_death(tmp_path: Path) -> None:
    chance = random.Random(20260302)
    path = tmp_path / "dashclaw.db"
    key = ""
    answered: list[tuple[str, str]] = []
    for _ in range(3):
        with server(path) as (process, said), ThreadPoolExecutor(6) as pool:
            key = key or said["agent_key"]
            enough = len(answered) + chance.randint(20, 200)
            asking = [pool.submit(ask_until_it_dies, said["url"], key, f"a{n}", answered) for n in range(6)]
            eventually(lambda enough=enough: len(answered) > enough, seconds=60)
            process.kill()
            for future in asking:
                future.result(timeout=60)
        assert integrity(str(path)) == "ok"
        found = recorded(str(path))
        for name in ("decision", "action"):
            assert {key for said, key in answered if said == name} <= found[name]
        assert_whole(found)


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_two_processes_write_at_once_and_lose_nothing(kind: str, tmp_path: Path) -> None:
    with (
        database(kind, tmp_path) as url,
        writer(url, "one", rounds=ROUNDS) as one,
        writer(url, "two", rounds=ROUNDS) as two,
    ):
        answered = []
        for process in (one, two):
            said, trouble = process.communicate(timeout=60)
            assert (process.returncode, trouble) == (0, "")
            answered += told(said)
        found = recorded(url)
    assert len(answered) == 2 * ROUNDS * 3
    for name in ("action", "outcome"):
        assert {key for said, key in answered if said == name} == found[name]
    assert {key for said, key in answered if said == "decision"} < found["decision"]
    assert len(found["decision"]) == 2 * ROUNDS * 2
    assert_whole(found)


def test_a_rate_limit_holds_between_two_processes(tmp_path: Path) -> None:
    path = str(tmp_path / "dashclaw.db")
    runtime = Runtime.open(path)
    try:
        ensure_default_org(runtime.store, starter_policies=False)
        rules = {"max_actions": 40, "window_minutes": 60, "action": "warn"}
        with runtime.store.write(SYSTEM.org_id) as tx:
            add_policy(tx, SYSTEM, {"name": "limit", "policy_type": "rate_limit", "rules": rules})
        with writer(path, "shared", rounds=40) as one, writer(path, "shared", rounds=40) as two:
            assert one.wait(timeout=60) == two.wait(timeout=60) == 0
        with runtime.store.read() as tx:
            made = Counter(row["decision"] for row in tx.all(select(guard_decisions.c.decision)))
    finally:
        runtime.close()
    assert made == {"allow": 40, "warn": 120}
