"""The pages on frameworks, their controls and the evidence for them."""

from __future__ import annotations

import httpx

from .support import Browser, text_of


def test_every_framework_shows_how_far_it_is_covered(operator: Browser, agent: httpx.Client) -> None:
    known = agent.get("/api/compliance/frameworks").json()["frameworks"]
    page = operator.get("/compliance")
    assert page.status_code == 200
    for framework in known:
        assert framework["name"] in text_of(page)
        found = agent.get("/api/compliance/map", params={"framework": framework["id"]}).json()
        assert f"{found['coverage_pct']} % covered" in page.text
        one = operator.get(f"/compliance/{framework['id']}")
        assert one.status_code == 200
        for control in found["controls"]:
            assert f"{control['control_id']} {control['title']}" in text_of(one)


def test_a_new_policy_moves_the_coverage(operator: Browser) -> None:
    before = operator.get("/compliance/soc2", region="framework_now").text
    server = operator.server
    rules = {"action_types": ["web.fetch", "web.post", "<script>alert(1)</script>"]}
    body = {"name": "<script>alert(2)</script>", "policy_type": "block_action_type", "rules": rules}
    httpx.post(f"{server.url}/api/policies", json=body, headers={"x-api-key": server.admin_key}).raise_for_status()
    after = operator.get("/compliance/soc2", region="framework_now").text
    assert after != before
    assert "<script>alert(2)" not in after


def test_the_report_is_a_file(operator: Browser) -> None:
    for form, start in (("md", "#"), ("json", "{")):
        answer = operator.get(f"/compliance/gdpr/report?format={form}")
        assert answer.headers["content-disposition"].startswith('attachment; filename="gdpr-')
        assert answer.headers["content-disposition"].endswith(f'.{form}"')
        assert answer.text.startswith(start)


def test_evidence_is_of_the_window_that_was_asked_for(operator: Browser, agent: httpx.Client) -> None:
    agent.post("/api/guard", json={"action_type": "deploy", "agent_id": "a"}).raise_for_status()
    text = text_of(operator.get("/compliance/soc2?window=7d"))
    assert "Of the last 7 days" in text
    assert "entries of the chain" in text
    assert "Of the last 30 days" in text_of(operator.get("/compliance/soc2?window=sideways"))


def test_an_unknown_framework_is_not_there(operator: Browser) -> None:
    assert operator.get("/compliance/nothing").status_code == 404
    assert operator.get("/compliance/nothing/report").status_code == 404
