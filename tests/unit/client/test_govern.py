from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Callable
from typing import Any

import pytest

from dashclaw import (
    ApprovalDeniedError,
    ApprovalPendingError,
    AuthenticationError,
    ConfigurationError,
    DashClaw,
    DeadlineExceededError,
    GuardBlockedError,
    GuardUnavailableError,
    NotSentError,
    UnknownOutcomeError,
    Verdict,
)
from dashclaw.errors import RateLimitedError, ServerError, UnreadableAnswerError
from dashclaw.testing import FakeTransport

from .support import patient

MODES = ["off", "warn", "enforce"]


def governed(decisions: dict[str, str] | None = None, **settings: Any) -> tuple[DashClaw, FakeTransport]:
    approve = settings.pop("approve", None)
    fake = FakeTransport(decisions=decisions or {}, approve=approve)
    settings.setdefault("retry", patient())
    return DashClaw(agent_id="me", transport=fake, **settings), fake


def test_a_block_that_ends_well_is_completed_with_what_it_noted() -> None:
    claw, fake = governed()
    with claw.track("research", "look", risk_score=5) as run:
        assert run.action_id == run["action_id"] == fake.actions[0]["action_id"]
        assert run["decision"]["decision"] == "allow"
        assert fake.actions[0]["status"] == "running"
        run.set(output_summary="found", side_effects=["a"], cost_estimate=0.1, tokens_in=3, tokens_out=None)
        run.set(tokens_out=4)
    row = fake.assert_recorded(status="completed", risk_score=5)
    assert (row["output_summary"], row["side_effects"], row["tokens_in"], row["tokens_out"]) == ("found", ["a"], 3, 4)
    assert row["cost_estimate"] == 0.1
    assert isinstance(row["duration_ms"], int)
    assert row["error_message"] is None


def test_the_duration_is_the_body_s_own(monkeypatch: pytest.MonkeyPatch) -> None:
    claw, fake = governed()
    clock = [100.0]
    claw._now = lambda: clock[0]
    with claw.track("research", "look"):
        clock[0] += 1.2345
    assert fake.actions[0]["duration_ms"] == 1234


def test_a_failing_block_is_recorded_and_its_error_goes_on() -> None:
    claw, fake = governed()
    secret = "sk-ant-" + "a" * 40
    with pytest.raises(KeyError) as caught, claw.track("research", "look"):
        raise KeyError(f"the key {secret}")
    assert secret in str(caught.value)
    row = fake.assert_recorded(status="failed")
    assert row["error_message"].startswith("KeyError: ")
    assert secret not in row["error_message"]


def test_a_long_error_is_cut_after_its_secrets_are_masked() -> None:
    claw, fake = governed()
    secret = "sk-ant-" + "a" * 40
    with pytest.raises(ValueError), claw.track("research", "look"):
        raise ValueError("x " * 1980 + secret)
    text = fake.actions[0]["error_message"]
    assert len(text) <= 4000
    assert "sk-ant" not in text


class UnshowableError(Exception):
    def __str__(self) -> str:
        raise RuntimeError


def test_an_error_that_cannot_be_shown_is_still_recorded() -> None:
    claw, fake = governed()
    with pytest.raises(UnshowableError), claw.track("research", "look"):
        raise UnshowableError
    assert fake.assert_recorded(status="failed")["error_message"].startswith("UnshowableError")


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, GeneratorExit, asyncio.CancelledError])
def test_what_is_told_to_stop_is_cancelled(error: type[BaseException]) -> None:
    claw, fake = governed()
    with pytest.raises(error), claw.track("research", "look"):
        raise error
    row = fake.assert_recorded(status="cancelled")
    assert row["error_message"] == error.__name__
    assert isinstance(row["duration_ms"], int)


@pytest.mark.parametrize("mode", MODES)
def test_a_blocked_block_never_runs(mode: str) -> None:
    claw, fake = governed({"deploy": "block"}, guard_mode=mode)
    with pytest.raises(GuardBlockedError), claw.track("deploy", "ship"):
        raise AssertionError
    fake.assert_not_run("deploy")


@pytest.mark.parametrize("mode", MODES)
def test_a_pending_block_never_runs(mode: str) -> None:
    claw, fake = governed({"deploy": "require_approval"}, guard_mode=mode)
    with pytest.raises(ApprovalPendingError) as caught, claw.track("deploy", "ship"):
        raise AssertionError
    assert caught.value.action_id == fake.assert_recorded(status="pending_approval")["action_id"]
    fake.assert_not_run("deploy")


