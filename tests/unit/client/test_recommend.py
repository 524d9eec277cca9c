"""`auto_recommend` and `recommend_action`: what is sent, in which order, and what is never changed."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from dashclaw import ApprovalPendingError, AsyncDashClaw, DashClaw, GuardBlockedError
from dashclaw._recommend import changes_for
from dashclaw._transport import Request, Response

from .support import Scripted, answer, client

HINTS = {"preferred_risk_cap": 40, "prefer_reversible": True, "confidence_floor": 70}
BEST = {"id": "lrec_1", "agent_id": "me", "action_type": "deploy", "confidence": 85, "hints": HINTS}


class Server:
    """Answers by path and keeps what was asked."""

    def __init__(self, best: Any = BEST, decision: str = "allow", fails: tuple[str, ...] = ()) -> None:
        self.best = best
        self.decision = decision
        self.fails = fails
        self.asked: list[tuple[str, Any]] = []

    def __call__(self, request: Request) -> Response:
        path = request.target.partition("?")[0].removeprefix("/api/")
        body = json.loads(request.body) if request.body else None
        self.asked.append((path, body))
        if path in self.fails:
            return answer({"error": "no"}, 403)
        if path == "guard":
            return answer({"decision": self.decision, "decision_id": "gd_1", "reasons": ["Because"], "warnings": []})
        if path == "actions":
            return answer({"action": {"action_id": "act_1", "status": "running"}, "action_id": "act_1"}, 201)
        if path.endswith("/events"):
            return answer({"created": [], "created_count": 0}, 201)
        return answer({"recommendations": [self.best] if self.best else []})

    @property
    def paths(self) -> list[str]:
        return [path.removeprefix("learning/") for path, _ in self.asked]

    def sent(self, path: str) -> Any:
        [body] = [body for known, body in self.asked if known == path]
        return body

    @property
    def event(self) -> Any:
        [found] = self.sent("learning/recommendations/events")["events"]
        return found


def acting(server: Server, mode: str, **settings: Any) -> tuple[DashClaw, Scripted]:
    return client(server, auto_recommend=mode, **settings)


def marks(body: dict[str, Any]) -> tuple[Any, Any, Any]:
    return tuple(body.get(f"recommendation_{name}") for name in ("id", "applied", "override_reason"))  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("action", "changes"),
    [
        ({}, {"risk_score": 40, "reversible": True, "confidence": 70}),
        (
            {"risk_score": None, "confidence": None, "reversible": None},
            {"risk_score": 40, "reversible": True, "confidence": 70},
        ),
        ({"risk_score": 85, "confidence": 20, "reversible": False}, {"risk_score": 40, "confidence": 70}),
        ({"risk_score": 40, "confidence": 70, "reversible": True}, {}),
        ({"risk_score": 0, "confidence": 100, "reversible": False}, {}),
    ],
)
def test_hints_lower_raise_and_fill(action: dict[str, Any], changes: dict[str, Any]) -> None:
    assert changes_for(action, HINTS) == changes
    assert changes_for(action, {}) == {}


def test_a_recommended_action_is_a_copy() -> None:
    claw, _ = client(Server())
    candidate = {"action_type": "deploy", "declared_goal": "Ship v1.6", "risk_score": 85}
    adapted = claw.recommend_action(candidate)
    assert adapted["action"] == {**candidate, "risk_score": 40, "reversible": True, "confidence": 70}
    assert adapted["adapted_fields"] == ["confidence", "reversible", "risk_score"]
    assert candidate["risk_score"] == 85
    assert adapted["recommendation"] == BEST


def test_off_asks_nobody() -> None:
    server = Server()
    acting(server, "off")[0].create_action("deploy", "Ship it")
    assert server.paths == ["actions"]
    assert marks(server.sent("actions")) == (None, None, None)


def test_warn_sends_the_original_and_says_so() -> None:
    server = Server()
    acting(server, "warn")[0].create_action("deploy", "Ship it", confidence=20)
    assert server.paths == ["recommendations", "recommendations/events", "actions"]
    body = server.sent("actions")
    assert marks(body) == ("lrec_1", False, "warn_mode_no_autoadapt")
    assert (body["confidence"], body.get("reversible")) == (20, None)
    assert (server.event["event_type"], server.event["details"]["reason"]) == ("overridden", "warn_mode_no_autoadapt")


def test_enforce_sends_the_adapted_action_with_the_decision_about_it() -> None:
    server = Server()
    acting(server, "enforce")[0].create_action("deploy", "Ship it")
    assert server.paths == ["recommendations", "guard", "recommendations/events", "actions"]
    body = server.sent("actions")
    assert marks(body) == ("lrec_1", True, None)
    assert (body["risk_score"], body["reversible"], body["confidence"]) == (40, True, 70)
    assert body.pop("decision_id") == "gd_1"
    assert server.sent("guard") == body, "the decision is about exactly what is recorded"
    assert server.event == {
        "recommendation_id": "lrec_1",
        "agent_id": "me",
        "event_type": "applied",
        "details": {"adapted_fields": ["confidence", "reversible", "risk_score"], "confidence": 85},
    }


def test_the_risk_that_was_declared_is_never_lowered() -> None:
    server = Server()
    acting(server, "enforce")[0].create_action("deploy", "Ship it", risk_score=85)
    assert server.sent("guard")["risk_score"] == server.sent("actions")["risk_score"] == 85
    assert server.event["details"]["adapted_fields"] == ["confidence", "reversible"]


@pytest.mark.parametrize("mode", ["warn", "enforce"])
def test_a_recommendation_of_too_little_confidence_is_not_applied(mode: str) -> None:
    server = Server({**BEST, "confidence": 69})
    acting(server, mode)[0].create_action("deploy", "Ship it")
    assert marks(server.sent("actions")) == ("lrec_1", False, "confidence_below_threshold:69<70")
    assert "guard" not in server.paths
    server = Server({**BEST, "confidence": 69})
    acting(server, mode, recommendation_confidence_min=69)[0].create_action("deploy", "Ship it")
    assert marks(server.sent("actions"))[1] is (mode == "enforce")


@pytest.mark.parametrize("decision", ["block", "require_approval"])
def test_what_the_guard_would_stop_goes_as_it_was(decision: str) -> None:
    server = Server(decision=decision)
    acting(server, "enforce")[0].create_action("deploy", "Ship it")
    body = server.sent("actions")
    assert marks(body) == ("lrec_1", False, f"guard_restrictive:{decision}")
    assert "decision_id" not in body
    assert "confidence" not in body


def test_a_guard_that_cannot_be_asked_leaves_the_action_as_it_was() -> None:
    server = Server(fails=("guard",))
    acting(server, "enforce")[0].create_action("deploy", "Ship it")
    assert marks(server.sent("actions")) == ("lrec_1", False, "guard_unavailable")


@pytest.mark.parametrize("best", [None, BEST])
def test_without_a_recommendation_the_action_goes_unmarked(best: Any) -> None:
    server = Server(best, fails=("learning/recommendations",) if best else ())
    acting(server, "enforce")[0].create_action("deploy", "Ship it")
    assert server.paths == ["recommendations", "actions"]
    assert marks(server.sent("actions")) == (None, None, None)


def test_an_action_that_names_its_recommendation_is_left_alone() -> None:
    server = Server()
    acting(server, "enforce")[0].create_action("deploy", "Ship it", recommendation_id="lrec_9")
    assert server.paths == ["actions"]


def test_a_use_that_cannot_be_told_changes_nothing() -> None:
    server = Server(fails=("learning/recommendations/events",))
    acting(server, "enforce")[0].create_action("deploy", "Ship it")
    assert marks(server.sent("actions")) == ("lrec_1", True, None)


def test_the_callback_sees_the_advice_and_cannot_break_the_action(caplog: pytest.LogCaptureFixture) -> None:
    seen: list[Any] = []

    def look(found: Any) -> None:
        seen.append(found)
        raise RuntimeError("A bug of the caller")

    server = Server()
    with caplog.at_level(logging.ERROR, "dashclaw"):
        acting(server, "warn", recommendation_callback=look)[0].create_action("deploy", "Ship it")
    assert [found["recommendation"]["id"] for found in seen] == ["lrec_1"]
    assert "recommendation_callback failed" in caplog.text
    assert server.paths[-1] == "actions"


def test_the_check_of_guard_mode_is_not_made_twice() -> None:
    server, told = Server(decision="warn"), []
    acting(server, "enforce", guard_mode="enforce", guard_callback=told.append)[0].create_action("deploy", "Ship it")
    assert server.paths.count("guard") == 1
    assert [decision["decision"] for decision in told] == ["warn"]
    blocked = Server(decision="block")
    with pytest.raises(GuardBlockedError):
        acting(blocked, "enforce", guard_mode="enforce")[0].create_action("deploy", "Ship it")
    assert blocked.paths.count("guard") == 2, "of the adapted action and of the original one"
    assert "actions" not in blocked.paths


Run = Callable[[str, str], str]


@contextmanager
def embedded(folder: Path, style: str, **settings: Any) -> Iterator[tuple[DashClaw, Run]]:
    """An operator with five good deployments behind the agent, and a way to track one more; returns its id."""
    path = folder / "dashclaw.db"
    with DashClaw.local(path, agent_id="me", operator=True, starter_policies=False) as claw:
        for number in range(5):
            made = claw.create_action("deploy", f"Ship {number}", confidence=80)
            claw.update_outcome(made["action_id"], "completed", duration_ms=10)
        assert claw.rebuild_recommendations()["total"] == 1

        def track(action_type: str, goal: str) -> str:
            if style == "sync":
                with DashClaw.local(path, agent_id="me", **settings) as agent, agent.track(action_type, goal) as run:
                    return str(run["action_id"])

            async def tracked() -> str:
                agent = AsyncDashClaw.local(path, agent_id="me", **settings)
                async with agent, agent.track(action_type, goal) as run:
                    return str(run["action_id"])

            return asyncio.run(tracked())

        yield claw, track


@pytest.mark.parametrize("style", ["sync", "async"])
def test_a_tracked_action_takes_the_advice_and_tells_how_it_ended(tmp_path: Path, style: str) -> None:
    with embedded(tmp_path, style, auto_recommend="enforce") as (claw, track):
        action = claw.get_action(track("deploy", "Ship once more"))["action"]
        assert (action["status"], action["confidence"], action["recommendation_applied"]) == ("completed", 80, True)
        [metric] = claw.get_recommendation_metrics("deploy")["metrics"]
        assert action["recommendation_id"] == metric["recommendation_id"]
        assert metric["telemetry"] == {
            "fetched": 1,
            "applied": 1,
            "overridden": 0,
            "outcomes": 1,
            "adoption_rate": 1.0,
        }
        assert (metric["outcomes"]["applied"]["total"], metric["deltas"]["success_lift"]) == (1, 0.0)
        decisions = claw.get_guard_decisions(limit=10)["decisions"]
        assert [found["action_id"] for found in decisions].count(action["action_id"]) == 1
        assert len(decisions) == 6, "one decision per action"


@pytest.mark.parametrize("style", ["sync", "async"])
def test_advice_does_not_lead_around_a_person(tmp_path: Path, style: str) -> None:
    with embedded(tmp_path, style, auto_recommend="enforce") as (claw, track):
        rules = {"threshold": 70, "action": "require_approval"}
        body = {"name": "Risky", "policy_type": "risk_threshold", "rules": rules}
        claw.request("POST", "/api/policies", body=body)
        with pytest.raises(ApprovalPendingError) as caught:
            track("deploy", "Ship once more")
        action = claw.get_action(str(caught.value.action_id))["action"]
        assert action["recommendation_override_reason"] == "guard_restrictive:require_approval"
        assert (action["recommendation_applied"], action["status"]) == (False, "pending_approval")
