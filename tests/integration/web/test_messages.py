"""The pages of messages and threads."""

from __future__ import annotations

import base64
from collections.abc import Callable

import httpx

from .support import Browser, text_of

SCRIPT = "<script>alert(1)</script>"


def test_messages_and_their_files_show_inert(operator: Browser, agent: httpx.Client) -> None:
    data = base64.b64encode(SCRIPT.encode()).decode()
    files = [{"filename": f"{SCRIPT}.txt", "mime_type": "text/plain", "data": data}]
    body = {"from_agent_id": "writer", "to_agent_id": "reader", "subject": SCRIPT, "body": f"line 1\n{SCRIPT}"}
    sent = agent.post("/api/messages", json={**body, "attachments": files, "urgent": True}).json()["message"]
    page = operator.get("/messages?agent_id=reader")
    assert SCRIPT not in page.text
    assert f"line 1 {SCRIPT}" in text_of(page)
    assert "writer to reader" in text_of(page)
    file = operator.get(f"/messages/attachments/{sent['attachments'][0]['id']}")
    assert file.text == SCRIPT
    assert file.headers["content-disposition"].startswith("attachment")
    assert file.headers["x-content-type-options"] == "nosniff"
    assert "No message matches" in text_of(operator.get("/messages?agent_id=nobody"))


def test_an_operator_writes_and_an_agent_reads_it(operator: Browser, agent: httpx.Client) -> None:
    form = {"to_agent_id": "deployer", "subject": "Hold", "body": "Wait for the backup", "message_type": "action"}
    done = operator.post("/messages/new", form, page="/messages/new")
    assert (done.status_code, done.headers["location"]) == (303, "/messages")
    found = agent.get("/api/messages", params={"agent_id": "deployer"}).json()["messages"][0]
    assert (found["from_agent_id"], found["body"], found["message_type"]) == (
        "operator",
        "Wait for the backup",
        "action",
    )
    refused = operator.post("/messages/new", {**form, "body": ""}, page="/messages/new")
    assert refused.status_code == 422
    assert 'value="Hold"' in refused.text


def test_a_thread_is_read_resolved_and_taken_up_again(operator: Browser, agent: httpx.Client) -> None:
    made = agent.post("/api/messages/threads", json={"name": f"Rollout {SCRIPT}", "created_by": "a"}).json()["thread"]
    path = f"/messages/threads/{made['id']}"
    form = {"thread_id": made["id"], "body": "Begin", "to_agent_id": ""}
    done = operator.post("/messages/new", form, page=f"/messages/new?thread={made['id']}")
    assert done.headers["location"] == path
    page = operator.get(path)
    assert SCRIPT not in page.text
    assert "operator to everybody" in text_of(page)
    assert operator.post(path, {"status": "resolved", "summary": "Done"}, page=path).status_code == 303
    assert "What came of it Done" in text_of(operator.get(path))
    assert "Rollout" not in text_of(operator.get("/messages", region="messages_list")).split("Open threads")[1]
    assert operator.post(path, {"status": "open"}, page=path).status_code == 303
    assert operator.get("/messages/threads/mt_nothing").status_code == 404


def test_who_may_only_read_cannot_write(operator: Browser, visitor: Callable[[], Browser]) -> None:
    server = operator.server
    admin = {"x-api-key": server.admin_key}
    org = httpx.get(f"{server.url}/api/orgs", headers=admin).json()["organizations"][0]["id"]
    made = httpx.post(f"{server.url}/api/orgs/{org}/keys", json={"role": "readonly"}, headers=admin).json()["api_key"]
    reader = visitor()
    assert reader.sign_in(made["key"] if isinstance(made, dict) else made).status_code == 303
    assert "Write" not in text_of(reader.get("/messages"))
    assert reader.post("/messages/new", {"body": "x"}, page="/messages").status_code == 403
