"""The dashboard as a part of the application: which requests are its own, and what each of them passes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote, urlsplit

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import Response

from dashclaw.runtime.body import is_text
from dashclaw.runtime.problems import Problem
from dashclaw.runtime.site_secret import site_secret

from ..auth import SAFE
from ..chat import PREFIX as CHATS
from . import cookies as names
from . import csrf
from .attempts import Attempts
from .cookies import Cookies
from .desk import Desk, safe_next, url_of
from .files import PREFIX, Files
from .headers import FILE, PAGE
from .live import Live
from .navigation import Navigation
from .password_attempts import PasswordAttempts
from .providing import provider_of
from .rendering import Rendering
from .routes import Page, Table, every_page
from .sessions import Sessions
from .trouble import trouble

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from dashclaw.runtime.identity import Caller
    from dashclaw.runtime.runtime import Runtime

    from ..auth import Entrance
    from ..latency import Latency
    from ..settings import ServerSettings
    from ..stream import Broadcast
    from .bundles import Bundles
    from .jobs import Jobs
    from .sessions import Session

T = TypeVar("T")

# Pages wait for each other before they keep the API's threads busy.
_THREADS = 8
_NOT_OURS = ("/api", CHATS, "//", "/docs", "/openapi.json")
SIGN_IN = "/sign-in"
LIVE = "/live"


class Site:
    """Pure ASGI between the operations and the framework's routes; what is no page is passed on."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        runtime: Runtime,
        entrance: Entrance,
        broadcast: Broadcast,
        settings: ServerSettings,
        latency: Latency,
        jobs: Jobs,
        bundles: Bundles,
    ) -> None:
        self._app = app
        self.runtime = runtime
        self.entrance = entrance
        self.settings = settings
        self.latency = latency
        self.jobs = jobs
        self.bundles = bundles
        self.files = Files()
        secret = site_secret(runtime)
        self.cookies = Cookies(secret)
        self.sessions = Sessions(runtime, entrance)
        self.attempts = Attempts()
        self.passwords = PasswordAttempts()
        self.provider = provider_of(settings)
        self._tokens = csrf.Tokens(secret)
        self._hosts = (urlsplit(settings.public_url).netloc.lower(),) if settings.public_url else ()
        self._operations = {operation.name: operation for operation in runtime.registry.operations}
        pages = every_page()
        self.navigation = Navigation(Table(pages))
        self._table = Table([*pages])
        self.rendering = Rendering(self)
        self._live = Live(broadcast, self.sessions, settings)
        self._limiter: anyio.CapacityLimiter | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(_NOT_OURS):
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        if scope["path"].startswith(PREFIX):
            response = self._file(scope, request)
        elif not _wants_page(request):
            await self._app(scope, receive, send)
            return
        else:
            scope["dashclaw.hardening"] = PAGE
            response = await self._page(request)
        await response(scope, receive, send)

    def _file(self, scope: Scope, request: Request) -> Response:
        found = self.files.answer(scope["path"], request.headers.get("accept-encoding", ""))
        if found is None or scope["method"] not in SAFE:
            return Response("There is no such file", 404, None, "text/plain; charset=utf-8")
        scope["dashclaw.hardening"] = FILE
        return found

    async def _page(self, request: Request) -> Response:
        verb, path = request.method, request.scope["path"]
        try:
            if path == LIVE and verb in SAFE:
                return await self._live.stream(request, await self._thread(self._session, request, False))
            form = await _fields(request) if verb not in SAFE else {}
        except Problem as problem:
            return Response(problem.message, problem.status, problem.headers, "text/plain; charset=utf-8")
        return await self._thread(self._answer, request, verb, path, form)

    async def _thread(self, work: Callable[..., T], *arguments: Any) -> T:
        if self._limiter is None:
            self._limiter = anyio.CapacityLimiter(_THREADS)
        return await anyio.to_thread.run_sync(partial(work, *arguments), limiter=self._limiter)

    def _answer(self, request: Request, verb: str, path: str, form: Mapping[str, str]) -> Response:
        desk = Desk(self, request, None, {}, form)
        try:
            desk.session = self._session(request, True)
            response = self._handle(desk, verb, path)
        except Exception as error:  # noqa: BLE001 - told to the operator, and logged
            response = trouble(desk, error)
        if desk.session is not None and desk.session.token is not None:
            self.cookies.set_session(request, response, desk.session.token)
        if response.status_code == 200 and not desk.from_htmx and self.cookies.notice(request) is not None:
            self.cookies.drop(request, response, names.NOTICE)
        return response

    def _session(self, request: Request, renew: bool) -> Session | None:
        token = self.cookies.session(request)
        return None if token is None else self.sessions.resume(token, renew=renew)

    def _handle(self, desk: Desk, verb: str, path: str) -> Response:
        found = self._table.match(verb, path)
        if found is None:
            raise Problem(404, "NO_PAGE", "There is no page here")
        page, desk.path = found
        if desk.session is None and not page.public:
            return _to_sign_in(desk)
        if verb not in SAFE:
            self._check_form(desk, page)
        return page.handler(desk)

    def _check_form(self, desk: Desk, page: Page) -> None:
        csrf.check_origin(desk.request, self._hosts)
        bound_to = self._bound_to(desk)
        if bound_to is None:
            raise Problem(403, "FORM_REFUSED", f"This browser sent no cookie with the form for {page.path}")
        self._tokens.check(bound_to, desk.request.headers.get(csrf.HEADER) or desk.form.get(csrf.FIELD, ""))

    def _bound_to(self, desk: Desk) -> str | None:
        return desk.session.id if desk.session is not None else self.cookies.visitor(desk.request)

    def form_token(self, desk: Desk) -> str:
        """The token for the forms of a page; empty for a stranger."""
        bound_to = self._bound_to(desk)
        return "" if bound_to is None else self._tokens.issue(bound_to)

    def visitor_token(self, visitor: str) -> str:
        """The token for the form of sign-in."""
        return self._tokens.issue(visitor)

    def execute(
        self,
        caller: Caller,
        name: str,
        params: Mapping[str, str],
        query: Mapping[str, Any],
        body: dict[str, Any],
        *,
        idempotency_key: str | None,
    ) -> Any:
        """Run an operation by its name; raises `Problem`, also for a refusal that comes as an answer."""
        operation = self._operations[name]
        if operation.writes and caller.role == "readonly":
            raise Problem(403, "READONLY", "You may only look: ask for the role member or admin to change things")
        answer = self.runtime.execute(
            operation, caller, params=params, query=query, body=body, idempotency_key=idempotency_key
        )
        if name == "revoke_key":
            self.entrance.forget()
        status = answer.status or 200
        if status >= 400:
            raise Problem(status, answer.body["code"], answer.body["error"])
        return answer.body


