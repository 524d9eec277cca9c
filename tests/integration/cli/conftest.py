"""The command line in this process, against an embedded database and against a real server."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from dashclaw import ApprovalPendingError, DashClaw
from dashclaw.cli import main

from ..serving import Served, served


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the developer's shell says must not decide a test."""
    for name in ("DASHCLAW_DB", "DASHCLAW_DATABASE_URL", "DASHCLAW_BASE_URL", "DASHCLAW_API_KEY", "DASHCLAW_ADMIN_KEY"):
        monkeypatch.delenv(name, raising=False)


class Shown(NamedTuple):
    """How a command ended and what it printed."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The one JSON document on stdout."""
        return json.loads(self.out)


Run = Callable[..., Shown]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def call(*words: str) -> Shown:
        try:
            code = main(words)
        except SystemExit as left:
            code = left.code if isinstance(left.code, int) else 1
        return Shown(code, *capsys.readouterr())

    return call


class Place:
    """Where commands look, and the agent that acts there."""

    def __init__(self, agent: DashClaw, run: Run, words: tuple[str, ...]) -> None:
        self.agent = agent
        self._run = run
        self.words = words

    def run(self, *words: str) -> Shown:
        return self._run(*words, *self.words)

    def done(self, goal: str = "Compare vendors", **fields: Any) -> str:
        """The id of a completed action."""
        with self.agent.track("research", goal, **fields) as action:
            action.set(output_summary="Done")
        return str(action.action_id)

    def waiting(self, goal: str = "Ship it", **fields: Any) -> str:
        """The id of an action that waits for a person."""
        try:
            with self.agent.track("deploy", goal, risk_score=95, **fields):
                raise AssertionError("it ran")
        except ApprovalPendingError as pending:
            return str(pending.action_id)


@pytest.fixture
def embedded(tmp_path: Path, run: Run) -> Iterator[Place]:
    """An embedded database with the starter policies."""
    database = tmp_path / "dashclaw.db"
    with DashClaw.local(database, agent_id="agent-1") as agent:
        yield Place(agent, run, ("--db", str(database)))


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Served]:
    with served(str(tmp_path / "served.db")) as found:
        with DashClaw(found.url, found.admin_key) as operator:
            rules = {"threshold": 80, "action": "require_approval"}
            body = {"name": "High risk needs approval", "policy_type": "risk_threshold", "rules": rules}
            operator.request("POST", "/api/policies", body=body)
        yield found


@pytest.fixture
def remote(server: Served, run: Run) -> Iterator[Place]:
    """A real server."""
    with DashClaw(server.url, server.agent_key, agent_id="agent-1") as agent:
        yield Place(agent, run, ("--url", server.url, "--api-key", server.admin_key))


@pytest.fixture(params=["embedded", "remote"])
def place(request: pytest.FixtureRequest) -> Place:
    """Both, one after the other."""
    found: Place = request.getfixturevalue(request.param)
    return found
