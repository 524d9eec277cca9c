"""`dashclaw top`: once, as JSON, and on a screen."""

from __future__ import annotations

import json
import signal
import sys

from dashclaw import DashClaw

from .conftest import Place
from .terminals import program
from .test_processes import line_of, started, stopped


def busy(place: Place) -> None:
    place.agent.heartbeat()
    place.done()
    place.waiting()
    place.agent.create_action("research", "Goes on")
    place.agent.report_token_usage(1000, 1000, cost_usd=1.5)


def test_one_look_counts_what_each_agent_does(place: Place) -> None:
    busy(place)
    shown = place.run("top", "--once")
    summary, head, row = shown.out.splitlines()
    assert summary.startswith("1 agents, 1 running, 1 waiting, 0.6 decisions/min over 5 min, $1.50 today, ")
    cells = dict(zip(head.lower().replace("per min", "rate").split(), row.split(), strict=False))
    assert (cells["agent"], cells["presence"]) == ("agent-1", "online")
    assert [cells[name] for name in ("running", "waiting", "rate", "allow", "ask", "block", "cost")] == [
        "1",
        "1",
        "0.6",
        "2",
        "1",
        "0",
        "$1.50",
    ]
    document = place.run("top", "--once", "--json").document
    assert document["agents"][0]["decisions"] == {"allow": 2, "require_approval": 1}
    assert document["answer_ms"] > 0
    assert place.run("top").out.splitlines()[1] == head  # no terminal: one look


def test_json_goes_on_a_line_per_look(embedded: Place) -> None:
    busy(embedded)
    with started("top", "--json", "--interval", "0.1", *embedded.words) as process:
        first = json.loads(line_of(process))
        embedded.waiting("Another")
        seen = first
        while seen["agents"][0]["waiting"] != 2:
            seen = json.loads(line_of(process))
        assert stopped(process, signal.SIGINT) == (130, "")


def test_the_screen_follows_sorts_and_is_resized(place: Place) -> None:
    busy(place)
    with program("top", "--interval", "0.2", *place.words, rows=20, columns=130) as screen:
        screen.until(lambda text: "1 waiting" in text and "agent-1" in text)
        place.agent.request("POST", "/api/agents/heartbeat", body={"agent_id": "zeta"})
        screen.until("2 agents")
        lines = screen.until("PER MIN ▼").splitlines()
        assert [line.split()[0] for line in lines if line.startswith((" agent-1", " zeta"))] == ["agent-1", "zeta"]
        screen.type("n")
        screen.until("AGENT ▼")
        screen.type("n")
        lines = screen.until("AGENT ▲").splitlines()
        assert [line.split()[0] for line in lines if line.startswith((" agent-1", " zeta"))] == ["zeta", "agent-1"]
        screen.resize(10, 70)
        screen.until(lambda text: "q quit" in text and "zeta" in text)
        screen.type("q")
        assert screen.ended() == 0
        assert screen.restored()


def test_a_server_that_goes_is_told_and_ctrl_c_ends(embedded: Place) -> None:
    with started("serve", "--port", "0", "--json", *embedded.words) as server:
        first = json.loads(line_of(server))
        words = ("--url", first["url"], "--api-key", first["admin_key"])
        with DashClaw(first["url"], first["agent_key"], agent_id="one") as agent:
            agent.heartbeat()
        with program("top", "--interval", "0.1", *words) as screen:
            screen.until("one")
            assert stopped(server, signal.SIGTERM)[0] == 0
            screen.until("no answer, what you see is old")
            screen.type("\x03")
            assert screen.ended() == 130
            assert screen.restored()


def test_without_rich_the_extra_is_named(embedded: Place) -> None:
    hidden = ("-c", "import sys; sys.modules['rich'] = None; from dashclaw.cli import main; sys.exit(main())")
    with program("top", *embedded.words, command=(sys.executable, *hidden), columns=200) as screen:
        assert screen.ended() == 1
        assert 'pip install "dashclaw[cli]"' in screen.shown
    with program("top", "--once", *embedded.words, command=(sys.executable, *hidden), columns=200) as screen:
        assert screen.ended() == 0
