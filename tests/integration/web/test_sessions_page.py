"""The pages of sessions and handoffs."""

from __future__ import annotations

import httpx

from .support import Browser, text_of

SCRIPT = "<script>alert(1)</script>"


def act(agent: httpx.Client, session: str, goal: str) -> None:
    body = {"agent_id": "worker", "action_type": "api_call", "declared_goal": goal, "session_id": session}
    agent.post("/api/actions", json=body).raise_for_status()


def test_a_session_shows_its_actions_in_order(operator: Browser, agent: httpx.Client) -> None:
    assert "No sessions" in text_of(operator.get("/sessions"))
    act(agent, f"s/1 {SCRIPT}", f"first {SCRIPT}")
    act(agent, "other", "elsewhere")
    act(agent, f"s/1 {SCRIPT}", "second")
    page = operator.get("/sessions")
    assert SCRIPT not in page.text
    assert f"s/1 {SCRIPT} 2" in text_of(page)
    [path] = {link for link in page.text.split('"') if link.startswith("/sessions/s%2F1")}
    shown = operator.get(path)
    assert SCRIPT not in shown.text
    text = text_of(shown)
    assert text.index(f"first {SCRIPT}") < text.index("second")
    assert "elsewhere" not in text
    assert operator.get("/sessions/nothing").status_code == 404
    known = agent.get("/api/sessions", params={"agent_id": "worker"}).json()
    assert (known["total"], known["sessions"][0]["actions"]) == (2, 2)


def test_handoffs_stand_beside(operator: Browser, agent: httpx.Client) -> None:
    body = {"agent_id": "worker", "summary": f"Half done {SCRIPT}", "open_tasks": ["the rest"]}
    agent.post("/api/handoffs", json=body).raise_for_status()
    page = operator.get("/sessions")
    assert SCRIPT not in page.text
    assert f"Half done {SCRIPT}" in text_of(page)
    assert "the rest" in text_of(page)
