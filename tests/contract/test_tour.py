"""The tour of the dashboard shows every page, in both themes, from files that are there and not too large."""

from __future__ import annotations

import re

from dashclaw.server.web.routes import every_page
from tests.browser.pictures import FOLDER, GUIDE, NO_PICTURE, PICTURES, THEMES

MOST_BYTES = 4_000_000
NAMED = re.compile(r"\.\./pictures/dashboard/([\w-]+)\.png")


def test_every_page_has_a_picture() -> None:
    pages = {page.path for page in every_page() if page.verb == "GET"}
    assert {picture.page for picture in PICTURES} == pages - NO_PICTURE
    assert pages >= NO_PICTURE, "what is left out is still there"


def test_the_guide_shows_each_picture_in_both_themes() -> None:
    wanted = {f"{picture.name}-{theme}" for picture in PICTURES for theme in THEMES}
    shown = NAMED.findall(GUIDE.read_text(encoding="utf-8"))
    assert sorted(shown) == sorted(wanted)
    assert {file.stem for file in FOLDER.iterdir()} == wanted


def test_the_pictures_are_pictures_and_stay_small() -> None:
    files = list(FOLDER.glob("*.png"))
    assert all(file.read_bytes().startswith(b"\x89PNG") for file in files)
    assert sum(file.stat().st_size for file in files) < MOST_BYTES
