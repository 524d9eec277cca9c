"""Signing in through an OpenID provider: the way there and the way back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dashclaw.runtime.problems import Problem
from dashclaw.runtime.provisioning import by_subject

from ..address import site_url
from ..desk import safe_next
from ..routes import get
from .signing import show_sign_in

if TYPE_CHECKING:
    from starlette.responses import Response

    from ..desk import Desk

BACK = "/sign-in/provider/back"


def leave(desk: Desk) -> Response:
    """Send the browser to the provider, and remember in a cookie what has to come back."""
    if desk.site.provider is None:
        raise Problem(404, "NO_PAGE", "No provider is set up for the sign-in here")
    try:
        url, way = desk.site.provider.depart(site_url(desk) + BACK)
    except Problem as problem:
        return show_sign_in(desk, problem)
    response = desk.redirect(url)
    desk.site.cookies.set_way(desk.request, response, [*way, safe_next(desk.query.get("next"))])
    return response


def come_back(desk: Desk) -> Response:
    """Sign in whom the provider names; the cookie is used up, whatever came of it."""
    from ...oidc import Departure

    provider = desk.site.provider
    if provider is None:
        raise Problem(404, "NO_PAGE", "No provider is set up for the sign-in here")
    try:
        kept = desk.site.cookies.way(desk.request)
        if kept is None:
            raise Problem(403, "SIGN_IN_REFUSED", "You were not signed in: this took too long, or began elsewhere")
        state, nonce, verifier, to = kept
        who = provider.arrive(desk.query, Departure(state, nonce, verifier), site_url(desk) + BACK)
        settings = provider.settings
        store = desk.site.runtime.store
        caller = by_subject(store, who, org_id=settings.org_id, domains=settings.domains, usual_role=settings.role)
    except Problem as problem:
        response = show_sign_in(desk, problem)
    else:
        response = desk.sign_in(caller, to)
    desk.site.cookies.drop_way(desk.request, response)
    return response


PAGES = (
    # No form: browsers hold a form to this site even when it is redirected.
    get("/sign-in/provider", leave, public=True),
    get(BACK, come_back, public=True),
)
