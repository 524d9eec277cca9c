"""Signing in and out, and how the pages look."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dashclaw.runtime.keys import hash_key
from dashclaw.runtime.problems import Problem
from dashclaw.runtime.sign_in import has_people

from .. import cookies as names
from ..desk import HOME, safe_next
from ..routes import get, post
from ..sessions import subject_type
from ..strangers import stranger_page

if TYPE_CHECKING:
    from starlette.responses import Response

    from ..desk import Desk


def sign_in_page(desk: Desk) -> Response:
    """The form of sign-in; who is signed in already goes on."""
    if desk.session is not None:
        return desk.redirect(safe_next(desk.query.get("next")))
    return show_sign_in(desk)


def show_sign_in(desk: Desk, problem: Problem | None = None) -> Response:
    """The ways to sign in, with what was wrong with the last attempt."""
    to = safe_next(desk.form.get("next") or desk.query.get("next"))
    values = {"next": to, "people": has_people(desk.site.runtime.store), "email": desk.form.get("email", "")}
    return stranger_page(desk, "sign_in.html", problem, **values)


def sign_in_by_key(desk: Desk) -> Response:
    """Begin a session for an API key."""
    raw = desk.form.get("key", "").strip()
    address = desk.origin.address or ""
    try:
        desk.site.attempts.check(address)
        caller = desk.site.entrance.by_key(raw)
    except Problem as problem:
        if problem.status == 401:
            desk.site.attempts.failed(address)
            problem = Problem(422, problem.code, "This is no API key of this server, or it was revoked")
        return show_sign_in(desk, problem)
    desk.site.attempts.succeeded(address)
    check = hash_key(raw) if subject_type(caller) == "environment" else None
    return desk.sign_in(caller, desk.form.get("next"), check=check)


def sign_out(desk: Desk) -> Response:
    """End the session and forget its cookie."""
    if desk.session is not None:
        desk.site.sessions.end(desk.session)
    desk.session = None
    response = desk.redirect("/sign-in", notice="You are signed out.")
    desk.site.cookies.drop(desk.request, response, names.SESSION)
    return response


def choose_theme(desk: Desk) -> Response:
    """Remember light, dark, or what the system says."""
    response = desk.redirect(safe_next(desk.form.get("next")) or HOME)
    names.set_theme(desk.request, response, desk.form.get("theme", ""))
    return response


def session_state(desk: Desk) -> Response:
    """204 while the session lives; a stranger is sent to the sign-in as everywhere."""
    return desk.nothing()


def waiting(desk: Desk) -> Response:
    """How many actions wait for a person, as a number."""
    return desk.text(str(desk.waiting))


PAGES = (
    get("/sign-in", sign_in_page, public=True),
    post("/sign-in", sign_in_by_key, public=True),
    post("/sign-out", sign_out),
    post("/theme", choose_theme, public=True),
    get("/session", session_state),
    get("/waiting", waiting),
)
