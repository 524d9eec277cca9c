"""`dashclaw.testing`: the fake answers as it is told, fails loudly, and behaves like the real thing."""

from __future__ import annotations

import doctest
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from dashclaw import (
    ApprovalDeniedError,
    ApprovalPendingError,
    DashClaw,
    DashClawError,
    GuardBlockedError,
    NotFoundError,
    NotSentError,
    ServerError,
)
from dashclaw.testing import FakeTransport, RecordedCall, _fake

from .steps import STEPS, embedded_results, results
from .support import patient


def faked(decisions: Any = None, **settings: Any) -> tuple[DashClaw, FakeTransport]:
    fake = FakeTransport(decisions, **settings)
    return DashClaw(agent_id="me", transport=fake, retry=patient()), fake


def test_the_example_in_the_docstring_is_true() -> None:
    found = doctest.testmod(_fake)
    assert found.attempted > 5
    assert found.failed == 0


def test_decisions_are_scripted_by_type_by_mapping_and_by_function() -> None:
    claw, _ = faked({"deploy": "warn", "drop": {"decision": "block", "reasons": ["Never"], "risk_score": 99}})
    assert claw.guard({"action_type": "research"})["decision"] == "allow"
    assert claw.guard({"action_type": "deploy"})["warnings"]
    verdict = claw.guard({"action_type": "drop"})
    assert (verdict["decision"], verdict["reasons"], verdict["risk_score"]) == ("block", ["Never"], 99)
    claw, _ = faked(lambda context: "block" if context.get("risk_score", 0) > 50 else "allow")
    assert claw.guard({"action_type": "deploy", "risk_score": 51})["decision"] == "block"
    assert claw.guard({"action_type": "deploy", "risk_score": 50})["decision"] == "allow"


def test_other_types_get_the_default() -> None:
    claw, fake = faked({"research": "allow"}, default="block")
    with claw.track("research", "look"):
        pass
    with pytest.raises(GuardBlockedError), claw.track("deploy", "Ship it"):
        raise AssertionError
    fake.assert_not_run("deploy")


@pytest.mark.parametrize("approve", ["allow", "deny"])
def test_a_scripted_person_answers_at_once(approve: str) -> None:
    fake = FakeTransport(default="require_approval", approve=approve)
    claw = DashClaw(agent_id="me", transport=fake, hitl_mode="wait")
    ran = []
    try:
        with claw.track("deploy", "Ship it"):
            ran.append(1)
    except ApprovalDeniedError:
        assert approve == "deny"
        fake.assert_not_run("deploy")
    assert ran == ([1] if approve == "allow" else [])


def test_calls_are_kept_as_they_were_sent() -> None:
    claw, fake = faked()
    claw.get_actions(status="running", limit=3)
    assert fake.calls == [RecordedCall("GET", "/api/actions", {"status": "running", "limit": "3"}, {})]
    claw.heartbeat("busy")
    claw.heartbeat("idle")
    last = fake.assert_called("POST", "/api/agents/heartbeat")
    assert last.body == {"agent_id": "me", "status": "idle"}
    with pytest.raises(AssertionError, match="No call GET /api/orgs; calls: GET /api/actions, POST /api/agents"):
        fake.assert_called("GET", "/api/orgs")


def test_assertions_about_records_hold_or_name_what_is_there() -> None:
    claw, fake = faked({"deploy": "require_approval"})
    with claw.track("research", "look", risk_score=7):
        pass
    with pytest.raises(ApprovalPendingError), claw.track("deploy", "Ship it"):
        raise AssertionError
    assert fake.assert_recorded(action_type="research", risk_score=7)["status"] == "completed"
    fake.assert_not_recorded(action_type="research", status="failed")
    fake.assert_not_run("deploy")
    with pytest.raises(AssertionError, match=r'recorded: .*"action_type":"research","status":"completed"'):
        fake.assert_recorded(status="failed")
    with pytest.raises(AssertionError, match="Recorded 1 with"):
        fake.assert_not_recorded(action_type="deploy")
    with pytest.raises(AssertionError, match="research ran 1 times"):
        fake.assert_not_run("research")


