"""Policies that other processes change, and a process that runs for long."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import update

from dashclaw import DashClaw
from dashclaw._transport import Request
from dashclaw.local import LocalTransport
from dashclaw.runtime import policy_cache
from dashclaw.runtime.bootstrap import ensure_default_org
from dashclaw.runtime.identity import Caller
from dashclaw.runtime.policy_cache import PolicyCache
from dashclaw.runtime.runtime import Runtime
from dashclaw.runtime.store import hot, orgs
from dashclaw.runtime.store.tables import actions, agents, policies

from ..databases import database
from .conftest import ADMIN, Clock, World

OPERATOR = """
import json, sys
from dashclaw import DashClaw

with DashClaw.local(sys.argv[1], operator=True) as claw:
    for line in sys.stdin:
        verb, path, body = json.loads(line)
        print(json.dumps(claw.request(verb, path, body=body)), flush=True)
"""


class Operator:
    """Another process that changes the database on request."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def ask(self, verb: str, path: str, body: dict[str, object] | None = None) -> dict[str, dict[str, str]]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([verb, path, body]) + "\n")
        self._process.stdin.flush()
        answer: dict[str, dict[str, str]] = json.loads(self._process.stdout.readline())
        return answer


@contextmanager
def another_process(url: str) -> Iterator[Operator]:
    command = [sys.executable, "-c", OPERATOR, url]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Operator(process)
        finally:
            process.kill()


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_change_by_another_process_rules_the_very_next_decision(kind: str, tmp_path: Path) -> None:
    with (
        database(kind, tmp_path) as url,
        DashClaw.local(url, agent_id="a", starter_policies=False) as claw,
        another_process(url) as operator,
    ):

        def decision() -> str:
            found: str = claw.guard({"action_type": "db.drop"})["decision"]
            return found

        assert decision() == "allow"
        for _ in range(5):
            body = {"name": "p", "policy_type": "block_action_type", "rules": {"action_types": ["db.drop"]}}
            path = "/api/policies/" + operator.ask("POST", "/api/policies", body)["policy"]["id"]
            assert decision() == "block"
            operator.ask("PATCH", path, {"active": False})
            assert decision() == "allow"
            operator.ask("PATCH", path, {"active": True, "agent_ids": ["b"]})
            assert decision() == "allow"
            operator.ask("PATCH", path, {"agent_ids": ["a"]})
            assert decision() == "block"
            operator.ask("DELETE", path)
            assert decision() == "allow"
            operator.ask("PATCH", "/api/orgs/org_default", {"kill_switch": True})
            assert decision() == "block"
            operator.ask("PATCH", "/api/orgs/org_default", {"kill_switch": False})


def test_the_kill_switch_stops_new_actions_and_leaves_the_record_open(world: World) -> None:
    world.policy("allow_grant", {"action_types": ["*"]})
    _, running = world.act()
    world.ask("PATCH", "/api/orgs/org_default", {"kill_switch": True}, caller=ADMIN)
    status, refused = world.act()
    assert (status, refused["action"]["resolution"]) == (403, "blocked")
    assert "Kill switch" in refused["decision"]["reasons"][0]
    path = f"/api/actions/{running['action_id']}"
    assert world.ask("PATCH", path, {"status": "failed", "error_message": "stopped"})[0] == 200
    assert world.ask("GET", "/api/signals")[0] == 200


@pytest.mark.parametrize(
    "damage", [{"rules": "{not json"}, {"rules": "[1]"}, {"agent_ids": "a,b"}, {"agent_ids": '{"a": 1}'}]
)
def test_an_unreadable_policy_stops_everybody_until_it_is_repaired(world: World, damage: dict[str, str]) -> None:
    policy = world.policy("risk_threshold", {"threshold": 99})
    with world.runtime.store.write(ADMIN.org_id) as tx:
        tx.execute(update(policies).where(policies.c.id == policy).values(**damage))
        orgs.bump_policies(tx, ADMIN.org_id)
    for chosen, status in ((None, 202), ("block", 403), ("warn", 201)):
        if chosen is not None:
            world.ask("PATCH", "/api/orgs/org_default", {"guard_degradation": chosen}, caller=ADMIN)
        found, answer = world.act()
        assert (found, answer["decision"]["degraded"]) == (status, True)
        assert answer["decision"]["matched_policies"] == [policy]
    assert world.ask("GET", "/api/policies")[1]["policies"][0]["id"] == policy
    repaired = {"rules": {"threshold": 99}, "agent_ids": ["agent-1"]}
    assert world.ask("PATCH", f"/api/policies/{policy}", repaired, caller=ADMIN)[0] == 200
    status, answer = world.act()
    assert (status, answer["decision"]["degraded"]) == (201, False)


