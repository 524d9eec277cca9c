"""A browser without a screen: signs in, keeps cookies, and fills in the token of a form."""

from __future__ import annotations

import re
from collections.abc import Mapping
from html.parser import HTMLParser
from typing import Any

import httpx

from ..serving import Served

HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
TOKEN = re.compile(r'name="csrf" value="([^"]+)"')
FROM_HTMX = {"HX-Request": "true"}


class Browser:
    """One person at the dashboard. Redirects are not followed; `browser.http` is the client itself."""

    def __init__(self, server: Served) -> None:
        self.server = server
        self.http = httpx.Client(base_url=server.url, headers=HTML, timeout=30)

    def get(self, path: str, *, region: str | None = None, **more: Any) -> httpx.Response:
        """Ask for a page, or as htmx for the region of it with this id."""
        headers = {**FROM_HTMX, "HX-Target": region, "HX-Current-URL": f"{self.server.url}{path}"} if region else {}
        return self.http.get(path, headers={**headers, **more.pop("headers", {})}, **more)

    def token(self, path: str = "/sign-in") -> str:
        """The token of the forms on a page."""
        found = TOKEN.search(self.get(path).text)
        assert found, f"{path} has no form"
        return found[1]

    def post(self, path: str, form: Mapping[str, str] | None = None, *, page: str, **more: Any) -> httpx.Response:
        """Send a form of `page`, with its token."""
        return self.http.post(path, data={"csrf": self.token(page), **(form or {})}, **more)

    def sign_in(self, key: str, to: str = "/agents") -> httpx.Response:
        """Sign in with an API key."""
        return self.post("/sign-in", {"key": key, "next": to}, page="/sign-in")

    def close(self) -> None:
        self.http.close()


class Text(HTMLParser):
    """The visible text of a page, its words apart by single spaces, and its links."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self._parts: list[str] = []
        self.links: list[str] = []
        self._skipped = 0
        self.feed(html)
        self.text = " ".join(" ".join(self._parts).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._skipped += tag in ("script", "style")
        self.links += [value for name, value in attrs if tag == "a" and name == "href" and value]

    def handle_endtag(self, tag: str) -> None:
        self._skipped -= tag in ("script", "style")

    def handle_data(self, data: str) -> None:
        if not self._skipped:
            self._parts.append(data)


def text_of(answer: httpx.Response) -> str:
    """What a reader sees of a page."""
    return Text(answer.text).text
