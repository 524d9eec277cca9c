"""A day at the dashboard in a real browser: two who decide in the same instant, and one who has only keys."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from ..integration.serving import Served
from .chromium import sign_in, watched

NUMBERS = count(1)
SOON = 1_000  # ms
# Both browsers read the same clock.
PRESS_AT = """(at) => setTimeout(() => document.querySelector("#decide [type=submit]").click(), at - Date.now())"""
FOCUS = """() => {
  const here = document.activeElement;
  const style = getComputedStyle(here);
  const drawn = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0;
  return { text: (here.getAttribute("aria-label") || here.textContent || here.name || "").trim().slice(0, 80),
    name: here.tagName.toLowerCase(), drawn: drawn || style.boxShadow !== "none" };
}"""


@pytest.fixture(scope="module")
def admin(server: Served) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, headers={"x-api-key": server.admin_key}, timeout=30) as client:
        body = {"name": "Ask first", "policy_type": "require_approval", "rules": {"action_types": ["publish"]}}
        client.post("/api/policies", json=body).raise_for_status()
        yield client


def ask(server: Served, **more: object) -> tuple[str, str]:
    """An action that waits: its id and its goal."""
    goal = f"Publish chapter {next(NUMBERS)}"
    body = {"agent_id": "writer", "action_type": "publish", "declared_goal": goal, **more}
    answer = httpx.post(f"{server.url}/api/actions", json=body, headers={"x-api-key": server.agent_key}, timeout=30)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["action_id"]), goal


def approval(admin: httpx.Client, action_id: str) -> dict[str, Any]:
    found: dict[str, Any] = admin.get(f"/api/actions/{action_id}").json()["action"]["approval"]
    return found


def live(page: Page) -> Page:
    expect(page.locator("#connection")).to_have_attribute("data-state", "live", timeout=10_000)
    return page


@pytest.fixture
def person(browser: Browser, server: Served, admin: httpx.Client) -> Iterator[Callable[[str], Page]]:
    """Makes the queue of somebody with a name, in a browser of their own."""
    contexts: list[BrowserContext] = []

    def make(name: str) -> Page:
        body = {"role": "admin", "operator": name}
        key = admin.post("/api/orgs/org_default/keys", json=body).json()["api_key"]["key"]
        contexts.append(browser.new_context())
        return live(sign_in(contexts[-1], server.url, key, to="/approvals"))

    yield make
    for context in contexts:
        context.close()


def test_of_two_in_the_same_instant_one_wins(
    person: Callable[[str], Page], server: Served, admin: httpx.Client
) -> None:
    words = {"ana@example.com": ("Approve", "approved"), "ben@example.com": ("Deny", "denied")}
    pages = {name: person(name) for name in words}
    complaints = [watched(page) for page in pages.values()]
    for _ in range(3):
        action_id, goal = ask(server)
        for name, page in pages.items():
            page.get_by_role("article", name=goal, exact=True).get_by_role("button", name=words[name][0]).click()
            page.get_by_label("Reason").fill(f"So says {name}")
        at = time.time() * 1000 + 400
        for page in pages.values():
            page.evaluate(PRESS_AT, at)
        for page in pages.values():
            expect(page.get_by_role("article", name=goal, exact=True)).to_have_count(0)
        made = approval(admin, action_id)
        [winner] = [vote["name"] for vote in made["votes"]]
        other = next(page for name, page in pages.items() if name != winner)
        assert (made["status"], made["reason"]) == (words[winner][1], f"So says {winner}")
        expect(other.locator("#decide-problem")).to_contain_text(winner)
        expect(pages[winner].locator("#decide")).to_be_hidden()
        other.keyboard.press("Escape")
    # The refusal itself is an answer with a status that the console tells.
    assert [text for told in complaints for text in told if "409" not in text] == []


def test_an_action_that_changed_meanwhile_is_not_decided(page: Page, server: Served, admin: httpx.Client) -> None:
    action_id, goal = ask(server)
    page.goto(f"{server.url}/approvals")
    live(page).get_by_role("article", name=goal, exact=True).get_by_role("button", name="Approve").click()
    # The browser hears of nothing before it sends.
    page.route("**/approvals*", lambda route: route.continue_() if route.request.method == "POST" else route.abort())
    admin.patch(f"/api/actions/{action_id}", json={"output_summary": "Another price"}).raise_for_status()
    page.keyboard.press("Enter")
    expect(page.locator("#decide-problem")).to_contain_text("Nothing was decided")
    assert approval(admin, action_id)["status"] == "pending"


def test_a_second_is_enough(
    page: Page, server: Served, admin: httpx.Client, record_property: Callable[[str, object], None]
) -> None:
    page.goto(f"{server.url}/approvals")
    live(page)
    measured = []
    for _ in range(5):
        begun = time.monotonic()
        _, goal = ask(server)
        expect(page.get_by_role("article", name=goal, exact=True)).to_be_visible(timeout=SOON * 3)
        measured.append(round(1000 * (time.monotonic() - begun)))
    record_property("milliseconds_from_the_request_to_the_screen", measured)


def focused(page: Page) -> dict[str, Any]:
    """What has the focus; that it has is to be seen."""
    found: dict[str, Any] = page.evaluate(FOCUS)
    assert found["drawn"], f"nothing shows that {found} has the focus on {page.url}"
    return found


def tab_to(page: Page, text: str, most: int = 120) -> None:
    """Press Tab until something with a text has the focus."""
    for _ in range(most):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement === document.body"):
            continue
        if re.fullmatch(text, focused(page)["text"]):
            return
    raise AssertionError(f"Tab does not lead to {text!r} on {page.url}")


def test_keys_alone_are_enough_for_a_day(context: BrowserContext, server: Served, admin: httpx.Client) -> None:
    for waiting in admin.get("/api/approvals", params={"limit": 200}).json()["approvals"]:
        admin.post(f"/api/actions/{waiting['action']['action_id']}/approve", json={"decision": "deny"})
    first, goal = ask(server, risk_score=90)
    second, other = ask(server, risk_score=60)
    page = context.new_page()
    page.goto(f"{server.url}/sign-in?next=/agents")
    if page.get_by_label("API key").evaluate("field => field !== document.activeElement"):
        tab_to(page, "key")
    page.keyboard.type(server.admin_key)
    page.keyboard.press("Enter")
    page.wait_for_url("**/agents")
    live(page)
    page.keyboard.press("g")
    page.keyboard.press("a")
    page.wait_for_url("**/approvals")
    live(page)
    page.keyboard.press("j")
    assert focused(page)["text"] == goal
    page.keyboard.press("d")
    page.keyboard.press("Escape")
    assert focused(page)["text"] == goal, "the focus returns to where it was"
    page.keyboard.press("a")
    page.keyboard.press("Enter")
    expect(page.get_by_role("article", name=goal, exact=True)).to_have_count(0)
    page.keyboard.press("d")
    page.keyboard.type("Not this month")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Nothing waits for you")).to_be_visible()
    assert [approval(admin, one)["status"] for one in (first, second)] == ["approved", "denied"]
    assert approval(admin, second)["reason"] == "Not this month"
    page.keyboard.press("g")
    page.keyboard.press("d")
    page.wait_for_url("**/decisions")
    live(page)
    page.keyboard.press("/")
    page.keyboard.type("writer")
    page.keyboard.press("Enter")
    page.wait_for_url("**/decisions?*writer*")
    live(page)
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url("**/decisions/gd_*")
    tab_to(page, re.escape(other) + "|" + re.escape(goal) + "|.*(action|replay).*")
    page.keyboard.press("Enter")
    page.wait_for_url("**/actions/act_*")
    expect(page.get_by_role("heading", level=1)).to_have_text(re.compile("Publish chapter"))
    tab_to(page, "(?i).*(download|as a page|html).*")
    with page.expect_download() as saved:
        page.keyboard.press("Enter")
    assert saved.value.suggested_filename.endswith(".html")


def test_a_policy_is_switched_with_keys_and_tab_leads_around(page: Page, server: Served, admin: httpx.Client) -> None:
    page.keyboard.press("g")
    page.keyboard.press("p")
    page.wait_for_url("**/policies")
    live(page)
    tab_to(page, "Turn off Ask first")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Turn on Ask first")).to_be_visible()
    body = {"action_type": "publish", "agent_id": "writer"}
    assert admin.post("/api/guard", json=body).json()["decision"] == "allow"
    tab_to(page, "Turn on Ask first")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Turn off Ask first")).to_be_visible()
    assert admin.post("/api/guard", json=body).json()["decision"] == "require_approval"
    tab_to(page, "Skip to the content", most=300)
