"""Signed links: who opens one sees, who clicks decides, once, about the state for which it was made."""

from __future__ import annotations

import io
import logging
import re
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from html import unescape
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest

from dashclaw.runtime.clock import utc_now

from ..serving import Served, served
from .people import People, Visitor
from .support import Browser, text_of

NUMBERS = count(1)
LINK = re.compile(r"http://[^<\s]+/decide/[^<\s]+")


@pytest.fixture(scope="module")
def admin(server: Served) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, headers={"x-api-key": server.admin_key}, timeout=30) as client:
        set_up(client)
        yield client


@pytest.fixture
def crowd(server: Served) -> Iterator[People]:
    with closing(People(server)) as found:
        yield found


def set_up(admin: httpx.Client) -> None:
    """Paying takes two people of finance; Ana and Ben are of it, Cem only looks."""
    rules = {"action_types": ["pay.*"], "approvals_required": 2, "approver_roles": ["finance"]}
    made = admin.post("/api/policies", json={"name": "Four eyes", "policy_type": "require_approval", "rules": rules})
    assert made.status_code == 201, made.text
    for name, role, roles in (("ana", "member", ["finance"]), ("ben", "member", ["finance"]), ("cem", "readonly", [])):
        body = {"email": f"{name}@example.com", "role": role, "approver_roles": roles}
        assert admin.post("/api/people", json=body).status_code == 201


def ask(agent: httpx.Client, kind: str = "pay.bill") -> dict[str, Any]:
    """An action that waits."""
    body = {"agent_id": "payer", "action_type": kind, "declared_goal": f"Pay {next(NUMBERS)}"}
    answer = agent.post("/api/actions", json=body)
    assert answer.status_code == 202, answer.text
    found: dict[str, Any] = answer.json()["action"]
    return found


def link_for(admin: httpx.Client, action: dict[str, Any], person: str = "ana@example.com", **more: object) -> str:
    """The path of a new link."""
    answer = admin.post(f"/api/actions/{action['action_id']}/links", json={"person": person, **more})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["link"]["path"])


