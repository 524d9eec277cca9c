"""A runtime on each database, with a clock that tests move."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from dashclaw.runtime.bootstrap import DEFAULT_ORG, ensure_default_org
from dashclaw.runtime.identity import Caller
from dashclaw.runtime.problems import Problem
from dashclaw.runtime.runtime import Runtime
from dashclaw.runtime.store.tables import metadata

from ..databases import database

ADMIN = Caller(DEFAULT_ORG, "key_operator", "admin")
AGENT = Caller(DEFAULT_ORG, "key_agent", "member")


class Clock:
    """Time that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = datetime(2026, 3, 1, 12, 0, tzinfo=timezone.utc)

    def __call__(self) -> datetime:
        self.now += timedelta(microseconds=1)
        return self.now

    def move(self, **parts: float) -> None:
        self.now += timedelta(**parts)


class World:
    """A runtime and short ways to ask it."""

    def __init__(self, runtime: Runtime, clock: Clock, url: str) -> None:
        self.runtime = runtime
        self.clock = clock
        self.url = url

    def ask(
        self,
        verb: str,
        path: str,
        body: dict[str, Any] | None = None,
        *,
        caller: Caller = AGENT,
        query: dict[str, str] | None = None,
        key: str | None = None,
    ) -> tuple[int, Any]:
        """The status and body of an answer, refusals included."""
        try:
            operation, params = self.runtime.registry.match(verb, path)
            answer = self.runtime.execute(
                operation, caller, params=params, query=query or {}, body=body or {}, idempotency_key=key
            )
        except Problem as problem:
            return problem.status, problem.body()
        return answer.status or 0, answer.body

    def policy(self, policy_type: str, rules: dict[str, Any], **more: Any) -> str:
        """Add a policy and return its id."""
        body = {
            "name": f"{policy_type} {len(rules)} {self.clock()}",
            "policy_type": policy_type,
            "rules": rules,
            **more,
        }
        status, answer = self.ask("POST", "/api/policies", body, caller=ADMIN)
        assert status == 201, answer
        found: str = answer["policy"]["id"]
        return found

    def act(self, action_type: str = "research", **fields: Any) -> tuple[int, Any]:
        """Create an action."""
        body = {"action_type": action_type, "declared_goal": "Find out", "agent_id": "agent-1", **fields}
        return self.ask("POST", "/api/actions", body)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with the newest schema, to be copied."""
    path = tmp_path_factory.mktemp("template") / "dashclaw.db"
    Runtime.open(str(path)).close()
    return path


@pytest.fixture(scope="session")
def postgres_schema(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A PostgreSQL schema with the tables, to be emptied before each use."""
    with database("postgresql", tmp_path_factory.mktemp("template")) as url:
        Runtime.open(url).close()
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    """An empty database with one organisation."""
    if request.param == "sqlite":
        url = str(shutil.copy(request.getfixturevalue("sqlite_template"), tmp_path))
    else:
        url = request.getfixturevalue("postgres_schema")
    clock = Clock()
    runtime = Runtime.open(url, clock=clock)
    try:
        with runtime.store.engine.begin() as connection:
            for table in metadata.sorted_tables:
                connection.execute(table.delete())
        ensure_default_org(runtime.store, starter_policies=False)
        yield World(runtime, clock, url)
    finally:
        runtime.close()
