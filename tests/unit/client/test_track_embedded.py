"""`track` and `guarded` on a real database: what ran, what did not, and what is recorded of it."""

from __future__ import annotations

import asyncio
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from dashclaw import (
    ApprovalDeniedError,
    ApprovalPendingError,
    ApprovalTimeoutError,
    ConflictError,
    DashClaw,
    GuardBlockedError,
    GuardUnavailableError,
    PermissionDeniedError,
)

from .support import eventually, patient

RISKY: dict[str, Any] = {"risk_score": 90, "systems_touched": ["db"]}
NO_DROPS = {"name": "No drops", "policy_type": "block_action_type", "rules": {"action_types": ["db.drop"]}}


class Office:
    """A database file, the person who decides about its actions, and agents that work on it."""

    def __init__(self, path: Path, stack: ExitStack) -> None:
        self.path = path
        self._stack = stack
        self.operator = self.opened("operator", operator=True)

    def opened(self, agent_id: str = "agent-1", **settings: Any) -> DashClaw:
        return self._stack.enter_context(DashClaw.local(self.path, agent_id=agent_id, retry=patient(), **settings))

    def row(self, action_id: str | None = None) -> Any:
        """One action, or the newest."""
        if action_id is None:
            return self.operator.get_actions()["actions"][0]
        return self.operator.get_action(action_id)["action"]

    def waiting(self) -> str:
        """The id of the one action that waits for a person."""
        (found,) = eventually(lambda: self.operator.get_pending_approvals()["actions"])
        action_id: str = found["action_id"]
        return action_id


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    with ExitStack() as stack:
        yield Office(tmp_path / "dashclaw.db", stack)


def test_a_completed_block_is_recorded_with_all_it_noted(office: Office) -> None:
    with office.opened().track("research", "look", risk_score=10, systems_touched=["crm"]) as run:
        assert office.row(run.action_id)["status"] == "running"
        run.set(output_summary="found", side_effects=["a"], cost_estimate=0.5, tokens_in=3, tokens_out=4, model="m")
    row = office.row(run.action_id)
    assert (row["status"], row["output_summary"], row["side_effects"]) == ("completed", "found", ["a"])
    assert (row["cost_estimate"], row["tokens_in"], row["tokens_out"], row["model"]) == (0.5, 3, 4, "m")
    assert row["duration_ms"] >= 0
    assert row["timestamp_end"] >= row["timestamp_start"]
    assert row["error_message"] is None


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ZeroDivisionError("by zero"), "failed"),
        (KeyboardInterrupt(), "cancelled"),
        (SystemExit(3), "cancelled"),
        (asyncio.CancelledError(), "cancelled"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else value,
)
def test_how_a_block_ended_is_recorded_and_its_exception_goes_on(
    office: Office, error: BaseException, status: str
) -> None:
    claw = office.opened()
    with pytest.raises(type(error)) as tracked, claw.track("research", "look"):
        raise error
    assert tracked.value is error
    assert office.row()["status"] == status
    assert office.row()["error_message"].startswith(type(error).__name__)

    @claw.guarded("research")
    def fail() -> None:
        raise error

    with pytest.raises(type(error)) as guarded:
        fail()
    assert guarded.value is error
    assert [row["status"] for row in office.operator.get_actions()["actions"]] == [status, status]


PROGRAM = """
import sys
import threading
from dashclaw import DashClaw
claw = DashClaw.local(sys.argv[1], agent_id="program")
with claw.track("research", "look"):
    print("inside", flush=True)
    if sys.argv[2] == "exit":
        sys.exit(3)
    # A read that begins right after the signal came would not notice it.
    while True:
        threading.Event().wait(0.05)
"""


@pytest.mark.parametrize(("way", "code"), [("interrupt", -signal.SIGINT), ("exit", 3)])
def test_a_program_that_is_told_to_stop_records_that_first(office: Office, way: str, code: int) -> None:
    command = [sys.executable, "-c", PROGRAM, str(office.path), way]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as program:
        assert program.stdout is not None
        assert program.stdout.readline() == b"inside\n"
        if way == "interrupt":
            program.send_signal(signal.SIGINT)
        assert program.wait(30) == code
    assert (office.row()["agent_id"], office.row()["status"]) == ("program", "cancelled")


def test_a_result_wins_over_a_failure_to_record_it(office: Office, caplog: pytest.LogCaptureFixture) -> None:
    claw = office.opened()

    @claw.guarded("research")
    def look() -> str:
        claw.transport.close()
        return "found"

    assert look() == "found"
    assert office.row()["status"] == "running"
    assert "(completed) was not recorded" in caplog.text


def test_an_exception_wins_over_a_failure_to_record_it(office: Office, caplog: pytest.LogCaptureFixture) -> None:
    claw = office.opened()
    with pytest.raises(ZeroDivisionError), claw.track("research", "look"):
        claw.transport.close()
        raise ZeroDivisionError
    assert "(failed) was not recorded" in caplog.text


