"""Every page of the dashboard that somebody can look at, in an organisation that has something on each of them."""

from __future__ import annotations

from urllib.parse import quote

from playwright.sync_api import BrowserContext

from dashclaw.server.web.routes import every_page

from ..integration.web.content import Content

# Further faces of a page, as queries.
VIEWS = {
    "/approvals": ("?tab=history",),
    "/approvals/several/review": ("?agent_id={agent_id}",),
    "/policies/new": ("?type=risk_threshold",),
    "/messages": ("?agent_id={agent_id}",),
    "/messages/new": ("?thread={thread_id}",),
    "/decisions": ("?search=nothing-of-that-name",),
}


def tour(context: BrowserContext, content: Content) -> list[str]:
    """The addresses of all pages, without files, fragments and redirects, which are asked for once."""
    url = content.url
    found = [path for page in every_page() if page.verb == "GET" for path in _faces(page.path, content)]
    return [path for path in found if _is_page(context, url + path)]


def _faces(path: str, content: Content) -> list[str]:
    ids = {name: quote(text, safe="") for name, text in content.ids.items()}
    address = content.address(path)
    return [address, *(address + view.format(**ids) for view in VIEWS.get(path, ()))]


def _is_page(context: BrowserContext, url: str) -> bool:
    answer = context.request.get(url, max_redirects=0, headers={"Accept": "text/html"})
    assert answer.status < 500, url
    shown = "content-disposition" not in answer.headers and answer.headers.get("content-type", "").startswith(
        "text/html"
    )
    return shown and answer.status != 303 and answer.text().lstrip().lower().startswith("<!doctype")