def test_a_record_that_cannot_be_read_hides_no_other(world: World) -> None:
    _, damaged = world.act(metadata={"a": 1})
    _, sound = world.act(metadata={"b": 2})
    with world.runtime.store.write(ADMIN.org_id) as tx:
        where = actions.c.action_id == damaged["action_id"]
        tx.execute(update(actions).where(where).values(systems_touched="[half"))
    _, listed = world.ask("GET", "/api/actions")
    assert {row["action_id"] for row in listed["actions"]} == {damaged["action_id"], sound["action_id"]}


def test_the_policies_of_few_organisations_are_held_at_a_time(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(policy_cache, "_MOST_ORGANISATIONS", 3)
    callers = [ADMIN]
    for number in range(6):
        _, made = world.ask("POST", "/api/orgs", {"name": "Other", "slug": f"other-{number}"}, caller=ADMIN)
        callers.append(Caller(made["organization"]["id"], f"key_{number}", "admin"))
    body = {"name": "p", "policy_type": "block_action_type", "rules": {"action_types": ["x"]}}
    assert world.ask("POST", "/api/policies", body, caller=callers[3])[0] == 201
    for _ in range(2):
        found = [world.ask("POST", "/api/guard", {"action_type": "x"}, caller=caller)[1] for caller in callers]
        assert [decision["decision"] for decision in found] == ["allow"] * 3 + ["block"] + ["allow"] * 3
        assert len(world.runtime.policies._known) <= 3


def test_an_unknown_organisation_is_not_remembered(world: World) -> None:
    before = len(world.runtime.policies._known)
    for number in range(5):
        stranger = Caller(f"org_{number}", "key", "admin")
        assert world.ask("POST", "/api/guard", {"action_type": "x"}, caller=stranger)[0] == 404
    assert len(world.runtime.policies._known) == before
    assert isinstance(world.runtime.policies, PolicyCache)


def test_compiled_inserts_are_bounded_and_still_work_beyond(monkeypatch: pytest.MonkeyPatch) -> None:
    known: dict[tuple[str, tuple[str, ...]], hot.Hot] = {}
    monkeypatch.setattr(hot, "_INSERTS", known)
    monkeypatch.setattr(hot, "_MOST_KEPT", 4)
    names = tuple(agents.c.keys())
    made = [hot.hot_insert(agents, names[:count]) for count in range(1, 8)]
    assert len(known) == 4
    assert hot.hot_insert(agents, names[:1]) is made[0]
    assert hot.hot_insert(agents, names[:7]) is not made[6]


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - a count of links that come and go


def test_many_followers_and_clients_leave_nothing_open(tmp_path: Path) -> None:
    path = str(tmp_path / "dashclaw.db")
    DashClaw.local(path, agent_id="a").close()
    runtime = Runtime.open(path)
    try:
        ensure_default_org(runtime.store, starter_policies=False)
        world = World(runtime, Clock(), path)
        world.act()
        before, threads = 0, threading.active_count()
        for round_ in range(20):
            if round_ == 3:  # SQLite keeps the files of a few closed connections for the next ones
                before = open_files()
            followers = [runtime.feed.follow(ADMIN.org_id, 0) for _ in range(5)]
            assert all(follower.next(timeout=0) for follower in followers)
            for follower in followers:
                follower.close()
                follower.close()
            with DashClaw.local(path, agent_id="a") as claw:
                claw.guard({"action_type": "research"})
        assert open_files() <= before
        assert threading.active_count() == threads
    finally:
        runtime.close()


def test_closed_streams_of_a_client_are_forgotten(tmp_path: Path) -> None:
    transport = LocalTransport.open(str(tmp_path / "dashclaw.db"), agent_id="a")
    try:
        for _ in range(10):
            stream = transport.stream(Request("GET", "/api/stream", {}, None), 5.0)
            assert (stream.read(0.0) or b"").startswith(b"event: connected")
            stream.close()
        assert transport._streams == set()
        left = transport.stream(Request("GET", "/api/stream", {}, None), 5.0)
        left.read(0.0)
    finally:
        transport.close()
    assert left.read(1.0) == b""
