"""What a page works with: one request of one operator."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

from starlette.responses import Response

from dashclaw.runtime.identity import Origin
from dashclaw.runtime.problems import Problem

from . import cookies as names

if TYPE_CHECKING:
    from starlette.requests import Request

    from dashclaw.runtime.identity import Caller, Role

    from .sessions import Session
    from .site import Site

HOME = "/"
_LONGEST_AGENT = 256


class Desk:
    """One request: who asks, what was sent, what the runtime answers, and the page that is made of it.

    Handlers run in a thread: `ask` and `page` may simply be called. `path` has the parts of the path, `query` the
    filters of the URL without the empty ones, `form` the fields of a form.
    """

    def __init__(
        self,
        site: Site,
        request: Request,
        session: Session | None,
        path: Mapping[str, str],
        form: Mapping[str, str],
    ) -> None:
        self.site = site
        self.request = request
        self.session = session
        self.path = path
        self.form = form
        self.query = {name: value for name, value in request.query_params.items() if value != ""}

    @property
    def caller(self) -> Caller:
        """Who is signed in; raises `Problem` 401 on a public page without a session."""
        if self.session is None:
            raise Problem(401, "SIGN_IN_REQUIRED", "Sign in first")
        return self.session.caller._replace(origin=self.origin)

    @property
    def origin(self) -> Origin:
        """Where the request came from."""
        agent = self.request.headers.get("user-agent")
        client = self.request.client
        return Origin("dashboard", client.host if client else None, agent[:_LONGEST_AGENT] if agent else None)

    @property
    def from_htmx(self) -> bool:
        """Whether a region of a page asks, not the browser itself."""
        return self.request.headers.get("hx-request") == "true"

    @property
    def here(self) -> str:
        """The page that is shown, with its query."""
        url = self.request.url
        path: str = self.request.scope["path"]
        return f"{path}?{url.query}" if url.query else path

    @cached_property
    def waiting(self) -> int:
        """How many actions wait for a person."""
        return int(self.ask("count_waiting")["approvals"])

    def may(self, role: Role) -> bool:
        """Whether the operator has this role at least."""
        return self.session is not None and self.session.caller.may(role)

    def ask(
        self,
        name: str,
        *,
        params: Mapping[str, str] | None = None,
        query: Mapping[str, Any] | None = None,
        body: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
    ) -> Any:
        """The answer of one of the runtime's operations, by its name; raises `Problem` for every refusal.

        Values of `query` and `body` that are None count as not given.
        """
        return self.site.execute(
            self.caller, name, params or {}, _spelt(query), _given(body), idempotency_key=idempotency_key
        )

    def page(self, template: str, *, status: int = 200, **values: Any) -> Response:
        """A page; where htmx asks for a region that is a block of the template, that block alone."""
        return self.site.rendering.answer(self, template, status, values)

    def redirect(self, to: str, notice: str | None = None) -> Response:
        """Go on to another page of this site, and say there what was done."""
        if self.from_htmx:
            response = Response(status_code=204, headers={"HX-Redirect": to})
        else:
            response = Response(status_code=303, headers={"Location": to})
        if notice is not None:
            self.site.cookies.set_notice(self.request, response, notice)
        return response

    def nothing(self) -> Response:
        """An answer without content."""
        return Response(status_code=204)

    def text(self, content: str, media: str = "text/plain; charset=utf-8") -> Response:
        """An answer that is no page."""
        return Response(content, 200, None, media)

    def told(self, response: Response, text: str, kind: str = "good") -> Response:
        """Add a short message to the answer to htmx; `kind` is good, bad or info."""
        response.headers["HX-Trigger"] = json.dumps({"toast": {"text": text, "kind": kind}})
        return response

    def sign_in(self, caller: Caller, to: str | None, *, check: str | None = None) -> Response:
        """Begin a session for somebody who has proved who they are, and go on to where they wanted to go."""
        sessions, cookies = self.site.sessions, self.site.cookies
        if self.session is not None:
            sessions.end(self.session)
        session = sessions.begin(caller, self.origin, check=check)
        response = self.redirect(safe_next(to))
        cookies.set_session(self.request, response, session.token or "")
        cookies.drop(self.request, response, names.VISITOR)
        return response

    def url(self, **changed: Any) -> str:
        """This page with other filters; None takes a filter away, and another filter goes back to the first page."""
        query: dict[str, Any] = dict(self.query)
        if "offset" not in changed:
            query.pop("offset", None)
        query |= changed
        return url_of(self.request.url.path, **query)


def url_of(path: str, **query: Any) -> str:
    """A path with a query; values that are None or empty are left out."""
    given = {name: value for name, value in query.items() if value is not None and value != ""}
    return f"{path}?{urlencode(given)}" if given else path


def safe_next(to: str | None) -> str:
    """Where to go after the sign-in: a page of this site, else the first one."""
    if not to or not to.startswith("/") or to.startswith("//") or "\\" in to or not (to.isascii() and to.isprintable()):
        return HOME
    parts = urlsplit(to)
    return HOME if parts.scheme or parts.netloc or parts.path.startswith("/sign-") else to


def _given(values: Mapping[str, Any] | None) -> dict[str, Any]:
    return {name: value for name, value in (values or {}).items() if value is not None}


def _spelt(values: Mapping[str, Any] | None) -> dict[str, str]:
    """A query as a URL would carry it."""
    return {
        name: str(value).lower() if value is True or value is False else str(value)
        for name, value in _given(values).items()
    }
