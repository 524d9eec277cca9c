"""Whatever agents and people write stays text: in every page, in every filter, in forms that come back, in exports."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page

from dashclaw._inert import inert
from dashclaw.server.web.routes import every_page

from ..integration.serving import Served
from ..integration.web.content import Content, written
from ..integration.web.forms import form_of
from .chromium import sign_in, watched
from .tour import tour

PAYLOADS: list[str] = json.loads((Path(__file__).parent / "payloads.json").read_text())
PACKED = 1200
# What ends the session, or stops everything.
NOT_SENT = {"/sign-out", "/settings/kill-switch", "/sign-in", "/sign-in/password", "/invitation"}

LISTENS = """
window.hits = [];
window.hit = () => window.hits.push("a script ran");
document.addEventListener("securitypolicyviolation", (event) =>
  window.hits.push(`${event.violatedDirective} refused ${event.blockedURI || event.sourceFile}`));
"""
# What a document holds that no template of ours writes; of the page itself, or of a text.
FAULTS = """(html) => {
  const given = html === null ? document : new DOMParser().parseFromString(html, "text/html");
  const found = html === null ? [...window.hits] : [];
  const places = new Set(["href", "src", "action", "formaction", "data", "poster", "xlink:href", "srcset"]);
  for (const element of given.querySelectorAll("*")) {
    const name = element.tagName.toLowerCase();
    if (["x-hit", "iframe", "object", "embed", "base", "math", "style", "video", "animate", "marquee"].includes(name)) {
      found.push(`<${name}>`);
    }
    if (name === "script" && !element.src && !element.type.includes("json")) found.push("an inline script");
    if (name === "script" && element.type.includes("json")) JSON.parse(element.textContent);
    if (name === "meta" && element.httpEquiv.toLowerCase() === "refresh") found.push("a refresh");
    for (const { name: attribute, value } of element.attributes) {
      if (attribute.startsWith("on") || attribute.startsWith("hx-on") || ["data-hit", "srcdoc"].includes(attribute)) {
        found.push(`<${name} ${attribute}>`);
      }
      if (!places.has(attribute)) continue;
      const to = new URL(value, location.href);
      const away = to.origin !== location.origin && !(attribute === "src" && value.startsWith("data:image/"));
      const allowed = name === "a" && ["http:", "https:", "mailto:"].includes(to.protocol);
      if (away && !allowed) found.push(`<${name} ${attribute}=${value}>`);
    }
  }
  return found;
}"""
TEXT = """() => document.title + " " + document.body.textContent + " "
  + [...document.querySelectorAll("input, textarea")].map((field) => field.value).join(" ")"""
FILTERS = (
    """() => [...new Set([...document.querySelectorAll("main form:not([method=post]) [name]")].map((e) => e.name))]"""
)


class Hostile:
    """Texts made of the payloads, each time of the next ones; as many at once as a field takes."""

    def __init__(self) -> None:
        self._next = count()

    def __call__(self, most: int) -> str:
        text = self._one(most)
        while len(text) < min(most, PACKED) // 2:
            text += "\n" + self._one(most - len(text) - 1)
        return text

    def _one(self, most: int) -> str:
        while True:
            payload = PAYLOADS[next(self._next) % len(PAYLOADS)]
            if len(payload) <= most:
                return payload


@pytest.fixture(scope="module")
def content(server: Served) -> Iterator[Content]:
    with written(server, server.admin_key, server.agent_key, Hostile()) as found:
        yield found


@pytest.fixture
def context(context: BrowserContext) -> BrowserContext:
    context.add_init_script(LISTENS)
    return context


class Watch:
    """Visits pages, and notes whatever came alive on one of them."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self.faults: list[str] = []
        self.texts: list[str] = []
        self._complaints = watched(page)
        page.on("dialog", self._dialog)
        page.context.on("request", lambda request: self._asked(request.url))

    def _dialog(self, dialog: object) -> None:
        self.faults.append("a dialog")
        dialog.dismiss()  # type: ignore[attr-defined]

    def _asked(self, url: str) -> None:
        if "evil" in url.partition("?")[0].split("/")[2]:
            self.faults.append(f"asked for {url}")

    def look(self, url: str, *, said: bool = True) -> None:
        """Open a page; `said` keeps what it reads for later."""
        self._page.goto(url)
        self.faults += [f"{url}: {fault}" for fault in self._page.evaluate(FAULTS, None)]
        # A page that refuses a filter answers with a status that the console tells.
        self.faults += [f"{url}: {text}" for text in self._complaints if "responded with a status of" not in text]
        self._complaints.clear()
        if said:
            self.texts.append(squashed(self._page.evaluate(TEXT)))


def squashed(text: str) -> str:
    return "".join(text.split())


@pytest.mark.slow
def test_every_page_shows_it_as_text(context: BrowserContext, server: Served, content: Content) -> None:
    page = sign_in(context, server.url, server.admin_key)
    watch = Watch(page)
    pages = tour(context, content)
    assert len(pages) > 30
    for path in pages:
        watch.look(server.url + path)
    assert watch.faults == []
    shown = "\n".join(watch.texts)
    assert [payload for payload in PAYLOADS if squashed(inert(payload.replace("\t", "    "))) not in shown] == []


@pytest.mark.slow
def test_every_filter_says_it_as_text(context: BrowserContext, server: Served, content: Content) -> None:
    page = sign_in(context, server.url, server.admin_key)
    watch, hostile = Watch(page), Hostile()
    for path in sorted({path.partition("?")[0] for path in tour(context, content)}):
        page.goto(server.url + path)
        names = [*page.evaluate(FILTERS), "next", "search", "offset", "agent_id"]
        query = {name: hostile(90) for name in names}
        watch.look(f"{server.url}{path}?{page.evaluate('(query) => new URLSearchParams(query).toString()', query)}")
    assert watch.faults == []


def test_forms_that_come_back_say_it_as_text(context: BrowserContext, server: Served, content: Content) -> None:
    page = sign_in(context, server.url, server.admin_key, to="/account")
    token = page.locator("input[name=csrf]").first.get_attribute("value") or ""
    hostile, faults = Hostile(), []
    # What one form takes away another one asks for.
    fields = {form.path: form_of(form).fields(content) for form in every_page() if form.verb == "POST"}
    for path in sorted(fields.keys() - NOT_SENT):
        data: dict[str, str | float | bool] = {name: hostile(200) for name in ("reason", "next", *fields[path])}
        answer = context.request.post(
            server.url + content.address(path), form={**data, "csrf": token}, headers={"Accept": "text/html"}
        )
        assert answer.status < 500, (path, answer.text())
        faults += [f"{path}: {fault}" for fault in page.evaluate(FAULTS, answer.text())]
    assert faults == []


def test_a_page_that_was_saved_is_as_quiet(
    context: BrowserContext, server: Served, content: Content, tmp_path: Path
) -> None:
    sign_in(context, server.url, server.admin_key).close()
    answer = context.request.get(f"{server.url}{content.address('/actions/{action_id}/replay')}")
    assert "attachment" in answer.headers["content-disposition"]
    saved = tmp_path / "replay.html"
    saved.write_bytes(answer.body())
    asked: list[str] = []
    page = context.new_page()
    page.on("request", lambda request: asked.append(request.url))
    page.goto(saved.as_uri())
    assert page.evaluate("window.hits") == []
    assert page.locator("x-hit, [data-hit], iframe, object, embed, base, [onload], [onerror]").count() == 0
    assert asked == [saved.as_uri()]
    shown = squashed(page.evaluate(TEXT))
    assert sum(squashed(inert(payload)) in shown for payload in PAYLOADS) > 20
