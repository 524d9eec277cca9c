from __future__ import annotations

from typing import Any

import pytest

from dashclaw import (
    ApprovalDeniedError,
    ApprovalExpiredError,
    ApprovalTimeoutError,
    NotFoundError,
    NotSentError,
    ServerError,
)
from dashclaw._approval import await_decision, await_release, fate
from dashclaw._call import Call, Ticket, Wait, Watch
from dashclaw.errors import ConflictError


class Stub(Ticket):
    closed = False

    def close(self) -> None:
        self.closed = True


class Waiting:
    """Drives the wait by hand: a list of rows or errors to answer with, and a clock that the waits move."""

    _tracer = None

    def __init__(self, *answers: Any, live: bool = False) -> None:
        self.answers = list(answers)
        self.clock = 0.0
        self.live = live
        self.waits: list[float] = []
        self.ticket = Stub()
        self.sent: list[Call[Any]] = []
        self.watched: list[str] = []

    def _now(self) -> float:
        return self.clock

    def run(self, flow: Any) -> Any:
        step, error, answer = None, None, None
        while True:
            try:
                step = flow.send(answer) if error is None else flow.throw(error)
            except StopIteration as done:
                return done.value
            answer = error = None
            if isinstance(step, Watch):
                assert self.sent == [], "registered before looking, so that nothing is missed"
                self.watched.append(step.topic)
                answer = self.ticket
            elif isinstance(step, Wait):
                self.waits.append(step.live if self.live else step.polling)
                self.clock += self.waits[-1]
            else:
                self.sent.append(step)
                answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
                if isinstance(answer, Exception):
                    error = answer
                else:
                    answer = {"action": answer}

    def wait(self, timeout: float = 300, interval: float = 5) -> Any:
        return self.run(await_decision(self, "act_1", timeout, interval))  # type: ignore[arg-type]


PENDING = {"status": "pending_approval", "approval": {"status": "pending"}}
APPROVED = {"status": "running", "approval": {"status": "approved", "by": "key_1"}, "approved_by": "key_1"}
DENIED = {"status": "failed", "resolution": "denied", "approval": {"status": "denied", "reason": "too late"}}
EXPIRED = {"status": "failed", "resolution": "expired", "approval": {"status": "expired"}}


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (PENDING, "pending"),
        (APPROVED, "approved"),
        (DENIED, "denied"),
        (EXPIRED, "expired"),
        ({**APPROVED, "status": "completed"}, "approved"),
        ({**APPROVED, "status": "failed"}, "approved"),
        ({**APPROVED, "status": "cancelled"}, "cancelled"),
        ({"status": "blocked", "resolution": "blocked"}, "denied"),
        # Older servers know the status only.
        ({"status": "pending"}, "pending"),
        ({"status": "pending_approval"}, "pending"),
        ({"status": "running"}, "approved"),
        ({"status": "completed"}, "approved"),
        ({"status": "failed"}, "denied"),
        ({"status": "cancelled"}, "cancelled"),
        ({"status": "expired"}, "expired"),
        ({"status": "failed", "approved_by": "u"}, "approved"),
        # What nobody understands is no approval.
        ({"status": "strange"}, "pending"),
        ({}, "pending"),
        ({"status": "running", "approval": {"status": "pending"}}, "pending"),
    ],
)
def test_what_has_become_of_an_action(row: dict[str, Any], expected: str) -> None:
    assert fate(row) == expected


def test_the_wait_ends_with_the_approval() -> None:
    waiting = Waiting(PENDING, PENDING, APPROVED)
    found = waiting.wait()
    assert (found["action"], found["action_id"]) == (APPROVED, "act_1")
    assert waiting.watched == ["act_1"]
    assert waiting.waits == [5, 5]
    assert waiting.ticket.closed