@pytest.mark.parametrize("mode", MODES)
def test_a_denied_block_never_runs(mode: str) -> None:
    claw, fake = governed({"deploy": "require_approval"}, approve="deny", hitl_mode="wait", guard_mode=mode)
    with pytest.raises(ApprovalDeniedError), claw.track("deploy", "ship"):
        raise AssertionError
    fake.assert_not_run("deploy")


def test_an_approved_block_runs_once_its_approval_is_used() -> None:
    claw, fake = governed({"deploy": "require_approval"}, approve="allow", hitl_mode="wait")
    with claw.track("deploy", "ship") as run:
        started = fake.assert_called("PATCH", f"/api/actions/{run.action_id}")
        assert started.body == {"status": "running"}
    fake.assert_recorded(status="completed", action_type="deploy")


@pytest.mark.parametrize(
    "error",
    [
        NotSentError("x"),
        UnknownOutcomeError("x"),
        DeadlineExceededError("x"),
        UnreadableAnswerError("x"),
        500,
        503,
        429,
    ],
)
def test_no_decision_no_action(error: Exception | int) -> None:
    claw, fake = governed()
    fake.fail_next(error, times=3)
    with pytest.raises(GuardUnavailableError) as caught, claw.track("research", "look"):
        raise AssertionError
    assert caught.value.__cause__ is not None
    assert isinstance(caught.value, Verdict)
    assert fake.actions == []


@pytest.mark.parametrize("error", [NotSentError("x"), UnreadableAnswerError("x"), 500, 429])
def test_an_open_guard_runs_and_says_so(error: Exception | int, caplog: pytest.LogCaptureFixture) -> None:
    claw, fake = governed(guard_failure="open")
    fake.fail_next(error, times=3)
    ran = []
    with claw.track("research", "look") as run:
        ran.append(run.action_id)
    assert ran == [None]
    assert "No decision about research" in caplog.text
    assert fake.actions == []


@pytest.mark.parametrize("failure", ["open", "closed"])
def test_a_wrong_request_is_no_outage(failure: str) -> None:
    claw, fake = governed(guard_failure=failure)
    fake.fail_next(401)
    with pytest.raises(AuthenticationError), claw.track("research", "look"):
        raise AssertionError


@pytest.mark.parametrize("failure", ["open", "closed"])
def test_an_open_guard_never_overrides_a_refusal(failure: str) -> None:
    claw, _ = governed({"deploy": "block"}, guard_failure=failure)
    with pytest.raises(GuardBlockedError), claw.track("deploy", "ship"):
        raise AssertionError


def test_an_action_whose_answer_was_lost_is_taken_back() -> None:
    claw, fake = governed()
    send = fake.send

    def lose_the_answer(request: Any, timeout: float) -> Any:
        found = send(request, timeout)
        if request.method == "POST":
            raise DeadlineExceededError("no answer in time")
        return found

    fake.send = lose_the_answer  # type: ignore[method-assign]
    with pytest.raises(GuardUnavailableError), claw.track("research", "look"):
        raise AssertionError
    assert [row["status"] for row in fake.actions] == ["cancelled"]


def test_an_interrupted_record_is_taken_back() -> None:
    claw, fake = governed()
    send = fake.send

    def interrupt(request: Any, timeout: float) -> Any:
        found = send(request, timeout)
        if request.method == "POST":
            raise KeyboardInterrupt
        return found

    fake.send = interrupt  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt), claw.track("research", "look"):
        raise AssertionError
    assert [row["status"] for row in fake.actions] == ["cancelled"]


@pytest.mark.parametrize("error", [NotSentError("x"), 500, 400, 404])
def test_a_failure_to_record_changes_no_success(error: Exception | int, caplog: pytest.LogCaptureFixture) -> None:
    claw, fake = governed()
    with claw.track("research", "look"):
        fake.fail_next(error, times=6)
    assert "was not recorded" in caplog.text


def test_a_failure_to_record_hides_no_error() -> None:
    claw, fake = governed()
    with pytest.raises(ZeroDivisionError), claw.track("research", "look"):
        fake.fail_next(500, times=6)
        raise ZeroDivisionError


def test_an_outcome_that_cannot_be_sent_is_recorded_without_its_details(caplog: pytest.LogCaptureFixture) -> None:
    claw, fake = governed()
    with claw.track("research", "look") as run:
        run.set(side_effects=[object()])
    fake.assert_recorded(status="completed", side_effects=[])
    assert "side_effects[0]" in caplog.text


