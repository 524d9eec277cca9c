"""The dashboard in a real browser: it signs in, stays true, says when it cannot, and is used with keys alone."""

from __future__ import annotations

from pathlib import Path

import httpx
from playwright.sync_api import Browser, BrowserContext, Page, expect

from ..integration.serving import Served, served
from .chromium import sign_in, watched

SOON = 1_000  # ms


def act(server: Served, name: str = "walker", **more: object) -> str:
    body = {"agent_id": name, "agent_name": name, "action_type": "research", "declared_goal": "Look", **more}
    answer = httpx.post(f"{server.url}/api/actions", json=body, headers={"x-api-key": server.agent_key}, timeout=30)
    return str(answer.json()["action_id"])


def live(page: Page) -> None:
    expect(page.locator("#connection")).to_have_attribute("data-state", "live", timeout=10_000)


def test_no_page_breaks_its_own_policy(context: BrowserContext, server: Served) -> None:
    act(server)
    page = sign_in(context, server.url, server.admin_key)
    complaints = watched(page)
    hosts: set[str] = set()
    page.on("request", lambda request: hosts.add(request.url.split("/")[2]))
    for path in ("/agents", "/agents/walker", "/agents?search=x"):
        page.goto(server.url + path)
        live(page)
    page.get_by_label("Account and appearance").first.click()
    page.get_by_role("button", name="Dark").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    assert complaints == []
    assert hosts == {server.url.split("/")[2]}


def test_a_change_shows_within_a_second(page: Page, server: Served) -> None:
    live(page)
    act(server, "newcomer")
    expect(page.get_by_role("link", name="newcomer")).to_be_visible(timeout=SOON * 3)


def test_one_connection_serves_all_tabs_and_passes_on(context: BrowserContext, server: Served) -> None:
    opened: list[str] = []
    context.on("request", lambda request: opened.append(request.url) if "/live?" in request.url else None)
    first = sign_in(context, server.url, server.admin_key)
    live(first)
    others = [context.new_page() for _ in range(7)]
    for page in others:
        page.goto(f"{server.url}/agents")
        live(page)
    assert len(opened) == 1
    act(server, "seen-by-all")
    for page in (first, *others):
        expect(page.get_by_role("link", name="seen-by-all")).to_be_visible(timeout=5_000)
    first.close()
    act(server, "seen-after")
    for page in others:
        expect(page.get_by_role("link", name="seen-after")).to_be_visible(timeout=10_000)


def test_signing_out_in_one_tab_ends_all(context: BrowserContext, server: Served) -> None:
    first, second = sign_in(context, server.url, server.admin_key), context.new_page()
    second.goto(f"{server.url}/agents")
    live(first)
    live(second)
    second.get_by_label("Account and appearance").first.click()
    second.get_by_role("button", name="Sign out").click()
    second.wait_for_url("**/sign-in")
    first.wait_for_url("**/sign-in?next=%2Fagents")


def test_a_server_that_goes_and_comes_back(context: BrowserContext, tmp_path: Path) -> None:
    url = str(tmp_path / "dashclaw.db")
    with served(url) as server:
        page = sign_in(context, server.url, server.admin_key)
        live(page)
        port = int(server.url.rsplit(":", 1)[1])
    expect(page.locator("#connection")).to_have_attribute("data-state", "lost", timeout=10_000)
    expect(page.locator("#connection")).to_contain_text("Connection lost")
    with served(url, listen=port) as server:
        act(server, "while-away")
        live(page)
        expect(page.get_by_role("link", name="while-away")).to_be_visible(timeout=10_000)


def test_a_field_in_use_is_left_alone(page: Page, server: Served) -> None:
    act(server, "one-at-least")
    page.reload()
    live(page)
    page.get_by_label("Search").fill("one-at")
    act(server, "another-one")
    expect(page.get_by_role("link", name="another-one")).to_be_visible(timeout=5_000)
    expect(page.get_by_label("Search")).to_have_value("one-at")
    expect(page.get_by_label("Search")).to_be_focused()
    page.keyboard.press("Enter")
    page.wait_for_url("**/agents?search=one-at")
    expect(page.get_by_role("link", name="another-one")).to_have_count(0)


def test_keys_alone_lead_everywhere(page: Page, server: Served) -> None:
    act(server, "reached-by-key")
    page.goto(f"{server.url}/agents?search=reached")
    live(page)
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("j")
    expect(page.get_by_role("link", name="reached-by-key")).to_be_focused()
    act(server, "reached-by-key")
    expect(page.locator("#agents_table tbody")).to_contain_text("2", timeout=5_000)
    expect(page.get_by_role("link", name="reached-by-key")).to_be_focused()
    page.keyboard.press("Enter")
    page.wait_for_url("**/agents/reached-by-key")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_hidden()
    page.keyboard.press("g")
    page.keyboard.press("g")
    page.wait_for_url("**/agents")


def test_shortcuts_can_be_switched_off(page: Page) -> None:
    page.keyboard.press("?")
    page.get_by_label("Single-key shortcuts are on").uncheck()
    page.keyboard.press("Escape")
    page.reload()
    page.keyboard.press("?")
    expect(page.locator("#help")).to_be_hidden()


def test_the_phone_has_everything_within_reach(browser: Browser, server: Served) -> None:
    with browser.new_context(viewport={"width": 360, "height": 740}, has_touch=True) as context:
        act(server, "on-the-phone", declared_goal="A goal so long that it has to be broken " * 5)
        page = sign_in(context, server.url, server.admin_key)
        for path in ("/agents", "/agents/on-the-phone"):
            page.goto(server.url + path)
            assert page.evaluate("document.documentElement.scrollWidth") <= 360, path
        page.get_by_role("button", name="All").tap()
        page.locator("#side").get_by_role("link", name="Agents").tap()
        page.wait_for_url("**/agents")


def test_without_scripts_pages_work(browser: Browser, server: Served) -> None:
    with browser.new_context(java_script_enabled=False) as context:
        act(server, "plain")
        page = sign_in(context, server.url, server.admin_key)
        page.get_by_label("Search").fill("plain")
        page.get_by_role("button", name="Apply").click()
        page.get_by_role("link", name="plain").click()
        page.wait_for_url("**/agents/plain")
        page.get_by_label("Account and appearance").first.click()
        page.get_by_role("button", name="Sign out").click()
        page.wait_for_url("**/sign-in")
