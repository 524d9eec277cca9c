"""Approvals in a real browser: two people at once, what arrives, keys alone, the phone, the installed app."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import count
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

from ..integration.serving import Served, served
from .chromium import sign_in, watched

PATH = "/approvals"
SOON = 1_000  # ms
NUMBERS = count(1)


@pytest.fixture(scope="module", autouse=True)
def policy(server: Served) -> None:
    ask_first(server)


def ask_first(server: Served) -> None:
    rules = {"action_types": ["publish"]}
    body = {"name": "Ask first", "policy_type": "require_approval", "rules": rules}
    headers = {"x-api-key": server.admin_key}
    httpx.post(f"{server.url}/api/policies", json=body, headers=headers, timeout=30).raise_for_status()


def ask(server: Served, **more: object) -> tuple[str, str]:
    """An action that waits: its id and its goal."""
    goal = f"Publish page {next(NUMBERS)}"
    body = {"agent_id": "publisher", "action_type": "publish", "declared_goal": goal, **more}
    answer = httpx.post(f"{server.url}/api/actions", json=body, headers={"x-api-key": server.agent_key}, timeout=30)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["action_id"]), str(body["declared_goal"])


def decide(server: Served, action_id: str) -> None:
    headers = {"x-api-key": server.admin_key}
    body = {"decision": "deny", "reasoning": "Not now"}
    httpx.post(
        f"{server.url}/api/actions/{action_id}/approve", json=body, headers=headers, timeout=30
    ).raise_for_status()


def approval(server: Served, action_id: str) -> dict[str, object]:
    headers = {"x-api-key": server.agent_key}
    found = httpx.get(f"{server.url}/api/actions/{action_id}", headers=headers, timeout=30).json()["action"]
    result: dict[str, object] = found["approval"]
    return result


def at_the_queue(page: Page, server: Served, query: str = "") -> Page:
    page.goto(f"{server.url}{PATH}{query}")
    expect(page.locator("#connection")).to_have_attribute("data-state", "live", timeout=10_000)
    return page


def card(page: Page, goal: str) -> Locator:
    return page.get_by_role("article", name=goal, exact=True)


def test_two_decide_at_once_and_one_wins(page: Page, another: Callable[[], Page], server: Served) -> None:
    action_id, goal = ask(server)
    complaints = watched(page)
    second = at_the_queue(another(), server)
    at_the_queue(page, server)
    for one, word in ((page, "Approve"), (second, "Deny")):
        card(one, goal).get_by_role("button", name=word).click()
        one.get_by_label("Reason").fill(f"{word} it")
    page.locator("#decide [type=submit]").click()
    expect(card(page, goal)).to_have_count(0)
    expect(card(second, goal)).to_have_count(0, timeout=5_000)
    expect(second.get_by_role("log")).to_contain_text(f"operator approved: {goal}")
    expect(second.locator("#decide-problem")).to_contain_text("operator approved it meanwhile")
    expect(second.locator("#decide [type=submit]")).to_be_disabled()
    assert approval(server, action_id)["status"] == "approved"
    assert complaints == []


def test_the_slower_of_two_sees_the_new_state(page: Page, another: Callable[[], Page], server: Served) -> None:
    action_id, goal = ask(server)
    second = at_the_queue(another(), server)
    at_the_queue(page, server)
    card(second, goal).get_by_role("button", name="Deny").click()
    second.get_by_label("Reason").fill("No")
    # The second browser hears of nothing while it sends.
    second.route("**/approvals", lambda route: route.continue_() if route.request.method == "POST" else route.abort())
    card(page, goal).get_by_role("button", name="Approve").click()
    page.keyboard.press("Enter")
    expect(card(page, goal)).to_have_count(0)
    second.keyboard.press("Enter")
    expect(second.locator("#decide-problem")).to_contain_text("It is approved now: operator")
    assert approval(server, action_id)["status"] == "approved"


def test_what_comes_to_wait_arrives_within_a_second(page: Page, server: Served) -> None:
    at_the_queue(page, server)
    _, goal = ask(server)
    expect(card(page, goal)).to_be_visible(timeout=SOON * 3)
    arrived = page.evaluate("document.title")
    assert re.match(r"\(\d+\) Approvals", arrived), arrived


def test_keys_alone_decide(page: Page, server: Served) -> None:
    first, goal = ask(server, agent_id="keys", risk_score=90)
    second, other = ask(server, agent_id="keys", risk_score=60)
    at_the_queue(page, server, "?agent_id=keys")
    page.keyboard.press("j")
    expect(page.get_by_role("link", name=goal, exact=True)).to_be_focused()
    page.keyboard.press("j")
    page.keyboard.press("d")
    expect(page.get_by_label("Reason")).to_be_focused()
    expect(page.locator("#decide-goal")).to_have_text(other)
    page.keyboard.press("Enter")
    expect(page.locator("#decide")).to_be_visible()
    page.keyboard.type("Not today")
    page.keyboard.press("Enter")
    expect(card(page, other)).to_have_count(0)
    assert (approval(server, second)["status"], approval(server, second)["reason"]) == ("denied", "Not today")
    expect(page.get_by_role("link", name=goal, exact=True)).to_be_focused()
    page.keyboard.press("a")
    page.keyboard.press("Escape")
    expect(page.locator("#decide")).to_be_hidden()
    page.keyboard.press("a")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Nothing waits here")).to_be_visible()
    assert approval(server, first)["status"] == "approved"


def test_a_thumb_decides_on_a_phone(browser: Browser, server: Served) -> None:
    change = '{"path":"%s","old_string":"a","new_string":"%s"}' % ("deep/" * 30, "b" * 300)
    action_id, goal = ask(
        server, agent_id="phone", declared_goal="Publish " + "verylongword" * 20, input_summary=change
    )
    with browser.new_context(viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True) as context:
        page = at_the_queue(sign_in(context, server.url, server.admin_key), server, "?agent_id=phone")
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        button = card(page, goal).get_by_role("button", name="Approve")
        box = button.bounding_box()
        assert box is not None
        assert box["height"] >= 44
        button.tap()
        submit = page.locator("#decide [type=submit]")
        place = submit.bounding_box()
        assert place is not None
        assert place["y"] > 370, "within reach of the thumb"
        submit.tap()
        expect(card(page, goal)).to_have_count(0)
        assert approval(server, action_id)["status"] == "approved"
        for path in (f"{PATH}?tab=history", f"{PATH}/{action_id}"):
            page.goto(server.url + path)
            assert page.evaluate("document.documentElement.scrollWidth") <= 360, path


def test_time_runs_out_in_sight(page: Page, server: Served) -> None:
    _, goal = ask(server, approval_wait_seconds=5)
    at_the_queue(page, server)
    expect(card(page, goal)).to_contain_text(re.compile(r"0:0\d left"))
    expect(card(page, goal)).to_have_count(0, timeout=15_000)
    expect(page.locator(".lately")).to_contain_text(f"expired {goal}")


def test_without_scripts_one_decides_too(browser: Browser, server: Served) -> None:
    action_id, goal = ask(server, agent_id="plain")
    with browser.new_context(java_script_enabled=False) as context:
        page = sign_in(context, server.url, server.admin_key)
        page.goto(f"{server.url}{PATH}?agent_id=plain")
        card(page, goal).get_by_role("button", name="Deny").click()
        page.locator("#decide-plain").get_by_label("Reason").fill("No scripts here")
        page.locator("#decide-plain").get_by_role("button", name="Deny").click()
        expect(page.get_by_text(f"Denied: {goal}")).to_be_visible()
    assert approval(server, action_id)["reason"] == "No scripts here"


# What the browser is asked to show, where the screen would show it; a page can be told that nobody looks.
WITNESS = """
window.badges = []; window.shown = []; window.looked = true;
navigator.setAppBadge = async (count) => badges.push(count);
navigator.clearAppBadge = async () => badges.push(0);
ServiceWorkerRegistration.prototype.showNotification = async (title, more) => { shown.push([title, more.body]); };
Object.defineProperty(document, "visibilityState", { get: () => looked ? "visible" : "hidden" });
"""


def test_the_badge_and_the_title_say_how_much_waits(context: BrowserContext, server: Served) -> None:
    context.add_init_script(WITNESS)
    page = at_the_queue(sign_in(context, server.url, server.admin_key), server)
    before = page.evaluate("badges.at(-1)")
    action_id, _ = ask(server)
    page.wait_for_function("n => badges.at(-1) === n", arg=before + 1, timeout=5_000)
    expect(page).to_have_title(re.compile(rf"^\({before + 1}\) Approvals"))
    decide(server, action_id)
    page.wait_for_function("n => badges.at(-1) === n", arg=before, timeout=5_000)


def test_a_notification_comes_once_when_nobody_looks_and_never_says_what(
    context: BrowserContext, server: Served
) -> None:
    context.grant_permissions(["notifications"], origin=server.url)
    context.add_init_script(WITNESS)
    page = at_the_queue(sign_in(context, server.url, server.admin_key), server)
    page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    button = page.get_by_role("button", name="Notify me")
    button.click()
    expect(page.get_by_role("button", name="Notifications on")).to_have_attribute("aria-pressed", "true")
    other = context.new_page()
    at_the_queue(other, server)
    before = page.evaluate("badges.at(-1)")
    ask(server)
    for one in (page, other):
        one.wait_for_function("n => badges.at(-1) === n", arg=before + 1, timeout=5_000)
        assert one.evaluate("shown") == [], "somebody looks"
        one.evaluate("looked = false")
    action_id, goal = ask(server)
    for one in (page, other):
        one.wait_for_function("n => badges.at(-1) === n", arg=before + 2, timeout=5_000)
    page.wait_for_function("shown.length > 0", timeout=5_000)
    found = page.evaluate("shown") + other.evaluate("shown")
    assert found == [[f"{before + 2} actions wait for you", "Open the approvals to decide."]]
    assert goal not in str(found)
    decide(server, action_id)
    page.wait_for_function("n => badges.at(-1) === n", arg=before + 1, timeout=5_000)
    page.get_by_role("button", name="Notifications on").click()
    ask(server)
    page.wait_for_function("n => badges.at(-1) === n", arg=before + 2, timeout=5_000)
    assert len(page.evaluate("shown") + other.evaluate("shown")) == 1, "fewer, or switched off"


def test_it_is_an_app_that_says_when_the_server_is_gone(browser: Browser, tmp_path: Path) -> None:
    with browser.new_context() as context:
        with served(str(tmp_path / "dashclaw.db")) as server:
            ask_first(server)
            _, goal = ask(server)
            page = at_the_queue(sign_in(context, server.url, server.admin_key), server)
            page.evaluate("navigator.serviceWorker.ready.then((found) => found.active.state)")
            page.reload()
            page.wait_for_function("navigator.serviceWorker.controller !== null")
            session = context.new_cdp_session(page)
            manifest = session.send("Page.getAppManifest")
            assert manifest["errors"] == []
            assert session.send("Page.getInstallabilityErrors")["installabilityErrors"] in ([], IN_PRIVATE)
            kept = page.evaluate(KEPT)
            assert kept
            assert [path for path in kept if not path.startswith("/static/")] == ["/offline"]
        page.goto(f"{server.url}{PATH}")
        expect(page.get_by_role("heading", name="The server cannot be reached")).to_be_visible()
        expect(page.get_by_text(goal)).to_have_count(0)


KEPT = """async () => {
  const found = [];
  for (const name of await caches.keys()) {
    for (const request of await (await caches.open(name)).keys()) found.push(new URL(request.url).pathname);
  }
  return found;
}"""
# Contexts of a test are private windows, which install nothing.
IN_PRIVATE = [{"errorId": "in-incognito", "errorArguments": []}]