def test_blocks_nest_and_do_not_disturb_each_other() -> None:
    claw, fake = governed()
    with (
        claw.track("research", "outer") as outer,
        pytest.raises(ZeroDivisionError),
        claw.track("research", "inner", parent_action_id=outer.action_id),
    ):
        raise ZeroDivisionError
    assert [row["status"] for row in fake.actions] == ["completed", "failed"]
    assert fake.actions[1]["parent_action_id"] == outer.action_id


def test_a_chosen_action_id_is_kept() -> None:
    claw, fake = governed()
    with claw.track("research", "look", action_id="mine") as run:
        assert run.action_id == "mine"
    assert [row["action_id"] for row in fake.actions] == ["mine"]


def test_a_run_offers_its_id_and_decision_only() -> None:
    claw, _ = governed()
    with claw.track("research", "look") as run:
        with pytest.raises(KeyError):
            run["status"]
        assert run.action_id in repr(run)


def test_a_guarded_function_runs_under_track_and_stays_itself() -> None:
    claw, fake = governed()

    @claw.guarded("math", risk_score=3)
    def add(a: int, b: int = 2) -> int:
        """Add two numbers.

        More.
        """
        return a + b

    assert add(1, b=5) == 6
    assert add.__name__ == "add"
    assert list(inspect.signature(add).parameters) == ["a", "b"]
    row = fake.assert_recorded(action_type="math", status="completed", risk_score=3)
    assert row["declared_goal"].endswith("add: Add two numbers.")


@pytest.mark.parametrize(
    ("goal", "recorded"), [("fixed", "fixed"), (lambda a, b: f"{a} and {b}", "1 and 2")], ids=["text", "function"]
)
def test_the_goal_of_a_guarded_function(goal: str | Callable[..., str], recorded: str) -> None:
    claw, fake = governed()
    claw.guarded("math", declared_goal=goal)(lambda a, b: a + b)(1, 2)
    assert fake.actions[0]["declared_goal"] == recorded


def test_a_guarded_function_that_is_blocked_does_not_run() -> None:
    claw, fake = governed({"math": "block"})
    ran: list[int] = []
    with pytest.raises(GuardBlockedError):
        claw.guarded("math")(ran.append)(1)
    assert ran == []
    fake.assert_not_run("math")


def test_a_guarded_function_that_fails_is_recorded() -> None:
    claw, fake = governed()
    with pytest.raises(ZeroDivisionError):
        claw.guarded("math")(lambda: 1 // 0)()
    fake.assert_recorded(status="failed")


def test_methods_can_be_guarded() -> None:
    claw, fake = governed()

    class Robot:
        @claw.guarded("move")
        def move(self, steps: int) -> int:
            return steps

    assert Robot().move(3) == 3
    assert fake.actions[0]["declared_goal"].endswith("Robot.move")


def test_a_generator_is_refused_because_its_body_would_run_later() -> None:
    claw, _ = governed()

    def numbers() -> Any:
        yield 1

    with pytest.raises(ConfigurationError, match="generator"):
        claw.guarded("math")(numbers)


def test_a_synchronous_client_governs_async_functions_off_the_loop() -> None:
    claw, fake = governed({"deploy": "block"})

    @claw.guarded("math")
    async def add(a: int, b: int) -> int:
        await asyncio.sleep(0)
        return a + b

    @claw.guarded("deploy")
    async def deploy() -> None:
        raise AssertionError

    @claw.guarded("math")
    async def fail() -> None:
        raise ZeroDivisionError

    async def main() -> None:
        assert await add(1, 2) == 3
        with pytest.raises(GuardBlockedError):
            await deploy()
        with pytest.raises(ZeroDivisionError):
            await fail()

    asyncio.run(main())
    assert [row["status"] for row in fake.actions] == ["completed", "blocked", "failed"]


def test_the_logger_is_silent_unless_the_program_configures_logging() -> None:
    claw, fake = governed(guard_failure="open")
    fake.fail_next(NotSentError("x"), times=3)
    with claw.track("research", "look"):
        pass
    assert any(isinstance(handler, logging.NullHandler) for handler in logging.getLogger("dashclaw").handlers)


def test_only_what_is_an_outage_may_be_overridden() -> None:
    from dashclaw._failure import before_body

    for outage in (NotSentError("x"), ServerError("x"), RateLimitedError("x")):
        assert before_body(outage, "open") is None
        assert isinstance(before_body(outage, "closed"), GuardUnavailableError)
    refusal = AuthenticationError("x")
    assert before_body(refusal, "open") is refusal
    assert before_body(refusal, "closed") is refusal
