"""The system's Chromium, driven by Playwright."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

PATH = os.environ.get("CHROMIUM", "/usr/bin/chromium")
_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@contextmanager
def chromium() -> Iterator[Browser]:
    """A running browser; it may only be missing outside CI."""
    if shutil.which(PATH) is None and not os.environ.get("CI"):
        pytest.skip(f"Chromium is not at {PATH}")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=PATH, args=_ARGUMENTS)
        try:
            yield browser
        finally:
            browser.close()


def sign_in(context: BrowserContext, url: str, key: str, to: str = "/agents") -> Page:
    """A page of the dashboard, signed in by hand."""
    page = context.new_page()
    page.goto(f"{url}/sign-in?next={to}")
    for closed in page.locator("details:not([open]) > summary").all():
        closed.click()
    page.get_by_label("API key").fill(key)
    page.locator("form[action='/sign-in'] button").click()
    page.wait_for_url(f"{url}{to}")
    return page


def watched(page: Page) -> list[str]:
    """What the page complains of from now on: errors, refused contents, failed requests."""
    found: list[str] = []

    def add(text: str) -> None:
        # A transition between two pages that the browser gave up is no fault of either.
        if not text.startswith("Transition was "):
            found.append(text)

    def note(message: Any) -> None:
        if message.type in ("error", "warning"):
            add(message.text)

    page.on("console", note)
    page.on("pageerror", lambda error: add(str(error)))
    return found
