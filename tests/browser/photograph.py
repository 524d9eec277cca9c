"""Take the pictures of the guide: `make screenshots`. Every page of a seeded server, in both themes."""

from __future__ import annotations

import tempfile
from io import BytesIO
from pathlib import Path

import httpx
from PIL import Image
from playwright.sync_api import Browser, Page

from ..integration.serving import Served, served
from .chromium import chromium, sign_in
from .passing import Passing
from .pictures import FOLDER, PICTURES, THEMES, Picture, known
from .seeding import seed

SIZE = {"width": 1280, "height": 860}
# Of 256 colours: those that cover most, as they are, and those that are farthest apart.
MOST_SEEN, FAR_APART = 192, 64
# What was not decided in time is noted within a few seconds.
SETTLED_SECONDS = 30_000


def main() -> None:
    """Write all pictures anew."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for old in FOLDER.glob("*.png"):
        old.unlink()
    clock = Passing()
    with (
        tempfile.TemporaryDirectory() as folder,
        served(f"{folder}/dashclaw.db", clock=clock) as server,
        chromium() as browser,
    ):
        seed(server, rounds=8, wait=clock.wait)
        for theme in THEMES:
            photograph(browser, server, theme)


def photograph(browser: Browser, server: Served, theme: str) -> None:
    """All pictures of one theme."""
    look = {"viewport": SIZE, "color_scheme": theme, "reduced_motion": "reduce"}
    headers = {"x-api-key": server.admin_key}
    with (
        httpx.Client(base_url=server.url, headers=headers) as client,
        browser.new_context(**look) as inside,  # type: ignore[arg-type]
        browser.new_context(**look) as outside,  # type: ignore[arg-type]
    ):
        ids = known(client)
        pages = {False: sign_in(inside, server.url, server.admin_key), True: outside.new_page()}
        pages[False].goto(server.url)
        pages[False].wait_for_function(
            "() => document.querySelector('.stat.ask .stat-value')?.textContent === '2'", timeout=SETTLED_SECONDS
        )
        for picture in PICTURES:
            page = pages[picture.stranger]
            page.clock.set_system_time(server.runtime.clock())
            take(page, server.url + picture.address.format_map(ids), picture, FOLDER / f"{picture.name}-{theme}.png")


def take(page: Page, address: str, picture: Picture, to: Path) -> None:
    """One picture."""
    page.goto(address)
    if not picture.stranger:
        page.wait_for_selector("#connection[data-state=live]")
    picture.act(page)
    page.evaluate("() => document.activeElement?.blur()")
    with Image.open(BytesIO(page.screenshot())) as taken:
        few_colours(taken.convert("RGB")).save(to, optimize=True)


def few_colours(picture: Image.Image) -> Image.Image:
    """The picture with a palette; surfaces keep their colour, and no rare hue is lost."""
    counted = picture.getcolors(picture.width * picture.height) or []
    seen = [colour for _, colour in sorted(counted, reverse=True)[:MOST_SEEN]]
    apart = picture.quantize(FAR_APART, Image.Quantize.MAXCOVERAGE).getpalette() or []
    palette = Image.new("P", (1, 1))
    palette.putpalette([part for colour in seen for part in colour] + apart)  # type: ignore[union-attr]
    return picture.quantize(palette=palette, dither=Image.Dither.NONE)


if __name__ == "__main__":
    main()
