"""The pages of approvals: who may decide, about what was seen, one by one and several at once."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from html import unescape
from itertools import count
from typing import Any

import httpx
import pytest

from dashclaw.runtime.identity import Caller
from dashclaw.runtime.keys import new_key
from dashclaw.runtime.store import actions as rows
from dashclaw.runtime.store import orgs

from .support import FROM_HTMX, Browser, text_of

NUMBERS = count(1)
SCRIPT = "<script>alert(1)</script><img src=x onerror=alert(2)>"
PATH = "/approvals"


@pytest.fixture(scope="module", autouse=True)
def policies(server: Any) -> Iterator[None]:
    """Publishing takes one person, paying two."""
    with httpx.Client(base_url=server.url, headers={"x-api-key": server.admin_key}, timeout=30) as admin:
        for name, kind, people in (("Ask first", "publish.*", 1), ("Four eyes", "pay.*", 2)):
            rules = {"action_types": [kind], "approvals_required": people}
            body = {"name": name, "policy_type": "require_approval", "rules": rules}
            assert admin.post("/api/policies", json=body).status_code == 201
        yield


def ask(agent: httpx.Client, **more: object) -> dict[str, Any]:
    """An action that waits."""
    body = {"agent_id": "publisher", "action_type": "publish.page", "declared_goal": f"Publish {next(NUMBERS)}", **more}
    answer = agent.post("/api/actions", json=body)
    assert answer.status_code == 202, answer.text
    found: dict[str, Any] = answer.json()["action"]
    return found


def form(action: dict[str, Any], decision: str = "allow", reason: str = "") -> dict[str, str]:
    """What a card sends."""
    return {"action_id": action["action_id"], "seen": action["updated_at"], "decision": decision, "reason": reason}


def state(agent: httpx.Client, action: dict[str, Any]) -> str:
    return str(agent.get(f"/api/actions/{action['action_id']}").json()["action"]["status"])


def key_of(browser: Browser, **more: object) -> str:
    """A new key."""
    admin = {"x-api-key": browser.server.admin_key}
    url = browser.server.url
    org = httpx.get(f"{url}/api/orgs", headers=admin).json()["organizations"][0]["id"]
    made = httpx.post(f"{url}/api/orgs/{org}/keys", json=more, headers=admin).json()["api_key"]
    return str(made["key"] if isinstance(made, dict) else made)


def person(admin: Browser, visitor: Callable[[], Browser], **more: object) -> Browser:
    """Somebody with a key of their own."""
    browser = visitor()
    assert browser.sign_in(key_of(admin, **more), to=PATH).status_code == 303
    return browser


def test_a_card_says_all_that_it_takes_to_decide(operator: Browser, agent: httpx.Client) -> None:
    change = json.dumps(
        {"path": "prices.yaml", "old_string": "basic: 9\nteam: 29", "new_string": "basic: 11\nteam: 29"}
    )
    parent = ask(agent, declared_goal="Get the shop ready")
    action = ask(
        agent,
        declared_goal="Publish the prices",
        systems_touched=["shop", "postgres"],
        reasoning="They were signed off",
        reversible=False,
        risk_score=77,
        input_summary=change,
        parent_action_id=parent["action_id"],
        metadata={"tool": "edit_file"},
    )
    for path in (f"{PATH}?agent_id=publisher", f"{PATH}/{action['action_id']}"):
        text = text_of(operator.get(path))
        for said in (
            *("publisher asks for publish.page on shop postgres", "cannot be undone", "Stopped by Ask first"),
            *(
                "They were signed off",
                "Tool edit_file",
                "path prices.yaml",
                "-basic: 9",
                "+basic: 11",
                "+1 \N{MINUS SIGN}1 lines",
            ),
            *("kind of action 20", "cannot be undone 15", "systems 10", "the agent says 77"),
            *("0 of 1 with the role admin", "led to by Get the shop ready"),
        ):
            assert said in text, said


def test_one_decides_and_the_past_shows_with_the_next(operator: Browser, agent: httpx.Client) -> None:
    first = ask(agent, agent_id="chronicler", declared_goal="Chronicle one")
    done = operator.post(PATH, form(first, reason="Looks right"), page=PATH)
    assert (done.status_code, done.headers["location"]) == (303, PATH)
    assert state(agent, first) == "running"
    assert f"Approved: {first['declared_goal']}" in text_of(operator.get(PATH))
    agent.patch(f"/api/actions/{first['action_id']}", json={"status": "failed", "error_message": "x"})
    second = ask(agent, agent_id="chronicler")
    text = text_of(operator.get(f"{PATH}/{second['action_id']}"))
    assert "1 approved (0 went well, 1 failed ) , 0 denied" in text
    assert "Looks right" in text
    answer = operator.post(PATH, form(second, "deny", "Not today"), page=PATH, headers=FROM_HTMX)
    assert answer.status_code == 204
    told = json.loads(answer.headers["hx-trigger"])
    assert told["decided"] == {"action_id": second["action_id"]}
    assert state(agent, second) == "failed"
    history = text_of(operator.get(f"{PATH}?tab=history&agent_id=chronicler"))
    assert history.index(second["declared_goal"]) < history.index(first["declared_goal"])
    assert "operator Not today dashboard" in history
    assert first["declared_goal"] not in text_of(operator.get(f"{PATH}?tab=history&agent_id=chronicler&status=denied"))


def test_denying_takes_a_reason(operator: Browser, agent: httpx.Client) -> None:
    action = ask(agent)
    answer = operator.post(PATH, form(action, "deny", "  "), page=PATH)
    assert answer.status_code == 422
    assert "Say why" in text_of(answer)
    assert state(agent, action) == "pending_approval"


def test_a_form_without_token_or_from_elsewhere_decides_nothing(operator: Browser, agent: httpx.Client) -> None:
    action = ask(agent)
    assert operator.http.post(PATH, data=form(action)).status_code == 403
    foreign = {"Origin": "https://elsewhere.example", "Sec-Fetch-Site": "cross-site"}
    assert operator.post(PATH, form(action), page=PATH, headers=foreign).status_code == 403
    without = {name: value for name, value in form(action).items() if name != "seen"}
    assert operator.post(PATH, without, page=PATH).status_code == 422
    assert state(agent, action) == "pending_approval"


def test_what_changed_since_it_was_seen_is_not_decided(operator: Browser, agent: httpx.Client) -> None:
    action = ask(agent)
    agent.patch(f"/api/actions/{action['action_id']}", json={"output_summary": "More"})
    answer = operator.post(PATH, form(action), page=PATH, headers=FROM_HTMX)
    assert answer.status_code == 409
    assert "Nothing was decided. Go back and look at it as it is now" in text_of(answer)
    answer = operator.post(PATH, form(action), page=PATH)
    assert answer.status_code == 409
    assert state(agent, action) == "pending_approval"
    seen = re.search(r'name="seen" value="([^"]+)"', answer.text)
    assert seen, "the refusal shows the new state, with a form for it"
    assert operator.post(PATH, {**form(action), "seen": seen[1]}, page=PATH).status_code == 303


def test_the_second_of_two_learns_who_was_first(
    operator: Browser, visitor: Callable[[], Browser], agent: httpx.Client
) -> None:
    ana = person(operator, visitor, role="admin", operator="ana@example.com")
    action = ask(agent)
    assert ana.post(PATH, form(action, "deny", "Wrong page"), page=PATH).status_code == 303
    answer = operator.post(PATH, form(action), page=PATH, headers=FROM_HTMX)
    assert answer.status_code == 409
    assert "ana@example.com" in text_of(answer)
    assert "Wrong page" in text_of(answer)
    assert state(agent, action) == "failed"
    assert f"denied {action['declared_goal']} ana@example.com" in text_of(operator.get(PATH, region="approvals_queue"))


def test_two_people_sign_for_a_payment(operator: Browser, visitor: Callable[[], Browser], agent: httpx.Client) -> None:
    action = ask(agent, action_type="pay.invoice")
    page = f"{PATH}/{action['action_id']}"
    assert operator.post(PATH, form(action, reason="The sum is right"), page=PATH).status_code == 303
    text = text_of(operator.get(page))
    assert "1 of 2 with the role admin" in text
    assert "The sum is right" in text
    assert "You have decided about the action already" in text
    assert "data-decide" not in operator.get(page).text
    ben = person(operator, visitor, role="admin", operator="ben@example.com")
    now = agent.get(f"/api/actions/{action['action_id']}").json()["action"]
    assert ben.post(PATH, form(now), page=PATH).status_code == 303
    assert state(agent, action) == "running"


def test_who_may_not_decide_is_told_before(
    operator: Browser, visitor: Callable[[], Browser], agent: httpx.Client
) -> None:
    action = ask(agent)
    page = f"{PATH}/{action['action_id']}"
    for who, said in (
        (person(operator, visitor, role="readonly"), "You may only look"),
        (person(operator, visitor, role="member"), "an operator's key has to"),
        (person(operator, visitor, role="member", operator="c", approver_roles=["law"]), "the role admin"),
    ):
        answer = who.get(page)
        assert said in text_of(answer)
        assert "data-decide" not in answer.text
        assert who.post(PATH, form(action), page=PATH).status_code == 403
    own = {"agent_id": "o", "action_type": "publish.x", "declared_goal": "Mine"}
    mine = httpx.post(
        f"{operator.server.url}/api/actions", json=own, headers={"x-api-key": operator.server.admin_key}, timeout=30
    ).json()["action"]
    assert "cannot approve its own action" in text_of(operator.get(f"{PATH}/{mine['action_id']}"))
    assert operator.post(PATH, form(mine), page=PATH).status_code == 403
    assert state(agent, action) == state(agent, mine) == "pending_approval"


def test_what_expired_is_not_decided(operator: Browser, agent: httpx.Client) -> None:
    action = ask(agent)
    with operator.server.runtime.store.write("org_default") as tx:
        row = rows.find(tx, "org_default", action["action_id"])
        assert row is not None
        rows.change(tx, row, {"approval_expires_at": "2020-01-01T00:00:00.000000Z"})
    token = operator.token("/agents")
    answer = operator.http.post(PATH, data={"csrf": token, **form(action)})
    assert answer.status_code == 410
    assert "Nobody decided in time; the agent has to ask again" in text_of(answer)
    assert state(agent, action) == "failed"
    assert "expired" in text_of(operator.get(f"{PATH}?tab=history&status=expired"))


def several(operator: Browser, query: str) -> dict[str, str]:
    """The form of the page that decides about several, with everything chosen that can be."""
    html = operator.get(f"{PATH}/several/review?{query}").text
    found = {name: unescape(value) for name, value in re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', html)}
    return {**found, **dict.fromkeys(re.findall(r'type="checkbox" name="(pick-\d+)"[^>]*checked', html), "on")}


def test_several_are_decided_at_once_and_what_is_refused_is_named(operator: Browser, agent: httpx.Client) -> None:
    made = [ask(agent, agent_id="batch", risk_score=40 + number) for number in range(4)]
    other = ask(agent, agent_id="not-in-it")
    text = text_of(operator.get(f"{PATH}/several/review?agent_id=batch"))
    assert "4 chosen, highest risk 43" in text
    assert other["declared_goal"] not in text
    fields = several(operator, "agent_id=batch")
    agent.patch(f"/api/actions/{made[3]['action_id']}", json={"output_summary": "Changed"})
    assert fields["action-2"] == made[1]["action_id"], "the riskiest is first"
    del fields["pick-2"]
    page = f"{PATH}/several/review"
    assert operator.http.post(page, data={**fields, "decision": "deny"}).status_code == 409, "denying takes a reason"
    answer = operator.http.post(page, data={**fields, "decision": "allow", "reason": "Seen all"})
    text = text_of(answer)
    assert "Approved: 2 of 3" in text
    assert f"{made[3]['declared_goal']} refused The action changed at" in text
    states = [state(agent, action) for action in (*made, other)]
    assert states == ["running", "pending_approval", "running", "pending_approval", "pending_approval"]


def test_the_queue_is_ordered_and_filtered(operator: Browser, agent: httpx.Client) -> None:
    low = ask(agent, agent_id="sorter", risk_score=25, approval_wait_seconds=600)
    high = ask(agent, agent_id="sorter", risk_score=85)
    paid = ask(agent, agent_id="sorter", action_type="pay.rent", risk_score=50)

    def order(query: str) -> list[str]:
        text = text_of(operator.get(f"{PATH}?agent_id=sorter{query}", region="approvals_queue"))
        goals = sorted((text.find(f" {one['declared_goal']} "), one["action_id"]) for one in (low, high, paid))
        return [action_id for at, action_id in goals if at >= 0]

    ids = [action["action_id"] for action in (low, high, paid)]
    assert order("") == [ids[1], ids[2], ids[0]]
    assert order("&order=oldest") == ids
    assert order("&order=expiring")[0] == ids[0]
    policy = agent.get(f"/api/approvals/{ids[2]}").json()["policies"][0]
    assert policy["name"] == "Four eyes"
    assert order(f"&policy_id={policy['policy_id']}") == [ids[2]]
    assert order("&policy_id=%25") == []
    assert "Nothing waits here" in text_of(operator.get(f"{PATH}?agent_id=nobody"))


def test_whatever_an_agent_writes_is_inert(operator: Browser, agent: httpx.Client) -> None:
    free = ("reasoning", "authorization_scope", "trigger", "input_summary", "declared_goal", "agent_name")
    action = ask(
        agent,
        agent_id=f"a{SCRIPT}",
        action_type="publish.<b>",
        systems_touched=[SCRIPT],
        metadata={SCRIPT: SCRIPT, "tool": SCRIPT, "diff": f"--- a\n+++ b\n@@ @@\n-{SCRIPT}\n+{SCRIPT}"},
        session_id=f"s{SCRIPT}",
        **dict.fromkeys(free, SCRIPT),
    )
    reviewed = f"{PATH}/several/review?action_type=publish.%3Cb%3E"
    for path in (PATH, f"{PATH}?action_type=publish.%3Cb%3E", f"{PATH}/{action['action_id']}", reviewed):
        html = operator.get(path).text
        assert "&lt;script&gt;alert(1)" in html, path
        assert "<script>alert" not in html, path
        assert "<img src=x" not in html, path
    answer = operator.post(PATH, form(action, "deny", SCRIPT), page=PATH)
    assert answer.status_code == 303
    for path in (PATH, f"{PATH}?tab=history", f"{PATH}/{action['action_id']}"):
        html = operator.get(path).text
        assert "<script>alert" not in html, path
        assert "&lt;script&gt;alert(1)" in html, path


def test_actions_of_others_are_not_there(
    operator: Browser, visitor: Callable[[], Browser], agent: httpx.Client
) -> None:
    action = ask(agent)
    with operator.server.runtime.store.write("org_other") as tx:
        if orgs.find(tx, "org_other") is None:
            orgs.insert(tx, "org_other", "Other", "other")
        key, _ = new_key(tx, Caller("org_other", "t", "admin", "system"), "admin", "them")
    them = visitor()
    assert them.sign_in(key, to=PATH).status_code == 303
    assert them.get(f"{PATH}/{action['action_id']}").status_code == 404
    assert action["declared_goal"] not in them.get(PATH).text
    assert them.http.post(PATH, data={"csrf": them.token("/agents"), **form(action)}).status_code == 404
    assert state(agent, action) == "pending_approval"


def test_it_can_be_installed_and_keeps_no_data(operator: Browser, visitor: Callable[[], Browser]) -> None:
    stranger = visitor()
    manifest = stranger.http.get("/manifest.webmanifest")
    assert manifest.headers["content-type"].startswith("application/manifest+json")
    found = manifest.json()
    assert (found["start_url"], found["display"], found["scope"]) == (PATH, "standalone", "/")
    for icon in found["icons"]:
        answer = stranger.http.get(icon["src"])
        assert answer.headers["content-type"].startswith(icon["type"])
    worker = stranger.http.get("/sw.js")
    assert worker.headers["content-type"].startswith("text/javascript")
    for name in json.loads(re.findall(r"const FILES = (\[.*\]);", worker.text)[0]):
        assert name.startswith("/static/")
        assert stranger.http.get(name).status_code == 200
    assert "The server cannot be reached" in text_of(operator.get("/offline"))
    assert "data-cursor" not in operator.get("/offline").text, "the page is the same for everybody"