@pytest.mark.parametrize("mode", ["off", "warn", "enforce"])
def test_what_a_policy_blocks_never_runs_and_is_kept_as_evidence(office: Office, mode: str) -> None:
    office.operator.request("POST", "/api/policies", body=NO_DROPS)
    claw = office.opened(guard_mode=mode)
    ran: list[str] = []
    with pytest.raises(GuardBlockedError) as caught, claw.track("db.drop", "Remove the table"):
        ran.append("track")
    assert caught.value.reasons
    assert caught.value.decision["decision"] == "block"
    with pytest.raises(GuardBlockedError):
        claw.guarded("db.drop")(ran.append)("guarded")
    assert ran == []
    rows = office.operator.get_actions()["actions"]
    # What the check before the record forbids is a decision, and no action.
    assert {row["status"] for row in rows} == (set() if mode == "enforce" else {"blocked"})
    verdicts = office.operator.get_guard_decisions(agent_id="agent-1")["decisions"]
    assert [verdict["decision"] for verdict in verdicts] == ["block", "block"]


def test_without_waiting_what_needs_approval_does_not_run(office: Office) -> None:
    with pytest.raises(ApprovalPendingError) as caught, office.opened().track("deploy", "Ship it", **RISKY):
        raise AssertionError
    assert caught.value.action_id == office.waiting()


def test_an_approved_block_runs_and_uses_its_approval_up(office: Office) -> None:
    claw = office.opened(hitl_mode="wait")
    ran = threading.Event()

    @claw.guarded("deploy", declared_goal="Ship it", **RISKY)
    def deploy() -> str:
        ran.set()
        return "shipped"

    with ThreadPoolExecutor(1) as threads:
        shipped = threads.submit(deploy)
        action_id = office.waiting()
        assert not ran.is_set()
        office.operator.approve_action(action_id, "allow", "Looks good")
        assert shipped.result(30) == "shipped"
    row = office.row(action_id)
    assert (row["status"], row["approval"]["status"], row["approval"]["reason"]) == (
        "completed",
        "approved",
        "Looks good",
    )
    again = office.opened().create_action("deploy", "Ship it", **RISKY)
    assert again["action"]["status"] == "pending_approval"


def test_a_running_approved_action_lends_its_approval_to_nobody(office: Office) -> None:
    claw, other = office.opened(hitl_mode="wait"), office.opened()
    inside, leave = threading.Event(), threading.Event()

    def work() -> None:
        with claw.track("deploy", "Ship it", **RISKY):
            inside.set()
            assert leave.wait(30)

    with ThreadPoolExecutor(1) as threads:
        working = threads.submit(work)
        office.operator.approve_action(office.waiting(), "allow")
        assert inside.wait(30)
        assert other.guard({"action_type": "deploy", "declared_goal": "Ship it", **RISKY})["decision"] != "allow"
        with pytest.raises(ApprovalPendingError), other.track("deploy", "Ship it", **RISKY):
            raise AssertionError
        leave.set()
        working.result(30)


def test_an_unused_approval_releases_one_identical_request_of_many(office: Office) -> None:
    asked = office.opened().create_action("deploy", "Ship it", **RISKY)
    office.operator.approve_action(asked["action_id"], "allow")
    agents = [office.opened() for _ in range(4)]
    ran: list[int] = []

    def attempt(number: int) -> bool:
        try:
            with agents[number % 4].track("deploy", "Ship it", **RISKY):
                ran.append(number)
        except ApprovalPendingError:
            return False
        return True

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(attempt, range(8))) == 1
    assert len(ran) == 1
    with pytest.raises(ConflictError):
        agents[0].update_outcome(asked["action_id"], "running")


@pytest.mark.parametrize("change", [{"risk_score": 91}, {"systems_touched": ["db", "crm"]}, {"reasoning": "Because"}])
def test_a_changed_request_does_not_ride_on_an_approval(office: Office, change: dict[str, Any]) -> None:
    claw = office.opened()
    asked = claw.create_action("deploy", "Ship it", **RISKY)
    office.operator.approve_action(asked["action_id"], "allow")
    with pytest.raises(ApprovalPendingError), claw.track("deploy", "Ship it", **{**RISKY, **change}):
        raise AssertionError
    with pytest.raises(ApprovalPendingError), office.opened("agent-2").track("deploy", "Ship it", **RISKY):
        raise AssertionError


def test_a_denied_block_never_runs(office: Office) -> None:
    claw = office.opened(hitl_mode="wait")
    ran: list[str] = []

    def work() -> None:
        with claw.track("deploy", "Ship it", **RISKY):
            ran.append("it ran")

    with ThreadPoolExecutor(1) as threads:
        working = threads.submit(work)
        action_id = office.waiting()
        office.operator.approve_action(action_id, "deny", "Not on a Friday")
        with pytest.raises(ApprovalDeniedError, match="Not on a Friday") as caught:
            working.result(30)
    assert ran == []
    assert caught.value.action_id == action_id
    assert (office.row(action_id)["status"], office.row(action_id)["resolution"]) == ("failed", "denied")


