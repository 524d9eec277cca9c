from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest

import dashclaw
from dashclaw import (
    ApiError,
    ClientClosedError,
    DashClaw,
    DashClawError,
    DeadlineExceededError,
    GuardBlockedError,
    NotFoundError,
    NotSentError,
    RateLimitedError,
    RetryPolicy,
    ServerError,
    TransportError,
    UnknownOutcomeError,
    UnreadableAnswerError,
    errors,
)
from dashclaw._transport import Response

from .support import answer, client, patient

ALLOW = answer({"decision": "allow"})


def test_headers_identify_the_client_the_call_and_the_write() -> None:
    claw, wire = client(ALLOW, api_key="k")
    claw.guard({"action_type": "a"})
    claw.get_org()
    write, read = (request.headers for request in wire.requests)
    assert write["x-api-key"] == read["x-api-key"] == "k"
    assert write["User-Agent"] == f"dashclaw-python/{dashclaw.__version__}"
    assert write["Content-Type"] == "application/json"
    assert len(write["X-Request-Id"]) >= 16
    assert write["X-Request-Id"] != read["X-Request-Id"]
    assert len(write["Idempotency-Key"]) >= 32
    assert "Idempotency-Key" not in read


def test_a_repetition_keeps_its_key_and_body_and_another_call_does_not() -> None:
    claw, wire = client(UnknownOutcomeError("reset"), answer({}, 503), ALLOW, ALLOW)
    assert claw.guard({"action_type": "a"})["decision"] == "allow"
    claw.guard({"action_type": "a"})
    keys = [request.headers["Idempotency-Key"] for request in wire.requests]
    assert len(set(keys[:3])) == 1
    assert keys[3] != keys[0]
    assert wire.bodies[0] == wire.bodies[2]


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_passing_trouble_is_repeated_and_for_ever_is_not(status: int) -> None:
    claw, wire = client(answer({"error": "later"}, status))
    with pytest.raises(ApiError, match="later") as caught:
        claw.create_action("a", "b")
    assert len(wire.requests) == 3
    assert caught.value.status == status


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 410, 413, 422, 500])
def test_a_refusal_is_not_repeated(status: int) -> None:
    body = {"error": "no", "code": "WHY", "details": ["a: b"], "request_id": "r1"}
    claw, wire = client(answer(body, status, retry_after="7"))
    with pytest.raises(errors.error_for_status(status)) as caught:
        claw.get_org()
    error = caught.value
    assert len(wire.requests) == 1
    assert (error.status, error.code, error.details, error.request_id) == (status, "WHY", ["a: b"], "r1")
    assert error.retry_after == 7
    assert str(error) == "no (request r1)"


def test_what_else_a_refusal_says_is_kept() -> None:
    claw, _ = client(answer({"error": "no", "code": "APPROVER_IDENTITY_REQUIRED", "command": "dashclaw x"}, 403))
    with pytest.raises(errors.PermissionDeniedError) as caught:
        claw.approve_action("act_1", "allow")
    assert caught.value.details == {"command": "dashclaw x"}


def test_an_error_without_json_names_its_status_and_request() -> None:
    claw, _ = client(Response(502, {"x-request-id": "h1"}, b"<html>Bad gateway</html>"))
    with pytest.raises(ServerError, match="502") as caught:
        claw.get_org()
    assert caught.value.request_id == "h1"


