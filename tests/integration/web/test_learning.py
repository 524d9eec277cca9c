"""The page of what was learnt: recommendations, assumptions, decisions and goals."""

from __future__ import annotations

from collections.abc import Callable

import httpx

from .support import Browser, text_of

SCRIPT = "<script>alert(1)</script>"


def act(agent: httpx.Client, number: int, who: str = "deployer", **outcome: object) -> str:
    body = {"agent_id": who, "action_type": "deploy", "declared_goal": SCRIPT, "risk_score": 20, "confidence": 70}
    action_id: str = agent.post("/api/actions", json=body).json()["action_id"]
    done = {"status": "failed" if number % 4 == 0 else "completed", "duration_ms": 1000, **outcome}
    agent.patch(f"/api/actions/{action_id}", json=done).raise_for_status()
    return action_id


def test_recommendations_are_learnt_shown_and_kept_back(operator: Browser, agent: httpx.Client) -> None:
    for number in range(12):
        act(agent, number)
    done = operator.post("/learning/rebuild", page="/learning")
    assert (done.status_code, done.headers["location"]) == (303, "/learning")
    page = operator.get("/learning")
    assert "1 recommendations from 12 actions." in text_of(page)
    assert "deployer deploy, 12 runs" in text_of(page)
    found = agent.get("/api/learning/recommendations").json()["recommendations"][0]
    assert all(line in text_of(page) for line in found["guidance"])
    path = f"/learning/recommendations/{found['id']}"
    assert operator.post(path, {"active": "off"}, page="/learning").status_code == 303
    assert agent.get("/api/learning/recommendations").json()["recommendations"] == []
    assert "Give" in text_of(operator.get("/learning", region="learnt"))
    assert operator.post(path, {"active": "on"}, page="/learning").status_code == 303
    metrics = agent.get("/api/learning/recommendations/metrics").json()["metrics"][0]
    assert metrics["telemetry"]["fetched"] == 0, "an operator who looks is no agent that uses it"


def test_an_assumption_is_judged_and_its_text_is_inert(operator: Browser, agent: httpx.Client) -> None:
    action_id = act(agent, 1, "assuming")
    body = {"action_id": action_id, "assumption": f"warm {SCRIPT}", "basis": SCRIPT}
    made = agent.post("/api/actions/assumptions", json=body).json()["assumption_id"]
    page = operator.get("/learning?agent_id=assuming")
    assert SCRIPT not in page.text
    assert f"warm {SCRIPT}" in text_of(page)
    form = {"verdict": "wrong", "reason": f"cold {SCRIPT}"}
    assert operator.post(f"/learning/assumptions/{made}", form, page="/learning").status_code == 303
    assert "proved wrong" in text_of(operator.get("/learning?agent_id=assuming"))
    known = agent.get(f"/api/actions/assumptions/{made}").json()["assumption"]
    assert (known["invalidated"], known["invalidated_reason"]) == (True, f"cold {SCRIPT}")


def test_decisions_and_goals_that_agents_note_are_there(operator: Browser, agent: httpx.Client) -> None:
    note = {"decision": f"Use the queue {SCRIPT}", "reasoning": SCRIPT, "outcome": "success", "agent_id": "noter"}
    agent.post("/api/learning", json=note).raise_for_status()
    agent.post("/api/goals", json={"title": f"Ship {SCRIPT}", "progress": 40, "agent_id": "noter"}).raise_for_status()
    page = operator.get("/learning?agent_id=noter")
    assert SCRIPT not in page.text
    assert f"Use the queue {SCRIPT}" in text_of(page)
    assert "40 %" in text_of(page)


def test_who_may_only_read_sees_no_buttons_and_changes_nothing(
    operator: Browser, visitor: Callable[[], Browser], agent: httpx.Client
) -> None:
    server = operator.server
    org = httpx.get(f"{server.url}/api/orgs", headers={"x-api-key": server.admin_key}).json()["organizations"][0]["id"]
    made = httpx.post(
        f"{server.url}/api/orgs/{org}/keys", json={"role": "readonly"}, headers={"x-api-key": server.admin_key}
    )
    reader = visitor()
    raw = made.json()["api_key"]
    assert reader.sign_in(raw["key"] if isinstance(raw, dict) else raw).status_code == 303
    assert "Learn again" not in text_of(reader.get("/learning"))
    assert reader.post("/learning/rebuild", page="/learning").status_code == 403
