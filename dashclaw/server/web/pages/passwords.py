"""Passwords: signing in with one, choosing the first one, changing one's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dashclaw.runtime import sign_in
from dashclaw.runtime.approvers import folded
from dashclaw.runtime.problems import Problem, invalid

from ..address import network_of
from ..routes import get, post
from ..strangers import stranger_page
from .signing import show_sign_in

if TYPE_CHECKING:
    from starlette.responses import Response

    from dashclaw.runtime.identity import Caller

    from ..desk import Desk

_LONGEST_EMAIL = 254


def by_password(desk: Desk) -> Response:
    """Begin a session for a person; what is wrong is said alike for every e-mail address."""
    email, password = desk.form.get("email", "")[:_LONGEST_EMAIL], desk.form.get("password", "")
    account, network = folded(email), network_of(desk.origin.address)
    device = desk.site.cookies.device(desk.request, account)
    try:
        desk.site.passwords.begin(account, network, device)
        caller = sign_in.by_password(desk.site.runtime.store, email, password)
        if caller is None:
            raise Problem(422, "WRONG_PASSWORD", "The e-mail address or the password is wrong")
    except Problem as problem:
        return show_sign_in(desk, problem)
    desk.site.passwords.succeeded(account, network, device)
    return _come_in(desk, caller, desk.form.get("next"))


def invitation(desk: Desk, problem: Problem | None = None) -> Response:
    """The form in which somebody who has a code chooses a password."""
    return stranger_page(desk, "invitation.html", problem)


def join(desk: Desk) -> Response:
    """Set the password that goes with a code, and sign in."""
    network = network_of(desk.origin.address)
    try:
        password = _twice(desk)
        desk.site.passwords.begin("invitation", network, "invitation " + network)
        caller = sign_in.by_code(desk.site.runtime.store, desk.form.get("code", "").strip(), password)
    except Problem as problem:
        return invitation(desk, problem)
    desk.site.passwords.succeeded("invitation", network, "invitation " + network)
    return _come_in(desk, caller, None)


def account(desk: Desk, problem: Problem | None = None) -> Response:
    """Who is signed in, and how to change the password."""
    found = desk.ask("get_own_profile")
    status = 200 if problem is None else problem.status
    values = {"who": found["caller"], "person": found["person"]}
    return desk.page("account.html", status=status, problem=problem, **values)


def change_password(desk: Desk) -> Response:
    """Change one's own password; every session ends, and another one begins here."""
    caller = desk.caller
    device = f"session of {caller.actor_id}"
    try:
        password = _twice(desk)
        desk.site.passwords.begin(caller.actor_id, "", device)
        current = desk.form.get("current", "")
        caller = sign_in.change_password(desk.site.runtime.store, caller, current, password)
    except Problem as problem:
        return account(desk, problem)
    desk.site.passwords.succeeded(caller.actor_id, "", device)
    response = _come_in(desk, caller, "/account")
    desk.site.cookies.set_notice(desk.request, response, "The password is changed; other sessions of yours have ended.")
    return response


def _twice(desk: Desk) -> str:
    password = desk.form.get("password", "")
    if password != desk.form.get("again", ""):
        raise invalid("again", "is another password than the one above")
    return password


def _come_in(desk: Desk, caller: Caller, to: str | None) -> Response:
    response = desk.sign_in(caller, to)
    desk.site.cookies.set_device(desk.request, response, folded(caller.operator or ""))
    return response


PAGES = (
    post("/sign-in/password", by_password, public=True),
    get("/invitation", invitation, public=True),
    post("/invitation", join, public=True),
    get("/account", account),
    post("/account/password", change_password),
)