def now(agent: httpx.Client, action: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = agent.get(f"/api/actions/{action['action_id']}").json()["action"]
    return found


def decide(browser: Visitor, path: str, decision: str = "allow", **fields: str) -> httpx.Response:
    return browser.send(path, "/decide", decision=decision, **fields)


def test_opening_a_link_only_shows_and_a_click_decides_as_its_person(
    crowd: People, admin: httpx.Client, agent: httpx.Client
) -> None:
    action = ask(agent)
    path, browser = link_for(admin, action), crowd.visitor()
    before = now(agent, action)
    for verb in ("GET", "HEAD", "GET"):
        answer = browser.http.request(verb, path)
        assert (answer.status_code, answer.headers["referrer-policy"]) == (200, "no-referrer")
        assert answer.headers["cache-control"] == "no-store"
    shown = text_of(browser.get(path))
    assert action["declared_goal"] in shown
    assert "ana@example.com" in shown
    assert now(agent, action) == before, "previews and mail scanners open links too"
    done = decide(browser, path)
    assert done.status_code == 200
    assert "Approved" in text_of(done)
    assert "It waits for 1 more" in text_of(done)
    [vote] = now(agent, action)["approval"]["votes"]
    assert (vote["name"], vote["how"], vote["decision"]) == ("ana@example.com", "link", "allow")
    assert vote["from"]["address"] == "127.0.0.1"
    assert vote["from"]["user"].startswith("link_")


def test_a_link_decides_once(crowd: People, admin: httpx.Client, agent: httpx.Client) -> None:
    action = ask(agent)
    path, browser = link_for(admin, action), crowd.visitor()
    token = path.rpartition("/")[2]
    csrf = re.search(r'name="csrf" value="([^"]+)"', browser.get(path).text)
    assert csrf
    form = {"csrf": csrf[1], "token": token, "decision": "deny", "reason": "No"}
    assert browser.http.post("/decide", data=form).status_code == 200
    again = browser.http.post("/decide", data={**form, "decision": "allow"})
    assert (again.status_code, "This link has been used" in text_of(again)) == (410, True)
    assert browser.get(path).status_code == 410
    assert now(agent, action)["approval"]["status"] == "denied"


def test_two_people_approve_with_a_link_each_and_the_agent_goes_on(
    crowd: People, admin: httpx.Client, agent: httpx.Client
) -> None:
    action = ask(agent)
    assert decide(crowd.visitor(), link_for(admin, action)).status_code == 200
    again = admin.post(f"/api/actions/{action['action_id']}/links", json={"person": "ana@example.com"})
    assert (again.status_code, again.json()["code"]) == (409, "ALREADY_VOTED")
    assert decide(crowd.visitor(), link_for(admin, action, "ben@example.com")).status_code == 200
    assert now(agent, action)["status"] == "running"


def test_a_link_ends_with_the_state_for_which_it_was_made(
    crowd: People, admin: httpx.Client, agent: httpx.Client
) -> None:
    action = ask(agent)
    early = link_for(admin, action, "ben@example.com")
    token = early.rpartition("/")[2]
    browser = crowd.visitor()
    csrf = re.search(r'name="csrf" value="([^"]+)"', browser.get(early).text)
    assert csrf
    assert decide(crowd.visitor(), link_for(admin, action)).status_code == 200
    late = browser.http.post("/decide", data={"csrf": csrf[1], "token": token, "decision": "allow"})
    assert (late.status_code, "The request has changed" in text_of(late)) == (409, True)
    assert "The request has changed" in text_of(browser.get(early))
    assert now(agent, action)["approval"]["remaining"] == 1, "a refused click uses nothing up and decides nothing"


def test_what_was_decided_elsewhere_is_shown_without_a_form(
    crowd: People, admin: httpx.Client, agent: httpx.Client
) -> None:
    action = ask(agent)
    path = link_for(admin, action)
    admin.post(f"/api/actions/{action['action_id']}/approve", json={"decision": "deny", "reasoning": "Too dear"})
    answer = crowd.visitor().get(path)
    assert answer.status_code == 200
    assert "Too dear" in text_of(answer)
    assert 'action="/decide"' not in answer.text


def test_a_denial_says_why(crowd: People, admin: httpx.Client, agent: httpx.Client) -> None:
    action = ask(agent)
    path, browser = link_for(admin, action), crowd.visitor()
    assert decide(browser, path, "deny").status_code == 422
    assert decide(browser, path, "perhaps", reason="x").status_code == 422
    assert now(agent, action)["status"] == "pending_approval"
    assert decide(browser, path, "deny", reason="Not this month").status_code == 200
    assert now(agent, action)["approval"]["reason"] == "Not this month"


@pytest.mark.parametrize("change", ["", "x", "cut", "other"])
def test_a_tampered_link_is_none(
    crowd: People, admin: httpx.Client, agent: httpx.Client, server: Served, change: str
) -> None:
    path = link_for(admin, ask(agent))
    other = link_for(admin, ask(agent)).rpartition("/")[2]
    token = path.rpartition("/")[2]
    forged = {
        "": "abc",
        "x": token[:-1] + ("A" if token[-1] != "A" else "B"),
        "cut": token[:-4],
        "other": other.partition(".")[0] + "." + token.partition(".")[2],
    }[change]
    answer = crowd.visitor().get(f"/decide/{forged}")
    assert (answer.status_code, "No such link" in text_of(answer)) == (404, True)


def test_a_form_without_its_token_or_from_elsewhere_decides_nothing(
    crowd: People, admin: httpx.Client, agent: httpx.Client
) -> None:
    action = ask(agent)
    path, browser = link_for(admin, action), crowd.visitor()
    form = {"token": path.rpartition("/")[2], "decision": "allow"}
    assert browser.http.post("/decide", data=form).status_code == 403
    csrf = browser.token(path)
    for headers in (
        {"Origin": "null"},
        {"Origin": "null", "Sec-Fetch-Site": "cross-site"},
        {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"},
    ):
        assert browser.http.post("/decide", data={**form, "csrf": csrf}, headers=headers).status_code == 403
    assert now(agent, action)["approval"]["votes"] == []
    own = {"Origin": "null", "Sec-Fetch-Site": "same-origin"}
    assert browser.http.post("/decide", data={**form, "csrf": csrf}, headers=own).status_code == 200


def test_a_link_is_for_somebody_who_may_decide(
    crowd: People, admin: httpx.Client, agent: httpx.Client, server: Served
) -> None:
    action = ask(agent)
    at = f"/api/actions/{action['action_id']}/links"
    assert admin.post(at, json={"person": "cem@example.com"}).status_code == 403
    assert admin.post(at, json={"person": "nobody@example.com"}).status_code == 400
    assert admin.post(at, json={"person": "ana@example.com", "expires_seconds": 5}).status_code == 400
    assert agent.post(at, json={"person": "ana@example.com"}).status_code == 403
    path = link_for(admin, action)
    person = crowd.id_of("ana@example.com")
    assert admin.post(f"/api/people/{person}/disable").status_code == 200
    try:
        answer = crowd.visitor().get(path)
        assert (answer.status_code, "may not decide any more" in text_of(answer)) == (403, True)
    finally:
        assert admin.post(f"/api/people/{person}/enable").status_code == 200


def test_an_administrator_makes_a_link_on_the_page(crowd: People, admin: httpx.Client, agent: httpx.Client) -> None:
    action = ask(agent)
    page = f"/approvals/{action['action_id']}"
    answer = crowd.operator().send(page, f"{page}/link", person=crowd.id_of("ana@example.com"), hours="8")
    assert answer.status_code == 200, text_of(answer)
    found = LINK.search(answer.text)
    assert found
    path = unescape(found[0]).partition("/decide/")[2]
    assert decide(crowd.visitor(), f"/decide/{path}").status_code == 200
    assert f"{page}/link" not in crowd.joined("member@example.com").get(page).text


def test_a_link_expires_and_no_log_has_its_token(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    moment = [utc_now()]
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    logging.getLogger().addHandler(handler)
    caplog.set_level(logging.DEBUG)
    try:
        with (
            served(str(tmp_path / "a.db"), clock=lambda: moment[0]) as server,
            closing(Browser(server)) as browser,
            httpx.Client(base_url=server.url, headers={"x-api-key": server.admin_key}, timeout=30) as admin,
        ):
            set_up(admin)
            action = ask(admin)
            path = link_for(admin, action, expires_seconds=600)
            # The client of this test logs what it asks for.
            logging.getLogger("httpx").setLevel(logging.WARNING)
            logging.getLogger("httpcore").setLevel(logging.WARNING)
            moment[0] += timedelta(seconds=599)
            assert browser.get(path).status_code == 200
            csrf = browser.token(path)
            moment[0] += timedelta(seconds=1)
            form = {"csrf": csrf, "token": path.rpartition("/")[2], "decision": "allow"}
            late = browser.http.post("/decide", data=form)
            assert (late.status_code, "This link has expired" in text_of(late)) == (410, True)
            assert "This link has expired" in text_of(browser.get(path))
            moment[0] += timedelta(days=8)
            assert browser.get(path).status_code == 410
            assert now(admin, action)["approval"]["votes"] == []
    finally:
        logging.getLogger().removeHandler(handler)
    assert path.rpartition("/")[2] not in stream.getvalue()
    assert path.rpartition("/")[2] not in caplog.text
