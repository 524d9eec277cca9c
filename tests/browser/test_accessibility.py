"""axe finds nothing to mend on any page, in either theme, on the desk and on the phone."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import NamedTuple

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from ..integration.serving import Served
from ..integration.web.content import Content, written
from .chromium import sign_in
from .seeding import seed
from .tour import tour

FOR_STRANGERS = ("/sign-in", "/invitation", "/offline")
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
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
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
    found = Axe().run(page, options=RULES).response
    assert found["passes"]
    return [
        f"{page.url}: {fault['id']} ({fault['impact']}): {node['html'][:160]}"
        for fault in found["violations"]
        for node in fault["nodes"]
    ]


@pytest.mark.slow
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 360])
def test_axe_finds_nothing(theme: str, width: int, browser: Browser, fleet: Fleet) -> None:
    server = fleet.server
    size = {"width": width, "height": 800}
    with browser.new_context(viewport=size, color_scheme=theme, reduced_motion="reduce") as context:
        stranger = context.new_page()
        found = []
        for path in FOR_STRANGERS:
            stranger.goto(server.url + path)
            found += faults(stranger)
        page = sign_in(context, server.url, server.admin_key)
        links = page.locator("#side a.side-link").evaluate_all("links => links.map(link => link.getAttribute('href'))")
        assert "/agents" in links
        pages = {*links, *tour(context, fleet.content), *TROUBLED}
        assert len(pages) > 35
        for path in sorted(pages):
            page.goto(server.url + path)
            found += faults(page)
            if width < 400:
                found += narrow(page)
        page.keyboard.press("?")
        found += faults(page)
    assert found == []
