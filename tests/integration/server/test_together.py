from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from sqlalchemy import select

from dashclaw.runtime.bootstrap import DEFAULT_ORG, ensure_default_org
from dashclaw.runtime.identity import Caller
from dashclaw.runtime.runtime import Runtime
from dashclaw.runtime.store.engine import DuplicateError, StoreError
from dashclaw.runtime.store.tables import agents
from dashclaw.server.together import MOST, Together


@pytest.fixture
def runtime(tmp_path: Path) -> Iterator[Runtime]:
    found = Runtime.open(str(tmp_path / "together.db"))
    ensure_default_org(found.store, starter_policies=False)
    yield found
    found.close()


def add(runtime: Runtime, name: str) -> str:
    with runtime.store.write(DEFAULT_ORG) as tx:
        row = {"org_id": DEFAULT_ORG, "agent_id": name, "status": "online"}
        tx.insert(agents, {**row, "last_heartbeat_at": tx.stamp, "created_at": tx.stamp})
    return name


def known(runtime: Runtime) -> list[str]:
    with runtime.store.read() as tx:
        return [row["agent_id"] for row in tx.all(select(agents.c.agent_id).order_by(agents.c.agent_id))]


async def all_of(together: Together, runtime: Runtime, names: list[str]) -> list[str | BaseException]:
    jobs = (together.run(lambda name=name: add(runtime, name)) for name in names)  # type: ignore[misc]
    return await asyncio.gather(*jobs, return_exceptions=True)


@contextmanager
def commits(runtime: Runtime) -> Iterator[list[int]]:
    """How often others committed while the block ran, as another connection sees it."""
    seen: list[int] = []
    counted = 0
    with closing(sqlite3.connect(str(runtime.store.url.database))) as watcher:
        version = watcher.execute("PRAGMA data_version").fetchone()
        original = runtime.store._transaction

        @contextmanager
        def counting(*args: object) -> Iterator[object]:
            nonlocal version, counted
            with original(*args) as tx:  # type: ignore[arg-type]
                yield tx
            now = watcher.execute("PRAGMA data_version").fetchone()
            counted += now != version
            version = now

        runtime.store._transaction = counting  # type: ignore[method-assign, assignment]
        yield seen
        runtime.store._transaction = original  # type: ignore[method-assign]
        seen.append(counted)


def test_what_arrives_together_is_committed_once(runtime: Runtime) -> None:
    names = [f"a{n}" for n in range(8)]
    with commits(runtime) as seen:
        assert asyncio.run(all_of(Together(runtime), runtime, names)) == names
    assert known(runtime) == names
    assert seen == [1]


def test_a_failing_write_is_undone_alone(runtime: Runtime) -> None:
    found = asyncio.run(all_of(Together(runtime), runtime, ["a", "b", "a", "c"]))
    assert [item if isinstance(item, str) else type(item) for item in found] == ["a", "b", DuplicateError, "c"]
    assert known(runtime) == ["a", "b", "c"]


def test_nobody_gets_an_answer_when_the_commit_fails(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    original = runtime.store.batch

    @contextmanager
    def failing() -> Iterator[None]:
        with original():
            yield
            raise StoreError("disk full")

    monkeypatch.setattr(runtime.store, "batch", failing)
    found = asyncio.run(all_of(Together(runtime), runtime, ["a", "b"]))
    assert [type(item) for item in found] == [StoreError, StoreError]
    assert known(runtime) == []


def test_policies_of_a_failed_commit_are_forgotten(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    original = runtime.store.batch

    @contextmanager
    def failing() -> Iterator[None]:
        with original():
            yield
            raise StoreError("disk full")

    def add_policy() -> None:
        caller = Caller(DEFAULT_ORG, "key_operator", "admin")
        operation, params = runtime.registry.match("POST", "/api/policies")
        body = {"name": "No", "policy_type": "block_action_type", "rules": {"action_types": ["research"]}}
        runtime.execute(operation, caller, params=params, query={}, body=body)

    def ask() -> str:
        caller = Caller(DEFAULT_ORG, "key_agent", "member")
        operation, params = runtime.registry.match("POST", "/api/guard")
        found = runtime.execute(operation, caller, params=params, query={}, body={"action_type": "research"})
        decision: str = found.body["decision"]
        return decision

    async def scene() -> list[object]:
        together = Together(runtime)
        return await asyncio.gather(together.run(add_policy), together.run(ask), return_exceptions=True)

    monkeypatch.setattr(runtime.store, "batch", failing)
    assert [type(item) for item in asyncio.run(scene())] == [StoreError, StoreError]
    assert ask() == "allow"


def test_a_crowd_is_committed_in_portions(runtime: Runtime) -> None:
    names = [f"a{n:03}" for n in range(MOST + 10)]
    with commits(runtime) as seen:
        assert asyncio.run(all_of(Together(runtime), runtime, names)) == names
    assert known(runtime) == names
    assert seen == [2]


def test_a_request_that_left_does_not_disturb_the_others(runtime: Runtime) -> None:
    async def scene() -> list[str | BaseException]:
        together = Together(runtime)
        leaving = asyncio.ensure_future(together.run(lambda: add(runtime, "left")))
        staying = asyncio.ensure_future(together.run(lambda: add(runtime, "stayed")))
        asyncio.get_running_loop().call_soon(leaving.cancel)
        return await asyncio.gather(leaving, staying, return_exceptions=True)

    left, stayed = asyncio.run(scene())
    assert isinstance(left, asyncio.CancelledError)
    assert stayed == "stayed"
    assert "stayed" in known(runtime)
