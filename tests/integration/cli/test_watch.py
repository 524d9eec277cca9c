"""`dashclaw watch`: lines, JSON and a screen, from the embedded feed and over the stream of a server."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from dashclaw import DashClaw

from .conftest import Place, Run
from .terminals import program
from .test_processes import line_of, started, stopped


@contextmanager
def watching(place: Place, *words: str) -> Iterator[subprocess.Popen[str]]:
    """`dashclaw watch --json` that listens already."""
    with started("watch", "--json", *words, *place.words) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == "Watching; Ctrl-C ends it.\n"
        yield process


def told(process: subprocess.Popen[str]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(line_of(process))
    return found


def test_decisions_and_approvals_are_told_in_order_one_object_a_line(place: Place) -> None:
    first = place.done()
    with watching(place, "--since", "1h") as process:
        assert told(process)["data"]["action_id"] == first
        action_id = place.waiting()
        decision, waits = told(process), told(process)
        assert (decision["kind"], decision["state"], decision["risk"]) == ("decision", "require_approval", 95)
        assert (waits["kind"], waits["state"], waits["data"]["action_id"]) == ("approval", "waits", action_id)
        assert (waits["agent_id"], waits["action_type"]) == ("agent-1", "deploy")
        assert place.run("approvals", "approve", action_id, "--reason", "Fine").code == 0
        approved = told(process)
        assert approved["state"] == "approved"
        assert "Fine" in approved["text"]
        assert [int(row["id"]) for row in (decision, waits, approved)] == sorted(
            int(row["id"]) for row in (decision, waits, approved)
        )
        assert stopped(process, signal.SIGINT) == (130, "")
    with watching(place, "--after", waits["id"]) as process:
        assert told(process)["id"] == approved["id"]


def test_only_what_is_asked_for_is_told(place: Place) -> None:
    place.done("Read")
    place.waiting("Ship")
    last = place.done("Compare")

    def rows(*words: str) -> list[tuple[str, str | None]]:
        shown = place.run("watch", "--since", "1h", "--timeout", "0.2", "--json", *words)
        assert shown.code == 0
        found = [json.loads(line) for line in shown.out.splitlines()]
        return [(row["state"], row["action_type"]) for row in found]

    asked, waits, allowed = ("require_approval", "deploy"), ("waits", "deploy"), ("allow", "research")
    assert rows() == [allowed, asked, waits, allowed]
    assert rows("--only", "approval") == [waits]
    assert rows("--decision", "allow") == [allowed, allowed]
    assert rows("--type", "dep*") == [asked, waits]
    assert rows("--min-risk", "90") == [asked, waits]
    assert rows("--agent", "agent-?", "--decision", "require_approval") == [asked]
    assert rows("--agent", "nobody") == []
    plain = place.run("watch", "--since", "1h", "--timeout", "0.2").out
    assert [line.split()[1:3] for line in plain.splitlines()][2] == ["approval", "waits"]
    assert last in plain
    assert "\x1b" not in plain


def test_a_signal_is_told(embedded: Place) -> None:
    from dashclaw.runtime.signal_watch import detect

    for number in range(12):
        embedded.done(f"Loop {number}")
    with DashClaw.local(embedded.words[1]) as opened:
        detect(opened.transport.runtime)  # type: ignore[attr-defined]
    shown = embedded.run("watch", "--since", "1h", "--only", "signal", "--timeout", "0.2")
    assert "amber" in shown.out
    assert "Unusually many actions: 12 actions within an hour" in shown.out


@pytest.mark.parametrize("text", ["soon", "5", "3w", "2026-13-01"])
def test_a_time_that_is_none_is_refused(run: Run, text: str) -> None:
    shown = run("watch", "--since", text)
    assert shown.code == 2
    assert "is no time" in shown.err


def test_a_server_that_is_away_or_refuses_is_told_at_once(run: Run, remote: Place) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        shown = run("watch", "--url", f"http://127.0.0.1:{nobody.getsockname()[1]}", "--api-key", "k" * 20)
    assert shown.code == 1
    assert "is the server running?" in shown.err
    refused = run("watch", *remote.words[:2], "--api-key", "wrong-key-of-nobody")
    assert (refused.code, "give a key of this server" in refused.err) == (1, True)


def test_a_server_that_stops_and_comes_back_is_resumed_without_a_gap(tmp_path: Path) -> None:
    path = str(tmp_path / "served.db")
    with started("serve", "--port", "0", "--json", "--db", path) as server:
        first = json.loads(line_of(server))
        words = ("--url", first["url"], "--api-key", first["admin_key"])
        with started("watch", "--json", "--only", "decision", *words) as process:
            assert process.stderr is not None
            assert process.stderr.readline() == "Watching; Ctrl-C ends it.\n"
            with DashClaw(first["url"], first["agent_key"], agent_id="one") as agent:
                # The stream is open once something came over it.
                agent.guard({"action_type": "research"})
                told(process)
            assert stopped(server, signal.SIGTERM)[0] == 0
            assert process.stderr.readline() == "connection lost; trying again\n"
            with DashClaw.local(path, agent_id="two") as agent:
                agent.guard({"action_type": "meanwhile"})
            port = first["url"].rpartition(":")[2]
            with started("serve", "--port", port, "--json", "--db", path) as again:
                line_of(again)
                assert told(process)["action_type"] == "meanwhile"
                assert process.stderr.readline() == "connected again\n"
                with DashClaw(first["url"], first["agent_key"], agent_id="one") as agent:
                    agent.guard({"action_type": "afterwards"})
                assert told(process)["action_type"] == "afterwards"
                assert stopped(process, signal.SIGINT) == (130, "")


def test_a_terminal_gets_colours_unless_they_are_not_wanted(embedded: Place) -> None:
    embedded.waiting()
    words = ("watch", "--since", "1h", "--timeout", "0.5", *embedded.words)
    for environment, coloured in (({}, True), ({"NO_COLOR": "1"}, False)):
        with program(*words, columns=200, **environment) as screen:
            assert screen.ended() == 0
            assert "require_approval" in screen.shown
            assert (b"\x1b[1;33m" in screen.raw) is coloured
            assert screen.restored()


def test_the_screen_shows_the_newest_and_pauses(embedded: Place) -> None:
    embedded.waiting("The first")
    with program("watch", "--screen", "--since", "1h", *embedded.words, rows=12) as screen:
        screen.until("The first")
        for number in range(12):
            embedded.done(f"Goal {number}")
        screen.until(lambda text: "allow 12" in text and "The first" not in text)
        screen.type("p")
        screen.until("p go on")
        screen.resize(20, 90)
        embedded.waiting("While paused")
        screen.until("require_approval 2")
        assert "While paused" not in screen.shown
        screen.type("p")
        screen.until("While paused")
        screen.type("q")
        assert screen.ended() == 0
        assert screen.restored()


def test_the_screen_needs_a_terminal_and_the_extra(embedded: Place) -> None:
    shown = embedded.run("watch", "--screen")
    assert (shown.code, "--screen needs a terminal" in shown.err) == (1, True)