@pytest.mark.parametrize(
    "body", [b"", b"<html>hello</html>", b"[1]", b'"text"', b'{"a": ', b"\xff\xfe", b"[" * 100_000]
)
def test_a_success_that_is_no_object_is_unreadable(body: bytes) -> None:
    claw, wire = client(Response(200, {}, body))
    with pytest.raises(UnreadableAnswerError):
        claw.get_org()
    assert len(wire.requests) == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(status: int) -> None:
    claw, wire = client(Response(status, {"location": "https://elsewhere.example/api?token=secret"}, b""))
    with pytest.raises(ApiError, match="not followed") as caught:
        claw.guard({"action_type": "a"})
    assert len(wire.requests) == 1
    assert "elsewhere.example" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_the_time_for_a_call_covers_its_repetitions() -> None:
    claw, wire = client(NotSentError("refused"), timeout=0.2, retry=RetryPolicy(attempts=50, base=0.05, cap=0.05))
    with pytest.raises(NotSentError):
        claw.get_org()
    assert 2 <= len(wire.requests) < 10
    assert wire.timeouts == sorted(wire.timeouts, reverse=True)
    assert wire.timeouts[0] <= 0.2


def test_a_call_out_of_time_is_not_repeated() -> None:
    claw, wire = client(DeadlineExceededError("slow"))
    with pytest.raises(TimeoutError):
        claw.get_org()
    assert len(wire.requests) == 1


def test_a_hint_beyond_the_deadline_ends_the_call() -> None:
    claw, wire = client(answer({"error": "busy"}, 429, retry_after="50"), timeout=5, retry=RetryPolicy())
    with pytest.raises(RateLimitedError) as caught:
        claw.get_org()
    assert caught.value.retry_after == 50
    assert len(wire.requests) == 1


def test_a_guard_decision_is_an_answer_whatever_its_status() -> None:
    for status in (200, 403, 503):
        claw, wire = client(answer({"decision": "block", "reasons": ["r"]}, status))
        assert claw.guard({"action_type": "a"})["decision"] == "block"
        assert len(wire.requests) == 1


def test_a_guard_answer_without_a_decision_is_unreadable() -> None:
    claw, _ = client(answer({"ok": True}))
    with pytest.raises(UnreadableAnswerError):
        claw.guard({"action_type": "a"})


def test_a_blocked_action_carries_its_decision_and_its_record() -> None:
    decision = {"decision": "block", "reasons": ["r"], "warnings": ["w"], "matched_policies": ["p"], "risk_score": 9}
    body = {"error": "Blocked: r", "decision": decision, "action": {"action_id": "act_1"}}
    claw, _ = client(answer(body, 403))
    with pytest.raises(GuardBlockedError, match="Blocked: r") as caught:
        claw.create_action("a", "b")
    error = caught.value
    assert (error.action_id, error.reasons, error.warnings) == ("act_1", ["r"], ["w"])
    assert (error.matched_policies, error.risk_score, error.status) == (["p"], 9, 403)


def test_secrets_in_free_text_do_not_leave() -> None:
    secret = "sk-ant-" + "a" * 40
    claw, wire = client(answer({"action_id": "a", "action": {"status": "running"}, "decision": {"decision": "allow"}}))
    claw.create_action(secret[:5], f"use {secret}", reasoning=secret, systems_touched=["db"])
    assert secret not in repr(wire.bodies)
    assert wire.bodies[0]["systems_touched"] == ["db"]


def test_redaction_can_be_replaced_and_turned_off() -> None:
    secret = "sk-ant-" + "a" * 40
    claw, wire = client(ALLOW, redact=lambda body: {**body, "declared_goal": "masked"})
    claw.guard({"action_type": "a", "declared_goal": secret})
    assert wire.bodies[0]["declared_goal"] == "masked"
    claw, wire = client(ALLOW, redact=False)
    claw.guard({"action_type": "a", "declared_goal": secret})
    assert wire.bodies[0]["declared_goal"] == secret


def test_nothing_is_sent_when_a_value_has_no_form() -> None:
    claw, wire = client(ALLOW)
    with pytest.raises(TypeError, match=r"^metadata\.when"):
        claw.guard({"action_type": "a", "metadata": {"when": object()}})
    assert wire.requests == []


