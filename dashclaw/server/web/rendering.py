"""Templates into answers: the environment, its filters, whole pages and single regions."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup, escape
from starlette.responses import Response

from dashclaw import __version__
from dashclaw._inert import inert

from . import charts, cookies, wording
from .desk import url_of

if TYPE_CHECKING:
    from dashclaw.runtime.clock import Clock

    from .desk import Desk
    from .site import Site

FOLDER = Path(__file__).parent / "templates"
_WORTH_GZIP = 2048
_ROW = re.compile(r"<tr\b.*?</tr>", re.DOTALL)
_CELL = re.compile(r"<t[dh]\b")


class Rendering:
    """Makes pages for a site."""

    def __init__(self, site: Site) -> None:
        self._site = site

    @cached_property
    def environment(self) -> Environment:
        """The templates, with `ui` (the components) and `charts` in every one of them."""
        made = environment(self._site.runtime.clock)
        made.globals |= {"static": self._site.files.url, "url_of": url_of, "charts": charts, "version": __version__}
        made.globals["ui"] = made.get_template("_ui.html").module
        return made

    def answer(self, desk: Desk, template: str, status: int, values: Mapping[str, Any]) -> Response:
        """A page, or the block that htmx asked for."""
        found = self.environment.get_template(template)
        region = desk.request.headers.get("hx-target") if desk.from_htmx else None
        if region in found.blocks:
            text = _block(found, region, {**self._around(desk), **values})
        else:
            text = found.render({**self._around(desk), **values})
        return _html(desk, text, status)

    def fragment(self, desk: Desk, template: str, status: int, values: Mapping[str, Any]) -> Response:
        """A partial as it is."""
        text = self.environment.get_template(template).render({**self._around(desk), **values})
        return _html(desk, text, status)

    def _around(self, desk: Desk) -> dict[str, Any]:
        request, session = desk.request, desk.session
        return {
            "desk": desk,
            "session": session,
            "csrf": self._site.form_token(desk),
            "theme": cookies.theme(request),
            "navigation": self._site.navigation,
            "current": self._site.navigation.current(request.url.path),
            "notice": None if desk.from_htmx else self._site.cookies.notice(request),
        }


def environment(clock: Clock) -> Environment:
    """An environment that escapes everything, and spells out characters that steer the reader."""
    made = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
        finalize=_finalize,
    )
    made.filters |= {
        "ago": lambda text: wording.ago(text, clock()),
        "exact": wording.exact,
        "number": wording.number,
        "money": wording.money,
        "duration": wording.duration,
        "percent": wording.percent,
        "words": wording.words,
        "short": wording.short,
        "pretty": _pretty,
        "weblink": wording.weblink,
        "labelled": _labelled,
        "urlencode": _urlencode,
    }
    return made


def _urlencode(value: Any) -> str:
    """One part of a path, in which a slash is no separator, or the query that a mapping makes."""
    return urlencode(value) if isinstance(value, Mapping) else quote(str(value), safe="")


def _finalize(value: Any) -> Any:
    if type(value) is str and not value.isprintable():
        return inert(value.replace("\t", "    "))
    return value


def _pretty(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False, default=str)


def _labelled(rows: str, columns: Sequence[str | tuple[str, str]]) -> Markup:
    """Rows of a table whose cells say which column they are in: on a phone each row is a block of its own."""
    labels = [escape(column if isinstance(column, str) else column[0]) for column in columns]

    def row(found: re.Match[str]) -> str:
        left = iter(labels)
        return _CELL.sub(lambda cell: f'{cell[0]} data-label="{next(left, "")}"', found[0])

    return Markup(_ROW.sub(row, rows))  # noqa: S704 - markup before, with escaped labels added


def _block(template: Template, name: str, values: Mapping[str, Any]) -> str:
    return "".join(template.blocks[name](template.new_context(dict(values))))


def _html(desk: Desk, text: str, status: int) -> Response:
    content = text.encode()
    headers = {}
    if len(content) >= _WORTH_GZIP and "gzip" in desk.request.headers.get("accept-encoding", ""):
        content = gzip.compress(content, 5, mtime=0)
        headers["Content-Encoding"] = "gzip"
    return Response(content, status, headers, "text/html; charset=utf-8")