def test_a_wait_that_ends_leaves_the_action_waiting(office: Office) -> None:
    claw = office.opened()
    asked = claw.create_action("deploy", "Ship it", **RISKY)
    with pytest.raises(ApprovalTimeoutError) as caught:
        claw.wait_for_approval(asked["action_id"], timeout=0.05, interval=0.05)
    assert isinstance(caught.value, TimeoutError)
    assert office.waiting() == asked["action_id"]


def test_an_agent_cannot_release_its_own_action(office: Office) -> None:
    claw = office.opened(self_approval=False)
    asked = claw.create_action("deploy", "Ship it", **RISKY)
    with pytest.raises(PermissionDeniedError):
        claw.approve_action(asked["action_id"], "allow")
    with pytest.raises(ConflictError):
        claw.update_outcome(asked["action_id"], "running")
    assert office.waiting() == asked["action_id"]


def test_a_pending_action_can_be_withdrawn_and_is_then_beyond_approval(office: Office) -> None:
    claw = office.opened()
    asked = claw.create_action("deploy", "Ship it", **RISKY)
    claw.update_outcome(asked["action_id"], "cancelled")
    with pytest.raises(ConflictError):
        office.operator.approve_action(asked["action_id"], "allow")
    with pytest.raises(ApprovalDeniedError, match="cancelled"):
        claw.wait_for_approval(asked["action_id"], timeout=5)


def test_without_the_database_nothing_runs(office: Office) -> None:
    claw = office.opened()
    claw.transport.close()
    with pytest.raises(GuardUnavailableError), claw.track("research", "look"):
        raise AssertionError
    with pytest.raises(GuardUnavailableError):
        claw.guarded("research")(print)("never")


def test_without_the_database_an_open_guard_runs_unrecorded(office: Office, caplog: pytest.LogCaptureFixture) -> None:
    claw = office.opened(guard_failure="open")
    claw.transport.close()
    with claw.track("research", "look") as run:
        assert run.action_id is None
    assert claw.guarded("research")(abs)(-1) == 1
    assert caplog.text.count("No decision about research") == 2
    assert office.operator.get_actions()["actions"] == []


def test_without_a_server_nothing_runs_unless_the_guard_is_open() -> None:
    ran = []
    with socket.socket() as deaf:
        # Bound and not listening: it refuses connections, and nobody else can take its port.
        deaf.bind(("127.0.0.1", 0))
        where: dict[str, Any] = {"base_url": f"http://127.0.0.1:{deaf.getsockname()[1]}", "api_key": "k"}
        with DashClaw(retry=patient(), **where) as claw, pytest.raises(GuardUnavailableError):
            claw.guarded("research")(ran.append)(1)
        with DashClaw(retry=patient(), guard_failure="open", **where) as claw:
            claw.guarded("research")(ran.append)(2)
    assert ran == [2]


def test_an_async_function_is_governed_by_a_synchronous_client(office: Office) -> None:
    claw = office.opened(hitl_mode="wait")

    @claw.guarded("deploy", declared_goal=lambda name: f"Ship {name}", **RISKY)
    async def deploy(name: str) -> str:
        """Ship it."""
        return name

    async def main() -> str:
        task = asyncio.create_task(deploy("api"))
        action_id = await asyncio.to_thread(office.waiting)
        assert office.row(action_id)["declared_goal"] == "Ship api"
        await asyncio.to_thread(office.operator.approve_action, action_id, "allow")
        return await asyncio.wait_for(task, 30)

    assert asyncio.run(main()) == "api"
    assert office.row()["status"] == "completed"


def test_an_async_function_cancelled_while_a_person_decides_is_withdrawn_at_once(office: Office) -> None:
    claw = office.opened(hitl_mode="wait")

    @claw.guarded("deploy", **RISKY)
    async def deploy() -> None:
        raise AssertionError

    async def main() -> None:
        task = asyncio.create_task(deploy())
        await asyncio.to_thread(office.waiting)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    # The end of the event loop waits for its threads.
    with ThreadPoolExecutor(1) as threads:
        threads.submit(asyncio.run, main()).result(30)
    assert (office.row()["status"], office.row()["error_message"]) == ("cancelled", "Cancelled before it ran")


def test_an_async_function_cancelled_while_it_runs_is_recorded(office: Office) -> None:
    claw = office.opened()

    async def main() -> None:
        inside = asyncio.Event()

        @claw.guarded("research")
        async def look() -> None:
            inside.set()
            await asyncio.Event().wait()

        task = asyncio.create_task(look())
        await asyncio.wait_for(inside.wait(), 30)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert (office.row()["status"], office.row()["error_message"]) == ("cancelled", "CancelledError")
