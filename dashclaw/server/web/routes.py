"""What a page declares: its path, who answers, and whether one must be signed in."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote

from dashclaw.runtime.body import is_text
from dashclaw.runtime.problems import Problem

if TYPE_CHECKING:
    from starlette.responses import Response

    from .desk import Desk

Handler = Callable[["Desk"], "Response"]


class Page(NamedTuple):
    """One verb of one path. `{name}` in the path is any text without a slash; `public` pages need no session."""

    verb: str
    path: str
    handler: Handler
    public: bool = False


def get(path: str, handler: Handler, *, public: bool = False) -> Page:
    """A page, or a fragment of one."""
    return Page("GET", path, handler, public)


def post(path: str, handler: Handler, *, public: bool = False) -> Page:
    """What a form does; its token and its origin are checked before the handler runs."""
    return Page("POST", path, handler, public)


def every_page() -> list[Page]:
    """The `PAGES` of every module in the folder `pages`."""
    from . import pages

    names = sorted(found.name for found in pkgutil.iter_modules(pages.__path__))
    return [page for name in names for page in importlib.import_module(f"{pages.__name__}.{name}").PAGES]


class Table:
    """Finds the page for a verb and a path as it was sent."""

    def __init__(self, pages: Iterable[Page]) -> None:
        self._fixed: dict[str, dict[str, Page]] = {}
        self._patterns: dict[str, tuple[re.Pattern[str], dict[str, Page]]] = {}
        for page in pages:
            self._verbs(page.path)[page.verb] = page

    def _verbs(self, path: str) -> dict[str, Page]:
        if "{" not in path:
            return self._fixed.setdefault(path, {})
        pattern = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path)
        return self._patterns.setdefault(pattern, (re.compile(pattern), {}))[1]

    def has(self, path: str) -> bool:
        """Whether a path without parameters is a page."""
        return "GET" in self._fixed.get(path, ())

    def match(self, verb: str, path: str) -> tuple[Page, dict[str, str]] | None:
        """The page and the parts of its path; None when no page has it, `Problem` 405 for another verb."""
        verbs, params = self._fixed.get(path), {}
        if verbs is None:
            for pattern, found in self._patterns.values():
                if matched := pattern.fullmatch(path):
                    verbs, params = found, {name: unquote(part) for name, part in matched.groupdict().items()}
                    break
        if verbs is None or not all(map(is_text, params.values())):
            return None
        page = verbs.get("GET" if verb == "HEAD" else verb)
        if page is None:
            allowed = ", ".join(sorted(verbs))
            raise Problem(405, "METHOD_NOT_ALLOWED", f"This page takes {allowed}", headers={"Allow": allowed})
        return page, params
