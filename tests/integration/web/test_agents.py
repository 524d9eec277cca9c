"""The pages of agents show who is there and what each did, and nothing that an agent says runs."""

from __future__ import annotations

from urllib.parse import quote

import httpx
import pytest

from .support import Browser, Text, text_of

PAYLOADS = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'-alert(1)-'",
    "{{ 7 * 7 }}{% print 8 %}",
    "javascript:alert(1)",
    "</textarea></title><svg onload=alert(1)>",
    "<td data-label=x><tr>",
    "\u202egnp.exe",
)


def act(agent: httpx.Client, agent_id: str, **more: object) -> dict[str, object]:
    body = {"agent_id": agent_id, "action_type": "research", "declared_goal": "Look something up", **more}
    found: dict[str, object] = agent.post("/api/actions", json=body).json()
    return found


def test_an_empty_fleet_says_what_comes(operator: Browser) -> None:
    assert "No agents yet" in text_of(operator.get("/agents"))


def test_a_row_says_what_an_agent_did(operator: Browser, agent: httpx.Client) -> None:
    agent.post("/api/agents/heartbeat", json={"agent_id": "clerk", "agent_name": "The clerk", "status": "busy"})
    act(agent, "clerk", risk_score=20)
    failed = act(agent, "clerk", risk_score=40)
    agent.patch(f"/api/actions/{failed['action_id']}", json={"status": "failed", "cost_estimate": 1.5})
    act(agent, "clerk", status="pending_approval")
    page = operator.get("/agents")
    row = Text(page.text.split("The clerk</a>")[1].split("</tr>")[0]).text
    assert row.startswith("clerk busy 1 1 1 0 3")
    assert "$1.50" in row
    assert '<a href="/agents/clerk">' in page.text


def test_a_region_alone_is_the_same_as_in_the_page(operator: Browser, agent: httpx.Client) -> None:
    act(agent, "clerk")
    alone = operator.get("/agents", region="agents_table").text
    assert alone.strip().startswith('<div id="agents_table"')
    assert "<html" not in alone
    assert 'href="/agents/clerk"' in alone


def test_agents_are_found_by_a_part_of_name_or_id(operator: Browser, agent: httpx.Client) -> None:
    agent.post("/api/agents/heartbeat", json={"agent_id": "id-100%", "agent_name": "Ümläut"})
    for part in ("100%", "D-1", "ml"):
        assert "Ümläut" in operator.get("/agents", params={"search": part}).text, part
    for part in ("%", "_", "nobody"):
        found = text_of(operator.get("/agents", params={"search": part}))
        assert ("Ümläut" in found) == (part == "%"), part
    assert "No agent matches" in text_of(operator.get("/agents", params={"search": "nobody"}))


def test_lists_have_pages_that_keep_the_filter(operator: Browser, agent: httpx.Client) -> None:
    for number in range(30):
        agent.post("/api/agents/heartbeat", json={"agent_id": f"many-{number:02}"})
    first = operator.get("/agents?search=many")
    assert "1\N{EN DASH}25 of 30" in text_of(first)
    following = next(link for link in Text(first.text).links if "offset" in link)
    assert following == "/agents?search=many&offset=25"
    second = operator.get(following)
    assert "26\N{EN DASH}30 of 30" in text_of(second)
    assert "/agents?search=many" in Text(second.text).links


def test_a_silent_agent_is_told_from_one_that_is_there(operator: Browser, agent: httpx.Client) -> None:
    agent.post("/api/agents/heartbeat", json={"agent_id": "gone"})
    with operator.server.runtime.store.write("org_default") as tx:
        from dashclaw.runtime.store import agents

        agents.change(tx, "org_default", "gone", {"last_heartbeat_at": "2026-01-01T00:00:00.000000Z"})
    assert "silent" in text_of(operator.get("/agents?search=gone"))
    found = agent.get("/api/agents", params={"agent_id": "gone"}).json()["agents"]
    assert [(row["status"], row["presence"]) for row in found] == [("online", "silent")]
    assert "actions" not in found[0]


def test_one_agent_has_its_page(operator: Browser, agent: httpx.Client) -> None:
    name = "a/b c"
    agent.post("/api/agents/heartbeat", json={"agent_id": name, "metadata": {"model": "m-1"}})
    act(agent, name, declared_goal="Count the boxes", risk_score=90)
    connections = {"agent_id": name, "connections": [{"provider": "github", "status": "error"}]}
    agent.post("/api/agents/connections", json=connections)
    page = operator.get(f"/agents/{quote(name, safe='')}")
    assert page.status_code == 200
    text = text_of(page)
    for part in ("a/b c", "Count the boxes", "90 high", "github", "error", '"model": "m-1"'):
        assert part in text, part
    assert "<title>a/b c · DashClaw</title>" in page.text
    alone = operator.get(f"/agents/{quote(name, safe='')}", region="agent_now")
    assert alone.text.strip().startswith('<div id="agent_now"')


def test_nobody_has_no_page(operator: Browser) -> None:
    answer = operator.get("/agents/nobody")
    assert answer.status_code == 404
    assert "There is no agent 'nobody'" in text_of(answer)


@pytest.mark.parametrize("payload", PAYLOADS)
def test_what_an_agent_says_stays_text(payload: str, operator: Browser, agent: httpx.Client) -> None:
    agent.post(
        "/api/agents/heartbeat",
        json={"agent_id": payload, "agent_name": payload, "status": payload[:32], "metadata": {payload: payload}},
    ).raise_for_status()
    act(agent, payload, declared_goal=payload, action_type="x" + payload[:20])
    plain = operator.get("/agents/one-that-is-plain")
    pages = [operator.get(f"/agents/{quote(payload, safe='')}"), operator.get("/agents", params={"search": payload})]
    for page in (*pages, operator.get("/agents"), plain):
        assert payload not in page.text or payload == "javascript:alert(1)" or payload.startswith(("{{", "'"))
        assert "<script>alert" not in page.text
        assert "<img src=x" not in page.text
        assert "49" not in text_of(page).split("Shortcuts")[0].replace("049", "")
        assert 'href="javascript:' not in page.text
    assert [page.status_code for page in pages] == [200, 200]


def test_counts_come_only_when_asked_for(agent: httpx.Client) -> None:
    act(agent, "counted", risk_score=10, cost_estimate=0.25)
    [found] = agent.get("/api/agents", params={"agent_id": "counted", "counts": "true"}).json()["agents"]
    assert found["actions"] == {
        "total": 1,
        "running": 1,
        "completed": 0,
        "failed": 0,
        "cancelled": 0,
        "pending_approval": 0,
        "blocked": 0,
    }
    assert found["decisions"] == {"total": 1, "allow": 1, "warn": 0, "require_approval": 0, "block": 0}
    assert (found["cost"], found["avg_risk"]) == (0.25, 10.0)


def test_a_status_too_long_to_keep_is_refused(agent: httpx.Client) -> None:
    answer = agent.post("/api/agents/heartbeat", json={"agent_id": "wordy", "status": "x" * 33})
    assert (answer.status_code, answer.json()["code"]) == (400, "VALIDATION_FAILED")
