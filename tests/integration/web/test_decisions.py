"""The pages of decisions and actions."""

from __future__ import annotations

import httpx
import pytest

from .support import Browser, text_of

SCRIPT = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def decided(agent: httpx.Client) -> dict[str, str]:
    """Two questions to the guard and an action with its outcome; the ids."""
    goal = f"Drop the staging tables {SCRIPT}"
    risky = {"agent_id": "dba", "action_type": "db.drop", "declared_goal": goal, "risk_score": 85}
    calm = {"agent_id": "reader", "action_type": "db.read", "declared_goal": "Count rows", "systems_touched": ["pg-1"]}
    first = agent.post("/api/guard", json=risky).json()
    second = agent.post("/api/guard", json=calm).json()
    body = {**risky, "reasoning": SCRIPT, "input_summary": SCRIPT, "risk_score": 30}
    action_id = agent.post("/api/actions", json=body).json()["action_id"]
    done = {"status": "failed", "error_message": f"refused {SCRIPT}", "output_summary": SCRIPT, "duration_ms": 1500}
    agent.patch(f"/api/actions/{action_id}", json=done).raise_for_status()
    return {"risky": first["decision_id"], "calm": second["decision_id"], "action": action_id}


@pytest.mark.parametrize(
    ("filters", "wanted", "unwanted"),
    [
        ("search=STAGING", "Drop the staging", "Count rows"),
        ("agent_id=reader", "Count rows", "Drop the staging"),
        ("action_type=db.read", "Count rows", "Drop the staging"),
        ("system=pg-1", "Count rows", "Drop the staging"),
        ("risk_min=80", "Drop the staging", "Count rows"),
        ("risk_max=25&agent_id=reader", "Count rows", "Drop the staging"),
        ("until=2020-01-01", "No decision fits", "Count rows"),
        ("since=2020-01-01", "Count rows", "No decision fits"),
        ("degraded=true", "No decision fits", "Count rows"),
        ("policy_id=gp_none", "No decision fits", "Count rows"),
        ("search=%25", "No decision fits", "Count rows"),
    ],
)
def test_decisions_are_found_by_anything(
    operator: Browser, decided: dict[str, str], filters: str, wanted: str, unwanted: str
) -> None:
    text = text_of(operator.get(f"/decisions?{filters}", region="decisions_table"))
    assert wanted in text
    assert unwanted not in text


def test_a_filter_that_cannot_be_read_is_told(operator: Browser) -> None:
    page = operator.get("/decisions?since=yesterday")
    assert page.status_code == 400
    assert "ISO-8601" in text_of(page)


def test_a_policy_leads_to_the_decisions_that_it_made(operator: Browser, agent: httpx.Client) -> None:
    server = operator.server
    body = {"name": f"No moon {SCRIPT}", "policy_type": "block_action_type", "rules": {"action_types": ["moon.shot"]}}
    made = httpx.post(f"{server.url}/api/policies", json=body, headers={"x-api-key": server.admin_key}).json()
    asked = agent.post("/api/guard", json={"agent_id": "astro", "action_type": "moon.shot"}).json()
    found = agent.get("/api/guard", params={"policy_id": made["policy"]["id"]}).json()
    assert [row["id"] for row in found["decisions"]] == [asked["decision_id"]]
    page = operator.get(f"/decisions/{asked['decision_id']}")
    assert SCRIPT not in page.text
    assert f"No moon {SCRIPT}" in text_of(page)
    assert "They decide the same." in text_of(page)


def test_a_decision_shows_what_it_rests_on(operator: Browser, decided: dict[str, str]) -> None:
    page = operator.get(f"/decisions/{decided['risky']}")
    assert SCRIPT not in page.text
    text = text_of(page)
    assert f"Drop the staging tables {SCRIPT}" in text
    assert "client 85" in text
    assert operator.get("/decisions/gd_nothing").status_code == 404


def test_a_decision_is_downloaded(operator: Browser, agent: httpx.Client, decided: dict[str, str]) -> None:
    page = operator.get(f"/decisions/{decided['risky']}")
    assert f'href="/decisions/{decided["risky"]}/json"' in page.text
    found = operator.get(f"/decisions/{decided['risky']}/json")
    assert found.headers["content-disposition"] == 'attachment; filename="decision.json"'
    assert found.json()["decision"] == agent.get(f"/api/guard/decisions/{decided['risky']}").json()["decision"]
    assert operator.get("/decisions/gd_nothing/json").status_code == 404


def test_an_action_is_replayed_and_downloaded(operator: Browser, decided: dict[str, str]) -> None:
    path = f"/actions/{decided['action']}"
    page = operator.get(path)
    assert SCRIPT not in page.text
    text = text_of(page)
    for word in ("intent", "decision", "outcome", "Failed", f"refused {SCRIPT}"):
        assert word in text
    assert operator.get(path, region="action_now").text.startswith("<div id=")
    html = operator.get(f"{path}/replay")
    assert html.headers["content-disposition"] == 'attachment; filename="replay.html"'
    assert SCRIPT not in html.text
    whole = operator.get(f"{path}/replay?format=json").json()
    assert whole["action_id"] == decided["action"]
    assert operator.get("/actions/act_nothing").status_code == 404


def test_actions_are_listed_by_status(operator: Browser, decided: dict[str, str]) -> None:
    page = operator.get("/actions?status=failed&agent_id=dba")
    assert SCRIPT not in page.text
    assert f"/actions/{decided['action']}" in page.text
    assert "No action fits" in text_of(operator.get("/actions?status=completed&agent_id=dba"))