def _wants_page(request: Request) -> bool:
    """Whether a browser asks; a client that asks for JSON gets what it got before there were pages."""
    accepted = request.headers.get("accept", "*/*")
    return "json" not in accepted or "text/html" in accepted


async def _fields(request: Request) -> dict[str, str]:
    """The text fields of a form; where a name came several times, with a comma between the values.

    Raises `Problem` 400 for what is no text that both databases can hold.
    """
    kind = request.headers.get("content-type", "")
    if not kind.startswith(("application/x-www-form-urlencoded", "multipart/form-data")):
        return {}
    fields: dict[str, str] = {}
    async with request.form(max_files=0) as form:
        for name, value in form.multi_items():
            if isinstance(value, str):
                if not is_text(name + value):
                    raise Problem(400, "NO_TEXT", "The form holds a NUL or half a surrogate pair, which is not text")
                fields[name] = f"{fields[name]},{value}" if name in fields else value
    return fields


def _to_sign_in(desk: Desk) -> Response:
    """Ask to sign in, and come back to the page that is shown."""
    if desk.from_htmx:
        shown = urlsplit(desk.request.headers.get("hx-current-url", ""))
        to = safe_next(f"{shown.path}?{shown.query}" if shown.query else shown.path)
        return Response(status_code=401, headers={"HX-Redirect": url_of(SIGN_IN, next=to)})
    if desk.request.method not in SAFE:
        return desk.redirect(SIGN_IN)
    raw, query = desk.request.scope["path"], desk.request.url.query
    to = f"{raw}?{query}" if query else raw
    return desk.redirect(SIGN_IN if to == "/" else f"{SIGN_IN}?next={quote(to, safe='')}")
