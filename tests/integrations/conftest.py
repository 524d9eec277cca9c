"""What the proofs of every integration share: an embedded client with known policies, and no way to the network."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from dashclaw import DashClaw, RetryPolicy
from dashclaw import _governor as governing
from tests.network.fixture import stays_on_this_machine, watched

__all__ = ["stays_on_this_machine", "watched"]

NOBODY = "http://127.0.0.1:9"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep what frameworks write about themselves out of the developer's home."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("CREWAI_STORAGE_DIR", str(tmp_path / "crewai"))


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The database that each test gets a copy of: making one takes longer than most tests."""
    place = tmp_path_factory.mktemp("prepared") / "dashclaw.db"
    with DashClaw.local(place, agent_id="agent", starter_policies=False) as claw:
        for name, kind, types in (
            ("No drops", "block_action_type", ["drop_*"]),
            ("Mail is asked", "require_approval", ["send_mail"]),
        ):
            body = {"name": name, "policy_type": kind, "rules": {"action_types": types}}
            claw.request("POST", "/api/policies", body=body)
    return place


@pytest.fixture
def database(prepared: Path, tmp_path: Path) -> Path:
    """An embedded database: `drop_*` is forbidden, `send_mail` needs a person."""
    return Path(shutil.copy(prepared, tmp_path))


@pytest.fixture
def claw(database: Path) -> Iterator[DashClaw]:
    """A client on it that does not wait for people."""
    with DashClaw.local(database, agent_id="agent", hitl_mode="off") as found:
        yield found


@pytest.fixture
def waiting(database: Path) -> Iterator[DashClaw]:
    """A client on it that waits for people."""
    with DashClaw.local(database, agent_id="agent", hitl_mode="wait") as found:
        yield found


@pytest.fixture
def answering(database: Path) -> Iterator[Callable[..., Person]]:
    """Return a person who answers the next approvals, from a thread with a client of its own."""
    people: list[Person] = []

    def answer(decision: str, times: int = 1, seen: Callable[[], None] | None = None) -> Person:
        people.append(Person(database, decision, times, seen))
        return people[-1]

    yield answer
    for person in people:
        person.leave()


class Person(threading.Thread):
    """Answers approvals as they come; `seen` runs before each answer, while the call still waits."""

    def __init__(self, database: Path, decision: str, times: int, seen: Callable[[], None] | None) -> None:
        super().__init__(daemon=True)
        self.database, self.decision, self.times, self.seen = database, decision, times, seen
        self.answered: list[str] = []
        self.error: BaseException | None = None
        self._over = threading.Event()
        self.start()

    def run(self) -> None:
        try:
            with DashClaw.local(self.database, agent_id="person") as claw:
                while len(self.answered) < self.times and not self._over.is_set():
                    self._answer(claw)
                    self._over.wait(0.02)
        except BaseException as error:
            self.error = error

    def _answer(self, claw: DashClaw) -> None:
        for row in claw.get_pending_approvals()["actions"]:
            if self.seen is not None:
                self.seen()
            claw.approve_action(row["action_id"], self.decision, reasoning="as the test says")
            self.answered.append(row["action_id"])

    def leave(self) -> None:
        """End, and raise what went wrong."""
        self._over.set()
        self.join(20)
        if self.error is not None:
            raise self.error


@pytest.fixture
def unreachable() -> Iterator[Callable[[str], DashClaw]]:
    """Return a client of a server that is not there; its `guard_failure` is "closed" or "open"."""
    made: list[DashClaw] = []

    def client(guard_failure: str) -> DashClaw:
        made.append(
            DashClaw(
                NOBODY, "k", agent_id="agent", guard_failure=guard_failure, retry=RetryPolicy(attempts=1), timeout=5
            )
        )
        return made[-1]

    yield client
    for found in made:
        found.close()


# Every step of the core on the way of a call: a mistake in any of them must have the effect that its mode promises.
STEPS = ["arguments_of", "rate", "summary", "fingerprint", "_merged", "_goal", "action_type_of", "Run", "Gate"]
ENTRIES = {
    "enforce": ["begin", "Governor.start", "Governor.astart"],
    "observe": ["observe", "finish", "Governor._ended"],
}


def broken_steps(mode: str) -> list[str]:
    """Return the steps that can be broken for calls in a mode."""
    return STEPS + ENTRIES[mode]


@pytest.fixture
def breaking(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Put a mistake of ours into a step of the core."""

    def fail(*_: Any, **__: Any) -> Any:
        raise ZeroDivisionError("a mistake of ours")

    def put(step: str) -> None:
        holder, _, name = step.rpartition(".")
        monkeypatch.setattr(getattr(governing, holder) if holder else governing, name, fail)

    return put


class ToolLog(list[Any]):
    """What tools did, in order; they append to it in their bodies, and in no other way."""

    def once(self, *expected: Any) -> None:
        """Check that exactly this happened."""
        assert list(self) == list(expected)


@pytest.fixture
def log() -> ToolLog:
    """An empty log for the tools of a test."""
    return ToolLog()


def actions(claw: DashClaw, **filters: Any) -> list[dict[str, Any]]:
    """Return what was recorded, oldest first."""
    found: Any = claw.get_actions(limit=500, **filters)["actions"]
    return sorted(found, key=lambda row: row["timestamp_start"])


def eventually(check: Callable[[], bool], seconds: float = 20.0) -> None:
    """Wait until something is so."""
    ends = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < ends, "it did not become so"
        time.sleep(0.01)
