from __future__ import annotations

import logging
from typing import Any

import pytest

from dashclaw import (
    ConfigurationError,
    DashClaw,
    GuardBlockedError,
    GuardUnavailableError,
    InvalidRequestError,
    NotSentError,
)
from dashclaw.testing import FakeTransport

from .support import answer, client


def governed(**settings: Any) -> tuple[DashClaw, FakeTransport]:
    fake = FakeTransport(decisions={"deploy": "block", "mail": "require_approval", "sync": "warn"})
    return DashClaw(agent_id="me", transport=fake, **settings), fake


def test_without_a_guard_mode_there_is_one_call() -> None:
    claw, fake = governed()
    claw.create_action("research", "look")
    assert [call.path for call in fake.calls] == ["/api/actions"]


@pytest.mark.parametrize("mode", ["warn", "enforce"])
def test_the_check_and_the_record_share_one_decision(mode: str) -> None:
    claw, fake = governed(guard_mode=mode)
    created = claw.create_action("research", "look", risk_score=3, systems_touched=["db"])
    check, record = fake.calls
    assert (check.path, record.path) == ("/api/guard", "/api/actions")
    assert record.body.pop("decision_id") == created["decision"]["decision_id"]
    assert check.body == record.body
    assert len(fake.memory.decisions) == 1


def test_enforce_stops_before_the_record() -> None:
    claw, fake = governed(guard_mode="enforce")
    with pytest.raises(GuardBlockedError) as caught:
        claw.create_action("deploy", "ship")
    assert caught.value.decision["decision"] == "block"
    assert fake.actions == []


def test_warn_logs_and_leaves_the_word_to_the_server(caplog: pytest.LogCaptureFixture) -> None:
    claw, fake = governed(guard_mode="warn")
    with caplog.at_level(logging.WARNING, "dashclaw"), pytest.raises(GuardBlockedError) as caught:
        claw.create_action("deploy", "ship")
    assert "block" in caplog.text
    assert fake.assert_recorded(status="blocked")["action_id"] == caught.value.action_id


@pytest.mark.parametrize("mode", ["off", "warn", "enforce"])
def test_an_action_that_waits_comes_back_pending(mode: str) -> None:
    claw, _ = governed(guard_mode=mode)
    created = claw.create_action("mail", "send")
    assert created["action"]["status"] == "pending_approval"
    assert created["decision"]["decision"] == "require_approval"


def test_the_callback_sees_each_check_and_cannot_break_it(caplog: pytest.LogCaptureFixture) -> None:
    seen: list[Any] = []

    def callback(decision: Any) -> None:
        seen.append(decision["decision"])
        raise RuntimeError("the callback is broken")

    claw, _ = governed(guard_mode="warn", guard_callback=callback)
    claw.create_action("sync", "copy")
    assert seen == ["warn"]
    assert "the callback is broken" in caplog.text


def test_enforce_refuses_without_a_decision() -> None:
    claw, fake = governed(guard_mode="enforce", retry=None)
    fake.fail_next(NotSentError("refused"), times=3)
    with pytest.raises(GuardUnavailableError) as caught:
        claw.create_action("research", "look")
    assert isinstance(caught.value.__cause__, NotSentError)
    assert fake.actions == []


@pytest.mark.parametrize(("mode", "failure"), [("enforce", "open"), ("warn", "closed")])
def test_a_check_that_may_fail_is_logged(mode: str, failure: str, caplog: pytest.LogCaptureFixture) -> None:
    claw, fake = governed(guard_mode=mode, guard_failure=failure)
    fake.fail_next(NotSentError("refused"), times=3)
    assert claw.create_action("research", "look")["action"]["status"] == "running"
    assert "refused" in caplog.text
    assert len(fake.actions) == 1


def test_a_check_that_is_wrong_in_itself_is_raised() -> None:
    claw, fake = governed(guard_mode="enforce", guard_failure="open")
    fake.fail_next(400)
    with pytest.raises(InvalidRequestError):
        claw.create_action("research", "look")


def test_a_blocked_check_of_an_older_server_is_read() -> None:
    claw, wire = client(answer({"decision": "block", "reasons": ["old"]}, 403), guard_mode="enforce")
    with pytest.raises(GuardBlockedError, match="old"):
        claw.create_action("research", "look")
    assert len(wire.requests) == 1


def test_an_older_server_s_answer_is_completed() -> None:
    claw, _ = client(answer({"action": {"action_id": "act_1", "status": "pending_approval"}}, 202))
    created = claw.create_action("research", "look")
    assert (created["action_id"], created["decision"]["decision"]) == ("act_1", "require_approval")


def test_what_is_not_given_is_not_sent_and_what_is_unknown_goes_along() -> None:
    claw, fake = governed()
    claw.create_action("research", "look", custom="x", confidence=0)
    assert fake.calls[0].body == {
        "agent_id": "me",
        "action_type": "research",
        "declared_goal": "look",
        "custom": "x",
        "confidence": 0,
    }


@pytest.mark.parametrize("mode", ["off", "warn", "enforce"])
def test_recommendations_change_nothing_where_there_are_none(mode: str) -> None:
    claw, fake = governed(auto_recommend=mode, recommendation_callback=print)
    claw.create_action("research", "look")
    assert fake.calls[-1].body == {"agent_id": "me", "action_type": "research", "declared_goal": "look"}


def test_a_decision_of_a_person_is_checked_before_it_is_sent() -> None:
    claw, fake = governed()
    with pytest.raises(ConfigurationError):
        claw.approve_action("act_1", "maybe")
    assert issubclass(ConfigurationError, ValueError)
    assert fake.calls == []


@pytest.mark.parametrize(
    ("status", "stamped"), [("completed", True), ("failed", True), ("running", False), (None, False)]
)
def test_only_an_end_is_stamped(status: str | None, stamped: bool) -> None:
    claw, fake = governed()
    action_id = claw.create_action("research", "look")["action_id"]
    claw.update_outcome(action_id, status, output_summary="x")
    assert ("timestamp_end" in fake.calls[-1].body) is stamped
    assert fake.calls[-1].body["output_summary"] == "x"


def test_an_end_keeps_the_time_it_was_given() -> None:
    claw, fake = governed()
    action_id = claw.create_action("research", "look")["action_id"]
    claw.update_outcome(action_id, "completed", timestamp_end="2026-01-31T12:00:00Z")
    assert fake.calls[-1].body["timestamp_end"] == "2026-01-31T12:00:00Z"