@pytest.mark.parametrize(
    ("row", "error", "text"),
    [
        (DENIED, ApprovalDeniedError, "too late"),
        (EXPIRED, ApprovalExpiredError, "in time"),
        ({"status": "failed", "error_message": "not today"}, ApprovalDeniedError, "not today"),
        ({"status": "cancelled"}, ApprovalDeniedError, "cancelled"),
    ],
)
def test_the_wait_ends_with_a_refusal(row: dict[str, Any], error: type[Exception], text: str) -> None:
    waiting = Waiting(PENDING, row)
    with pytest.raises(error, match=text) as caught:
        waiting.wait()
    assert getattr(caught.value, "action_id", None) == "act_1"
    assert waiting.ticket.closed


def test_the_wait_ends_in_time() -> None:
    waiting = Waiting(PENDING)
    with pytest.raises(ApprovalTimeoutError) as caught:
        waiting.wait(timeout=12, interval=5)
    assert isinstance(caught.value, TimeoutError)
    assert waiting.waits == [5, 5, 2]
    assert len(waiting.sent) == 4
    assert waiting.ticket.closed


def test_no_time_at_all_means_one_look() -> None:
    assert Waiting(APPROVED).wait(timeout=0)["action"] == APPROVED
    with pytest.raises(ApprovalTimeoutError):
        Waiting(PENDING).wait(timeout=0)


def test_while_events_arrive_asking_is_rare() -> None:
    waiting = Waiting(PENDING, PENDING, APPROVED, live=True)
    waiting.wait(timeout=40, interval=5)
    assert waiting.waits == [30, 10]


def test_trouble_on_the_way_does_not_end_the_wait() -> None:
    waiting = Waiting(NotSentError("down"), ServerError("down", status=500), PENDING, APPROVED)
    assert waiting.wait()["action"] == APPROVED


def test_trouble_at_the_end_is_the_cause() -> None:
    trouble = NotSentError("down")
    with pytest.raises(ApprovalTimeoutError) as caught:
        Waiting(trouble).wait(timeout=6)
    assert caught.value.__cause__ is trouble


def test_a_refused_question_ends_the_wait() -> None:
    waiting = Waiting(NotFoundError("no such action", status=404))
    with pytest.raises(NotFoundError):
        waiting.wait()
    assert waiting.ticket.closed


def test_an_interval_of_nothing_does_not_spin() -> None:
    waiting = Waiting(PENDING)
    with pytest.raises(ApprovalTimeoutError):
        waiting.wait(timeout=1, interval=0)
    assert len(waiting.sent) <= 22


CREATED = {"action_id": "act_1", "action": PENDING, "decision": {"decision": "require_approval"}, "security": {}}


def test_a_released_action_is_started_and_reads_like_a_new_one() -> None:
    waiting = Waiting(APPROVED)
    found = waiting.run(await_release(waiting, CREATED, None))  # type: ignore[arg-type]
    assert (found["action_id"], found["action"], found["decision"]) == ("act_1", APPROVED, CREATED["decision"])
    assert [(call.verb, call.body) for call in waiting.sent] == [("GET", None), ("PATCH", {"status": "running"})]


def test_an_approval_that_was_used_elsewhere_releases_nothing() -> None:
    waiting = Waiting(APPROVED, ConflictError("cancelled already", status=409))
    with pytest.raises(ApprovalExpiredError, match="identical request"):
        waiting.run(await_release(waiting, CREATED, None))  # type: ignore[arg-type]


def test_an_older_server_has_nothing_to_start() -> None:
    waiting = Waiting({"status": "running"})
    waiting.run(await_release(waiting, CREATED, None))  # type: ignore[arg-type]
    assert [call.verb for call in waiting.sent] == ["GET"]


def test_the_wait_is_as_long_as_the_approval_lives() -> None:
    waiting = Waiting(PENDING)
    with pytest.raises(ApprovalTimeoutError):
        waiting.run(await_release(waiting, CREATED, 20))  # type: ignore[arg-type]
    assert sum(waiting.waits) == 20
