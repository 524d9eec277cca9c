"""The pages of keys and pairings, and of what scans found."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import httpx

from ...keys import ed25519_pem
from ..serving import Served
from .support import Browser, text_of

SCRIPT = "<script>alert(1)</script>"
ED25519 = {"algorithm": "Ed25519"}


def ask(agent: httpx.Client, agent_id: str, number: int, **more: str) -> dict[str, Any]:
    body = {"agent_id": agent_id, "public_key": ed25519_pem(number), **ED25519, **more}
    found: dict[str, Any] = agent.post("/api/pairings", json=body).raise_for_status().json()["pairing"]
    return found


def keys(agent: httpx.Client, agent_id: str) -> list[dict[str, Any]]:
    query = {"agent_id": agent_id, "include_replaced": "true"}
    found: list[dict[str, Any]] = agent.get("/api/identities", params=query).json()["identities"]
    return found


def test_a_pairing_is_approved_by_the_code_that_the_agent_shows(operator: Browser, agent: httpx.Client) -> None:
    asked = ask(agent, "builder", 500, agent_name=SCRIPT)
    page, other = f"/pair/{asked['id']}", ask(agent, "somebody", 501)
    listed = operator.get("/identities")
    assert SCRIPT not in listed.text
    assert asked["code"] in text_of(listed)
    wrong = operator.post(f"{page}/approve", {"code": other["code"]}, page=page)
    assert wrong.status_code == 409
    assert "another key than the agent's asks" in text_of(wrong)
    assert operator.post(f"{page}/approve", {"code": " "}, page=page).status_code == 400
    assert keys(agent, "builder") == []
    done = operator.post(f"{page}/approve", {"code": asked["code"].lower(), "reason": "Seen"}, page=page)
    [key] = keys(agent, "builder")
    assert (done.status_code, done.headers["location"]) == (303, f"/identities/{key['id']}")
    shown = text_of(operator.get(f"/identities/{key['id']}"))
    assert key["fingerprint"] in shown
    assert "created" in shown
    assert "approved" in text_of(operator.get(page))


def test_a_second_key_takes_the_place_of_the_first_when_that_is_said(operator: Browser, agent: httpx.Client) -> None:
    for number in (510, 511):
        asked = ask(agent, "painter", number)
        page = f"/pair/{asked['id']}"
        answer = operator.post(f"{page}/approve", {"code": asked["code"]}, page=page)
        if number == 510:
            assert answer.status_code == 303
    assert answer.status_code == 409
    assert "say replace" in text_of(answer)
    again = {"code": asked["code"], "replace": "on", "old_for": "24"}
    assert operator.post(f"{page}/approve", again, page=page).status_code == 303
    newest, oldest = keys(agent, "painter")
    assert (newest["status"], oldest["status"]) == ("valid", "valid"), "the old one signs for a day"
    assert oldest["not_after"] is not None
    assert oldest["fingerprint"][:16] in text_of(operator.get(f"/identities/{newest['id']}"))


def test_a_denial_takes_a_reason(operator: Browser, agent: httpx.Client) -> None:
    asked = ask(agent, "stranger", 520)
    page = f"/pair/{asked['id']}"
    assert operator.post(f"{page}/deny", page=page).status_code == 400
    assert agent.get(f"/api/pairings/{asked['id']}").json()["pairing"]["status"] == "pending"
    assert operator.post(f"{page}/deny", {"reason": "Nobody knows it"}, page=page).status_code == 303
    assert "Nobody knows it" in text_of(operator.get("/identities?agent_id=stranger"))
    assert 'name="code"' not in operator.get(page).text


def test_a_key_is_registered_by_hand_and_revoked(operator: Browser, agent: httpx.Client) -> None:
    form = {"agent_id": "clerk", "public_key": "no key", **ED25519}
    refused = operator.post("/identities", form, page="/identities")
    assert refused.status_code == 400
    assert "BEGIN PUBLIC KEY" in text_of(refused)
    made = operator.post("/identities", {**form, "public_key": ed25519_pem(530)}, page="/identities")
    assert made.status_code == 303
    page = made.headers["location"]
    assert operator.post(f"{page}/revoke", page=page).status_code == 400
    assert operator.post(f"{page}/revoke", {"reason": "Lost"}, page=page).status_code == 303
    assert "Lost" in text_of(operator.get(page))
    assert "clerk" not in text_of(operator.get("/identities", region="identities_now"))
    assert "clerk" in text_of(operator.get("/identities?keys=all", region="identities_now"))


def test_who_only_looks_sees_no_form(
    visitor: Callable[[], Browser], agent: httpx.Client, operator: Browser, server: Served
) -> None:
    asked = ask(agent, "quiet", 540)
    browser = visitor()
    browser.sign_in(server.agent_key)
    assert "Only an administrator" in text_of(browser.get(f"/pair/{asked['id']}"))
    token = re.search(r'name="csrf" value="([^"]+)"', browser.get(f"/pair/{asked['id']}").text)
    assert token
    refused = browser.http.post(f"/pair/{asked['id']}/approve", data={"csrf": token[1], "code": asked["code"]})
    assert refused.status_code == 403
    assert keys(agent, "quiet") == []


def test_findings_say_what_stood_where_and_never_the_text(operator: Browser, agent: httpx.Client) -> None:
    assert "No findings" in text_of(operator.get("/findings"))
    secret = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"
    scan = {"text": f"the token is {secret}", "agent_id": "writer", "destination": SCRIPT, "store": True}
    kept = agent.post("/api/security/scan", json=scan).raise_for_status().json()["finding_id"]
    listed = operator.get("/findings?agent_id=writer")
    assert SCRIPT not in listed.text
    assert SCRIPT in text_of(listed)
    page = operator.get(f"/findings/{kept}")
    assert "github" in text_of(page).lower()
    assert secret not in page.text
    assert "No finding fits" in text_of(operator.get("/findings?agent_id=nobody"))
    assert operator.get("/findings/sf_nothing").status_code == 404
