"""One browser for this folder; a server and people per module."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from ..integration.serving import Served, served
from .chromium import chromium, sign_in


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Closed before tests of other folders run: Playwright keeps an event loop running in this thread."""
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(str(tmp_path_factory.mktemp("browser") / "dashclaw.db")) as found:
        yield found


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A profile of its own: cookies, storage, one person."""
    with browser.new_context(viewport={"width": 1280, "height": 800}) as found:
        found.set_default_timeout(10_000)
        yield found


@pytest.fixture
def page(context: BrowserContext, server: Served) -> Page:
    """The list of agents, with the operator signed in."""
    return sign_in(context, server.url, server.admin_key)


@pytest.fixture
def another(browser: Browser, server: Served) -> Iterator[Callable[[], Page]]:
    """Makes pages of other people at the same server."""
    contexts: list[BrowserContext] = []

    def make() -> Page:
        contexts.append(browser.new_context())
        return sign_in(contexts[-1], server.url, server.admin_key)

    yield make
    for context in contexts:
        context.close()