def test_what_ran_and_was_cancelled_did_run() -> None:
    claw, fake = faked()
    with pytest.raises(KeyboardInterrupt), claw.track("research", "look"):
        raise KeyboardInterrupt
    with pytest.raises(AssertionError, match="ran"):
        fake.assert_not_run("research")


def test_failures_are_scripted_as_errors_and_as_statuses() -> None:
    claw, fake = faked()
    fake.fail_next(NotSentError("down"), times=3)
    with pytest.raises(NotSentError, match="down"):
        claw.heartbeat()
    fake.fail_next(503, times=3)
    with pytest.raises(ServerError, match="Scripted 503"):
        claw.heartbeat()
    fake.fail_next(503)
    claw.heartbeat()
    assert len(fake.memory.heartbeats) == 1


def test_a_closed_fake_refuses() -> None:
    claw, _ = faked()
    claw.close()
    with pytest.raises(NotSentError, match="closed"):
        claw.heartbeat()


def test_what_is_not_offered_is_an_error() -> None:
    claw, _ = faked()
    with pytest.raises(NotFoundError) as caught:
        claw.request("GET", "/api/unknown")
    assert caught.value.code == "NOT_OFFERED"
    with pytest.raises(NotFoundError) as caught:
        claw.request("DELETE", "/api/actions")
    assert (caught.value.status, caught.value.code) == (405, "METHOD_NOT_ALLOWED")


def differences(fake: Any, real: Any) -> list[str]:
    """How the fake's result is more, or something else, than the real one."""
    if isinstance(fake, DashClawError) or isinstance(real, DashClawError):
        shown = [(type(found).__name__, getattr(found, "status", None)) for found in (fake, real)]
        return [] if shown[0] == shown[1] else [f"{fake!r} and {real!r}"]
    wrong = [f"only the fake has {name}" for name in sorted(set(fake) - set(real))]
    for name in set(fake) & set(real):
        if isinstance(fake[name], dict) and isinstance(real[name], dict):
            wrong += [f"{name}: {text}" for text in differences(fake[name], real[name])]
        elif isinstance(fake[name], list) and isinstance(real[name], list):
            for one, other in zip(fake[name], real[name], strict=False):
                if isinstance(one, dict):
                    wrong += [f"{name}[]: {text}" for text in differences(one, other)]
        elif name in ("status", "decision", "resolution", "has_more", "validated", "invalidated"):
            wrong += [] if fake[name] == real[name] else [f"{name}: {fake[name]!r} and {real[name]!r}"]
    return wrong


def test_the_fake_answers_what_it_offers_like_the_real_runtime(tmp_path: Path) -> None:
    claw, _ = faked({"deploy": "require_approval", "db.drop": "block"})
    wrong = {}
    offered = 0
    for step, fake, real in zip(STEPS, results(claw), embedded_results(tmp_path), strict=True):
        if getattr(fake, "code", None) == "NOT_OFFERED":
            continue
        offered += 1
        if found := differences(fake, real):
            wrong[f"{offered} {step}"] = found
    assert wrong == {}
    assert offered > 40


SUITE = """
    import pytest
    from dashclaw import ApprovalPendingError, GuardBlockedError

    def test_a_real_runtime(dashclaw_client, tmp_path):
        with dashclaw_client.track("research", "look") as run:
            pass
        assert dashclaw_client.get_action(run.action_id)["action"]["status"] == "completed"
        with pytest.raises(ApprovalPendingError), dashclaw_client.track("deploy", "ship", risk_score=95):
            raise AssertionError
        assert (tmp_path / "dashclaw.db").exists()

    def test_it_is_fresh(dashclaw_client):
        assert dashclaw_client.get_actions()["actions"] == []

    def test_a_fake(dashclaw_fake):
        with dashclaw_fake.track("research", "look"):
            pass
        dashclaw_fake.transport.assert_recorded(action_type="research", status="completed")

    def test_both_at_once(dashclaw_client, dashclaw_fake):
        assert dashclaw_client.agent_id == dashclaw_fake.agent_id == "test-agent"
"""


def test_the_fixtures_are_there_for_a_program_that_installs_the_package(tmp_path: Path) -> None:
    (tmp_path / "test_mine.py").write_text(textwrap.dedent(SUITE))
    command = [sys.executable, "-W", "error", "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", "."]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 passed" in done.stdout
