"""Mission control and the way to the first governed action."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from ..databases import database
from ..serving import Served, served
from .support import Browser, text_of

SCRIPT = "<script>alert(1)</script>"
ASK = "require_approval"


@pytest.fixture(params=["sqlite", "postgresql"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Served]:
    with database(request.param, tmp_path) as url, served(url) as found:
        yield found


@pytest.fixture
def agent(server: Served) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, headers={"x-api-key": server.agent_key}, timeout=30) as client:
        yield client


def act(agent: httpx.Client, goal: str = "Roll out", risk: int = 10, **fields: object) -> httpx.Response:
    body = {"agent_id": "deployer", "action_type": "deploy", "declared_goal": goal, "risk_score": risk, **fields}
    return agent.post("/api/actions", json=body)


def policy(operator: Browser, **body: object) -> None:
    server = operator.server
    httpx.post(f"{server.url}/api/policies", json=body, headers={"x-api-key": server.admin_key}).raise_for_status()


def test_a_newcomer_gets_a_key_a_program_and_is_told_when_it_ran(operator: Browser, agent: httpx.Client) -> None:
    first = operator.get("/")
    assert "Your first governed action" in text_of(first)
    assert "your-agent-key" in text_of(first)
    made = operator.post("/", page="/")
    assert made.status_code == 200
    found = re.search(r"oc_live_[0-9a-f]{32}", text_of(made))
    assert found
    assert f'api_key="{found[0]}"' in text_of(made)
    assert operator.server.url in text_of(made)
    assert found[0] not in operator.get("/").text, "a key is shown once"
    assert operator.get("/", region="first_steps").text.startswith("<div id=")
    assert act(agent).status_code == 201
    noticed = operator.get("/", region="first_steps")
    assert noticed.headers["hx-redirect"] == "/"
    assert "The first governed action has arrived" in text_of(operator.get("/"))


def test_every_program_of_the_first_steps_is_python(operator: Browser) -> None:
    for name in ("python", "langchain", "crewai", "openai-agents", "nonsense"):
        page = text_of(operator.get(f"/?with={name}"))
        assert "pip install" in page
        assert f'base_url="{operator.server.url}"' in page


def test_the_overview_counts_what_happened(operator: Browser, agent: httpx.Client) -> None:
    act(agent)
    policy(operator, name="Look at risk", policy_type="risk_threshold", rules={"threshold": 90, "action": ASK})
    waits = act(agent, f"Drop {SCRIPT}", 95)
    assert waits.status_code == 202
    rules = {"action_types": ["db.drop"]}
    policy(operator, name=f"No drops {SCRIPT}", policy_type="block_action_type", rules=rules)
    assert act(agent, "Drop all", 20, action_type="db.drop").status_code == 403
    page = operator.get("/")
    text = text_of(page)
    assert SCRIPT not in page.text
    assert "Waiting for you 1" in text
    assert "Blocked 1" in text
    assert f"Drop {SCRIPT}" in text
    assert f"No drops {SCRIPT}" in text
    assert re.search(r"Guard takes \d+\.\d ms", text)
    found = agent.get("/api/overview", params={"window": "hour"}).json()
    assert (found["actions"]["total"], found["decisions"]["last_24h"]["block"]) == (3, 1)
    assert len(found["decisions"]["series"]) == 60
    for window in ("hour", "day", "month"):
        series = agent.get("/api/overview", params={"window": window}).json()["decisions"]["series"]
        assert sum(bucket[name] for bucket in series for name in ("allow", "require_approval", "block")) == 3
        assert operator.get(f"/?window={window}", region="mission_now").status_code == 200
    health = agent.get("/api/health").json()["guard_ms"]
    assert health["answers"] == 3
    assert 0 < health["p50"] <= health["p95"] <= health["p99"]


def test_a_signal_about_no_single_action_leads_to_its_agent(operator: Browser, agent: httpx.Client) -> None:
    for _ in range(11):
        body = {"agent_id": "hasty", "action_type": "research", "declared_goal": "Look"}
        assert agent.post("/api/actions", json=body).status_code == 201
    [signal] = [found for found in agent.get("/api/actions/signals").json()["signals"] if found["agent_id"] == "hasty"]
    assert "action_id" not in signal
    page = operator.get("/")
    assert page.status_code == 200
    assert f'<a href="/agents/hasty">{signal["label"]}</a>' in page.text
