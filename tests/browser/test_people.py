"""People in a real browser: a link for a password, the sign-in with it, and an administrator who ends it."""

from __future__ import annotations

import re

from playwright.sync_api import Browser, BrowserContext, Page, expect

from ..integration.serving import Served
from .chromium import watched

PASSWORD = "correct horse battery"


def fill_in(page: Page, code: str | None = None) -> None:
    if code is not None:
        page.get_by_label("Code").fill(code)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_label("The same password again").fill(PASSWORD)
    page.get_by_role("button", name="Set the password").click()


def test_a_person_joins_by_link_signs_in_and_is_shown_the_door(
    page: Page, context: BrowserContext, browser: Browser, server: Served
) -> None:
    complaints = watched(page)
    page.goto(f"{server.url}/settings/people")
    page.get_by_label("E-mail").last.fill("ana@example.com")
    page.get_by_role("button", name="Add and show a link").click()
    link = page.locator(".code code").inner_text()
    code = link.partition("#")[2]
    assert link.startswith(f"{server.url}/invitation#")
    with browser.new_context() as elsewhere:
        asked: list[str] = []
        elsewhere.on("request", lambda request: asked.append(request.url))
        ana = elsewhere.new_page()
        complaints_there = watched(ana)
        ana.goto(link)
        expect(ana.get_by_label("Code")).to_have_value(code)
        assert code not in ana.url, "the address bar and the history forget it"
        fill_in(ana)
        expect(ana.get_by_label("Account and appearance").first).to_be_visible()
        ana.goto(f"{server.url}/account")
        expect(ana.get_by_role("definition").filter(has_text="ana@example.com")).to_be_visible()
        assert not [url for url in asked if code in url], "no server was sent the code in an address"
        page.goto(f"{server.url}/settings/people")
        page.get_by_role("link", name="ana@example.com").click()
        page.get_by_role("button", name="Disable").first.click()
        page.get_by_role("dialog").get_by_role("button", name="Disable").click()
        expect(page.get_by_text("signed out everywhere")).to_be_visible()
        ana.goto(f"{server.url}/account")
        expect(ana.get_by_role("heading", name="Sign in")).to_be_visible()
        assert complaints_there == []
    assert complaints == []


def test_a_link_works_without_scripts(page: Page, browser: Browser, server: Served) -> None:
    page.goto(f"{server.url}/settings/people")
    page.get_by_label("E-mail").last.fill("ben@example.com")
    page.get_by_role("button", name="Add and show a link").click()
    code = page.locator(".code code").inner_text().partition("#")[2]
    with browser.new_context(java_script_enabled=False) as elsewhere:
        ben = elsewhere.new_page()
        ben.goto(f"{server.url}/invitation")
        fill_in(ben, code)
        expect(ben).not_to_have_url(re.compile("invitation"))
        ben.goto(f"{server.url}/account")
        expect(ben.get_by_role("definition").filter(has_text="ben@example.com")).to_be_visible()


def test_the_kill_switch_takes_its_name(page: Page, server: Served) -> None:
    page.goto(f"{server.url}/settings")
    page.get_by_role("button", name="Stop every action").first.click()
    page.get_by_label("Type default to confirm").fill("default")
    page.get_by_role("dialog").get_by_role("button", name="Stop every action").click()
    expect(page.get_by_text("every action is blocked").first).to_be_visible()
    page.get_by_role("button", name="Turn it off").first.click()
    page.get_by_label("Type default to confirm").fill("default")
    page.get_by_role("dialog").get_by_role("button", name="Turn it off").click()
    expect(page.get_by_text("The kill switch is off")).to_be_visible()
