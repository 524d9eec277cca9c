"""axe finds nothing to mend on any page, in either theme, on the desk and on the phone."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import NamedTuple

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, ViewportSize

from ..integration.serving import Served
from ..integration.web.content import Content, written
from .chromium import sign_in
from .seeding import seed
from .tour import tour

FOR_STRANGERS = ("/sign-in", "/invitation", "/offline")
BOTH_WAYS = ("/", "/agents", "/approvals", "/decisions", "/policies")
TROUBLED = ("/nothing/here", "/agents/nobody", "/approvals?offset=x", "/sign-out")
# Targets: WCAG 2.2, 2.5.8; what stands in a sentence is exempt, and what has room around it.
NARROW = """() => {
  const found = [];
  const wide = document.documentElement.scrollWidth;
  if (wide > innerWidth) found.push(`${wide} px wide`);
  for (const button of document.querySelectorAll("button, select, input:not([type=hidden]), summary, [role=button]")) {
    const { width, height } = button.getBoundingClientRect();
    const hidden = !button.checkVisibility({ visibilityProperty: true, opacityProperty: true }) || width <= 1;
    if (!hidden && !button.closest(".sr") && (width < 24 || height < 24)) {
      found.push(`${Math.round(width)} x ${Math.round(height)}: ${button.outerHTML.slice(0, 120)}`);
    }
  }
  return found;
}"""
STANDARD = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
RULES = {"runOnly": STANDARD, "resultTypes": ["violations"]}
DESK, PHONE = ViewportSize(width=1280, height=800), ViewportSize(width=360, height=740)


class Fleet(NamedTuple):
    """A server with a history, and what is on it."""

    server: Served
    content: Content


@pytest.fixture(scope="module")
def fleet(server: Served) -> Iterator[Fleet]:
    numbers = count()
    seed(server)
    with written(server, server.admin_key, server.agent_key, lambda most: f"Words {next(numbers)}"[:most]) as content:
        yield Fleet(server, content)


def narrow(page: Page) -> list[str]:
    """What does not fit a phone: a page that is wider than it, or a target too small for a finger."""
    found: list[str] = page.evaluate(NARROW)
    return [f"{page.url}: {fault}" for fault in found]


def faults(page: Page) -> list[str]:
    found = page.evaluate("(rules) => axe.run(rules)", RULES)
    assert found["passes"]
    where = f"{page.url} at {found['testEnvironment']['windowWidth']}"
    return [
        f"{where}: {fault['id']} ({fault['impact']}): {node['html'][:160]}"
        for fault in found["violations"]
        for node in fault["nodes"]
    ]


def looked_at(page: Page) -> list[str]:
    """What is wrong with a page on the desk in light and on the phone in dark; it is loaded once."""
    page.evaluate(Axe().axe_script)
    found = faults(page)
    page.emulate_media(color_scheme="dark")
    page.set_viewport_size(PHONE)
    found += [*faults(page), *narrow(page)]
    page.emulate_media(color_scheme="light")
    page.set_viewport_size(DESK)
    return found


def surrounded(page: Page) -> list[str]:
    """What is wrong the other way round: with what stands around every page."""
    page.emulate_media(color_scheme="dark")
    found = faults(page)
    page.emulate_media(color_scheme="light")
    page.set_viewport_size(PHONE)
    found += faults(page)
    page.set_viewport_size(DESK)
    return found


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_every_page_is_for_everybody(browser: Browser, fleet: Fleet) -> None:
    url, found = fleet.server.url, []
    with browser.new_context(viewport=DESK, color_scheme="light", reduced_motion="reduce") as context:
        page = context.new_page()
        for path in FOR_STRANGERS:
            page.goto(url + path)
            found += looked_at(page)
        page = sign_in(context, url, fleet.server.admin_key)
        links = page.locator("#side a.side-link").evaluate_all("links => links.map(link => link.getAttribute('href'))")
        assert "/agents" in links
        pages = {*links, *tour(context, fleet.content), *TROUBLED}
        assert len(pages) > 35
        for path in sorted(pages):
            page.goto(url + path)
            found += looked_at(page)
            if path in BOTH_WAYS:
                found += surrounded(page)
        page.keyboard.press("?")
        found += looked_at(page)
    assert found == [], "\n".join(found)