def test_a_path_that_moved_is_tried_once_and_remembered_when_it_worked() -> None:
    gone, found = answer({"error": "Not found"}, 404), answer({"signals": []})
    claw, wire = client(gone, found, found)
    claw.get_signals()
    claw.get_signals()
    assert [request.target for request in wire.requests] == [
        "/api/actions/signals", "/api/signals", "/api/signals",
    ]  # fmt: skip


def test_a_path_that_worked_once_falls_back_when_the_server_changed() -> None:
    gone, found = answer({"error": "Not found"}, 405), answer({"signals": []})
    claw, wire = client(gone, found, gone, found, found)
    for _ in range(3):
        claw.get_signals()
    assert [request.target for request in wire.requests][2:] == [
        "/api/signals", "/api/actions/signals", "/api/actions/signals",
    ]  # fmt: skip


def test_a_thing_that_is_missing_on_both_paths_raises_the_first_error() -> None:
    claw, wire = client(answer({"error": "first"}, 404), answer({"error": "second"}, 404))
    with pytest.raises(NotFoundError, match="first"):
        claw.get_assumption("asm_1")
    assert [request.target for request in wire.requests] == [
        "/api/actions/assumptions/asm_1", "/api/assumptions/asm_1",
    ]  # fmt: skip


def test_a_server_that_knows_the_path_is_not_asked_twice() -> None:
    claw, wire = client(answer({"error": "no such", "code": "NOT_FOUND"}, 404))
    with pytest.raises(NotFoundError):
        claw.get_assumption("asm_1")
    assert len(wire.requests) == 1


def test_another_refusal_by_the_moved_path_is_the_answer() -> None:
    claw, _ = client(answer({"error": "gone"}, 404), answer({"error": "taken"}, 409))
    with pytest.raises(errors.ConflictError, match="taken"):
        claw.register_assumption("act_1", "x")


def test_a_transport_that_loses_no_answer_gets_no_keys() -> None:
    _, wire = client(ALLOW)
    wire.exactly_once = True  # type: ignore[attr-defined]
    again = dashclaw.DashClaw(transport=wire, retry=patient())
    again.guard({"action_type": "a"})
    assert "Idempotency-Key" not in wire.requests[-1].headers


@pytest.mark.parametrize(
    "name", [name for name in vars(errors) if name[0].isupper() and name.endswith(("Error", "Verdict"))]
)
def test_every_error_survives_pickling(name: str) -> None:
    kind: Any = getattr(errors, name)
    context = {"status": 418, "code": "C", "details": {"a": [1]}, "request_id": "r", "retry_after": 1.5}
    if issubclass(kind, errors.Verdict):
        context["action_id"] = "act_1"
    again = pickle.loads(pickle.dumps(kind("message", **context)))
    assert type(again) is kind
    assert str(again) == "message (request r)"
    assert {name: getattr(again, name) for name in context} == context


def test_errors_are_one_tree() -> None:
    assert issubclass(TransportError, DashClawError)
    assert issubclass(dashclaw.ApprovalTimeoutError, TimeoutError)
    assert not issubclass(TransportError, dashclaw.Verdict)


class NeverAgain:
    def delay(self, outcome: Any, repeatable: bool) -> float | None:
        raise AssertionError("asked whether to try again")


def test_a_closed_client_says_so_at_once() -> None:
    claw = DashClaw("http://127.0.0.1:9", "key", agent_id="me", retry=NeverAgain())  # type: ignore[arg-type]
    claw.close()
    with pytest.raises(ClientClosedError):
        claw.get_actions()


def test_a_recorded_refusal_in_process_names_its_request(tmp_path: Path) -> None:
    with DashClaw.local(tmp_path / "a.db", agent_id="me", starter_policies=False) as claw:
        rules = {"action_types": ["db.drop"]}
        body = {"name": "No drops", "policy_type": "block_action_type", "rules": rules}
        claw.request("POST", "/api/policies", body=body)
        with pytest.raises(GuardBlockedError) as caught:
            claw.create_action("db.drop", "Drop it")
    assert caught.value.request_id
