"""axe finds nothing to mend on any page of the navigation, in either theme, on the desk and on the phone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from ..integration.serving import Served, served
from .chromium import sign_in
from .seeding import seed

RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
MORE = (
    "/agents/deployer",
    "/policies/new",
    "/policies/test",
    "/policies/simulate",
    "/policies/packs",
    "/policies/history",
    "/nothing/here",
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server with a history."""
    with served(str(tmp_path_factory.mktemp("axe") / "dashclaw.db")) as found:
        seed(found)
        yield found


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
def test_axe_finds_nothing(theme: str, width: int, browser: Browser, server: Served) -> None:
    size = {"width": width, "height": 800}
    with browser.new_context(viewport=size, color_scheme=theme, reduced_motion="reduce") as context:
        stranger = context.new_page()
        stranger.goto(f"{server.url}/sign-in")
        found = faults(stranger)
        page = sign_in(context, server.url, server.admin_key)
        links = page.locator("#side a.side-link").evaluate_all("links => links.map(link => link.getAttribute('href'))")
        assert "/agents" in links
        for path in (*links, *MORE):
            page.goto(server.url + path)
            found += faults(page)
        page.keyboard.press("?")
        found += faults(page)
    assert found == []
