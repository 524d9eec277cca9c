"""The pages of webhooks and schedules."""

from __future__ import annotations

import re

import httpx

from .support import Browser, text_of

SCRIPT = "<script>alert(1)</script>"


def test_a_webhook_is_added_paused_and_removed(operator: Browser, agent: httpx.Client) -> None:
    assert "No webhooks" in text_of(operator.get("/webhooks"))
    form = {"url": "https://hooks.example.com/dashclaw", "events": "action.created, approval.decided"}
    refused = operator.post("/webhooks", {**form, "url": "http://169.254.169.254/latest"}, page="/webhooks")
    assert refused.status_code == 422
    assert "169.254.169.254" in refused.text
    unknown = operator.post("/webhooks", {**form, "events": SCRIPT}, page="/webhooks")
    assert unknown.status_code == 422
    assert SCRIPT not in unknown.text
    made = operator.post("/webhooks", {**form, "events": "action.created"}, page="/webhooks")
    assert made.status_code == 200
    secret = re.search(r"[0-9a-f]{64}", text_of(made))
    assert secret
    path = re.search(r'href="(/webhooks/wh_[^"]+)"', made.text)
    assert path
    page = operator.get(path[1])
    assert secret[0] not in page.text, "a secret is shown once"
    assert "Nothing delivered" in text_of(page)
    agent.headers["x-api-key"], member = operator.server.admin_key, agent.headers["x-api-key"]
    agent.patch(f"/api{path[1]}", json={"url": "http://127.0.0.1:9/closed"}).raise_for_status()
    agent.headers["x-api-key"] = member
    tested = operator.post(f"{path[1]}/test", page=path[1])
    assert (tested.status_code, tested.headers["location"]) == (303, path[1])
    shown = operator.get(path[1])
    assert "The test did not arrive." in text_of(shown)
    again = re.search(r'action="(/webhooks/[^"]+/resend)"', shown.text)
    assert again
    assert operator.post(again[1], page=path[1]).status_code == 303
    assert operator.post(path[1], {"active": "off"}, page=path[1]).status_code == 303
    assert "paused" in text_of(operator.get("/webhooks", region="webhooks_table"))
    assert operator.post(f"{path[1]}/remove", page=path[1]).status_code == 303
    assert "No webhooks" in text_of(operator.get("/webhooks"))


def test_a_schedule_is_added_paused_and_removed(operator: Browser, agent: httpx.Client) -> None:
    form = {
        "agent_id": "nightly",
        "name": f"Tidy {SCRIPT}",
        "cron_expression": "0 3 * * *",
        "timezone": "Europe/Zurich",
    }
    refused = operator.post("/schedules", {**form, "cron_expression": "often"}, page="/schedules")
    assert refused.status_code == 422
    assert 'value="often"' in refused.text
    assert operator.post("/schedules", form, page="/schedules").status_code == 303
    page = operator.get("/schedules?agent_id=nightly")
    assert SCRIPT not in page.text
    assert f"Tidy {SCRIPT}" in text_of(page)
    [known] = agent.get("/api/agent-schedules", params={"agent_id": "nightly"}).json()["schedules"]
    path = f"/schedules/{known['schedule_id']}"
    assert operator.post(path, {"enabled": "off"}, page="/schedules").status_code == 303
    assert "paused" in text_of(operator.get("/schedules?agent_id=nightly"))
    assert operator.post(f"{path}/remove", page="/schedules").status_code == 303
    assert agent.get("/api/agent-schedules", params={"agent_id": "nightly"}).json()["schedules"] == []
