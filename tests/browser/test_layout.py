"""What stays in sight: the navigation on a long page, the list behind many filters on the phone."""

from __future__ import annotations

import httpx
from playwright.sync_api import Browser, Page, expect

from ..integration.serving import Served
from .chromium import sign_in


def test_the_navigation_stays_while_one_scrolls(page: Page, server: Served) -> None:
    page.goto(f"{server.url}/policies/new")
    page.evaluate("window.scrollTo(0, 400)")
    page.wait_for_function("window.scrollY > 100")
    assert page.locator("#side").bounding_box() == {"x": 0, "y": 0, "width": 228, "height": 800}


def test_on_the_phone_filters_wait_until_they_are_asked_for(browser: Browser, server: Served) -> None:
    headers = {"x-api-key": server.agent_key}
    httpx.post(f"{server.url}/api/guard", json={"action_type": "look"}, headers=headers).raise_for_status()
    with browser.new_context(viewport={"width": 360, "height": 780}) as context:
        page = sign_in(context, server.url, server.admin_key)
        page.goto(f"{server.url}/decisions")
        expect(page.get_by_label("Search")).to_be_visible()
        expect(page.get_by_label("Risk from")).to_be_hidden()
        expect(page.get_by_role("table").get_by_text("look").first).to_be_in_viewport()
        page.get_by_label("More filters").check()
        page.get_by_label("Risk from").fill("90")
        page.get_by_role("button", name="Apply").click()
        expect(page.get_by_text("No decision fits")).to_be_visible()
        expect(page.get_by_label("Risk from")).to_have_value("90")
        expect(page.get_by_label("Risk from")).to_be_visible()
        page.set_viewport_size({"width": 1280, "height": 800})
        expect(page.get_by_label("More filters")).to_be_hidden()


def test_no_form_is_wider_than_a_phone(browser: Browser, server: Served) -> None:
    with browser.new_context(viewport={"width": 360, "height": 780}) as context:
        page = sign_in(context, server.url, server.admin_key)
        for path in ("/identities", "/findings", "/policies/new", "/policies/simulate", "/evidence", "/settings/keys"):
            page.goto(server.url + path)
            assert page.evaluate("document.documentElement.scrollWidth") <= 360, path
