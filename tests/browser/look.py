"""Photograph pages of the dashboard over a seeded server: `python -m tests.browser.look [--to FOLDER] [PATH...]`.

Without paths, every page of the navigation; `{policy}` and the like in a path stand for ids of what was seeded. Each in
three widths and both themes.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import httpx
from playwright.sync_api import Browser

from ..integration.serving import Served, served
from .chromium import chromium, sign_in
from .passing import Passing
from .pictures import known
from .seeding import seed

WIDTHS = {360: 780, 768: 1024, 1280: 860}
THEMES = ("light", "dark")


def main() -> None:
    """Take the pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("paths", nargs="*", help="pages; default: all of the navigation")
    parser.add_argument("--to", type=Path, default=Path("look"))
    parser.add_argument("--light", action="store_true", help="only the light theme")
    parser.add_argument("--fold", action="store_true", help="only what is seen without scrolling")
    given = parser.parse_args()
    given.to.mkdir(parents=True, exist_ok=True)
    clock = Passing()
    with (
        tempfile.TemporaryDirectory() as folder,
        served(f"{folder}/dashclaw.db", clock=clock) as server,
        chromium() as browser,
    ):
        seed(server, rounds=8, wait=clock.wait)
        for theme in THEMES[: 1 if given.light else None]:
            for width in WIDTHS:
                photograph(browser, server, theme, width, given)


def photograph(browser: Browser, server: Served, theme: str, width: int, given: argparse.Namespace) -> None:
    """All asked pages in one look."""
    size = {"width": width, "height": WIDTHS[width]}
    with browser.new_context(viewport=size, color_scheme=theme, reduced_motion="reduce") as context:
        page = sign_in(context, server.url, server.admin_key)
        page.clock.set_system_time(server.runtime.clock())
        links = page.locator("#side a.side-link").evaluate_all("links => links.map(link => link.getAttribute('href'))")
        with httpx.Client(base_url=server.url, headers={"x-api-key": server.admin_key}) as client:
            ids = known(client)
        for path in [path.format_map(ids) for path in given.paths or links]:
            answer = page.goto(server.url + path)
            if answer is None or answer.status >= 400:
                print(path, answer and answer.status)
                continue
            page.wait_for_selector("#connection[data-state=live]")
            name = path.partition("?")[0].strip("/").replace("/", "-") or "mission"
            page.screenshot(path=given.to / f"{name}-{width}-{theme}.png", full_page=not given.fold)


if __name__ == "__main__":
    main()
