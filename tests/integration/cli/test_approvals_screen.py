"""`dashclaw approvals watch` in a real terminal: keys decide, others decide meanwhile, nothing is left behind."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator

import pytest

from dashclaw import DashClaw

from .conftest import Place
from .terminals import Program, program

READY = "a approve"


@pytest.fixture
def ids(place: Place) -> tuple[str, str]:
    """Two actions that wait, the older one first."""
    place.agent.heartbeat()
    return place.waiting("Ship the first", systems_touched=["prod"]), place.waiting("Ship the second")


@pytest.fixture
def screen(place: Place, ids: tuple[str, str]) -> Iterator[Program]:
    with program("approvals", "watch", *place.words) as found:
        found.until("2 waiting")
        found.until(READY)
        yield found


def action(place: Place, action_id: str) -> dict[str, object]:
    return dict(place.agent.get_action(action_id)["action"])


def test_everything_that_a_decision_needs_is_shown(place: Place, screen: Program, ids: tuple[str, str]) -> None:
    shown = screen.until("Ship the first")
    for text in (
        ids[0],
        "agent-1",
        "deploy",
        "prod",
        "95 (base",
        "the agent says 95",
        "High risk needs approval",
        "59m",
    ):
        assert text in shown, text
    assert "none of this agent and type was decided before" in shown
    screen.type("a")
    shown = screen.until("1 approved")
    assert "Ship the first" in shown  # as a similar one
    assert action(place, ids[0])["status"] == "running"


def test_a_approves_d_denies_with_a_reason_and_q_leaves(place: Place, screen: Program, ids: tuple[str, str]) -> None:
    screen.type("d")
    screen.until("Reason for denying")
    screen.type("\r")
    screen.until("A reason is needed")
    screen.type("Not on a Fridxy\x7f\x7f\x7f\x7fiday ü\r")
    screen.until(f"Denied {ids[0]}")
    screen.until(lambda text: "1 waiting" in text and READY in text)
    screen.type("a")
    screen.until("nothing waits")
    screen.type("q")
    assert screen.ended() == 0
    assert screen.restored()
    denied = action(place, ids[0])
    assert (denied["resolution"], denied["error_message"]) == ("denied", "Not on a Friday ü")
    assert action(place, ids[1])["status"] == "running"


def test_keys_look_around_without_deciding(place: Place, screen: Program, ids: tuple[str, str]) -> None:
    screen.until("1 of 2")
    screen.type("s")
    screen.until(lambda text: "1 of 2: " + ids[1] in text)
    screen.type("\x1b[B")
    screen.until(lambda text: "2 of 2: " + ids[0] in text)
    screen.type("?")
    screen.until("leave; what waits goes on waiting")
    screen.type("a?")
    screen.until("Ship the first")
    screen.type("d")
    screen.until("Reason for denying")
    screen.type("No\x1b")
    screen.until("Not denied")
    screen.type("xyz12")
    screen.until(READY)
    screen.type("q")
    assert screen.ended() == 0
    assert {action(place, one)["status"] for one in ids} == {"pending_approval"}


def test_what_somebody_else_decides_disappears_at_once(place: Place, screen: Program, ids: tuple[str, str]) -> None:
    screen.type("d")
    screen.until("Reason for denying")
    screen.type("Because")
    assert place.run("approvals", "deny", ids[0], "--reason", "Mine first").code == 0
    shown = screen.until(lambda text: "1 waiting" in text and "Reason for denying" not in text)
    assert f"{ids[0]}: denied" in shown
    assert "Mine first" in shown
    # The key was meant for the action that has gone.
    screen.type("\r")
    screen.until(lambda text: "1 of 1: " + ids[1] in text and READY in text)
    assert action(place, ids[1])["status"] == "pending_approval"


def test_what_comes_to_wait_appears_and_what_changed_says_so(
    place: Place, screen: Program, ids: tuple[str, str]
) -> None:
    third = place.waiting("Ship the third")
    screen.until("3 waiting")
    place.agent.update_outcome(ids[0], input_summary=None, output_summary="Half of it is there")
    shown = screen.until(f"{ids[0]}: changed; look again")
    assert third is not None
    assert "1 of 3" in shown
    screen.until(READY)
    screen.type("a")
    screen.until(f"Approved {ids[0]}")


@pytest.mark.parametrize("end", ["ctrl-c", "term", "hangup"])
def test_the_terminal_is_put_back_however_it_ends(screen: Program, end: str) -> None:
    screen.type("d")
    screen.until("Reason for denying")
    if end == "ctrl-c":
        screen.type("\x03")
        code = 130
    else:
        number = signal.SIGTERM if end == "term" else signal.SIGHUP
        screen.process.send_signal(number)
        code = 128 + number
    assert screen.ended() == code
    assert screen.restored()
    assert b"Traceback" not in screen.raw


def test_the_window_may_be_small_and_be_resized(screen: Program) -> None:
    screen.resize(12, 50)
    screen.until(lambda text: READY in text and "agent" in text and len(text.splitlines()) <= 12)
    screen.resize(50, 160)
    screen.until(lambda text: READY in text and "none of this agent and type was decided before" in text)
    screen.type("q")
    assert screen.ended() == 0


def test_what_an_agent_wrote_cannot_steer_the_terminal(embedded: Place) -> None:
    evil = "\x1b[2J\x1b]0;owned\x07[bold red]Ship[/] \u202egpj"
    embedded.waiting(evil)
    with program("approvals", "watch", *embedded.words) as screen:
        shown = screen.until(READY)
        assert "\\x1b[2J\\x1b]0;owned\\x07[bold red]Ship[/] \\u202egpj" in shown
        assert b"\x1b]0;owned" not in screen.raw


def test_an_action_that_nobody_decides_goes_when_it_expires(embedded: Place) -> None:
    with program("approvals", "watch", *embedded.words) as screen:
        screen.until("Nothing waits")
        embedded.waiting("Soon", approval_wait_seconds=5)
        screen.until("1 waiting")
        screen.until(": expired")
        screen.until("nothing waits")


def test_an_agent_and_a_risk_may_be_asked_for(embedded: Place) -> None:
    embedded.waiting("Mine")
    with DashClaw.local(embedded.words[1], agent_id="agent-2") as other:
        other.create_action("deploy", "Other", status="pending", risk_score=20)
    with program("approvals", "watch", "--agent", "agent-2", *embedded.words) as screen:
        assert "Other" in screen.until("1 waiting")
    shown = embedded.run("approvals", "watch", "--min-risk", "90", "--timeout", "0.1", "--lines")
    assert [line.split()[-1] for line in shown.out.splitlines()] == ["Mine"]


def test_the_end_may_come_by_itself(embedded: Place) -> None:
    with program("approvals", "watch", "--timeout", "1", *embedded.words) as screen:
        assert screen.ended() == 0
        assert screen.restored()


def test_without_a_terminal_it_says_so(embedded: Place) -> None:
    embedded.waiting()
    shown = embedded.run("approvals", "watch", "--timeout", "0.1")
    assert "Ship it" in shown.out
    assert "This is no terminal" in shown.err


def test_without_rich_lines_are_shown_and_the_extra_is_named(embedded: Place) -> None:
    embedded.waiting()
    hidden = ("-c", "import sys; sys.modules['rich'] = None; from dashclaw.cli import main; sys.exit(main())")
    words = ("approvals", "watch", "--timeout", "1", *embedded.words)
    with program(*words, command=(sys.executable, *hidden), columns=200) as screen:
        assert screen.ended() == 0
        assert 'pip install "dashclaw[cli]"; a line each until then' in screen.shown
        assert "Ship it" in screen.shown
        assert screen.restored()
