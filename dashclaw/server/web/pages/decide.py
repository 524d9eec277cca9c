"""Signed links: opening one only shows what is asked, a click on the page decides, once.

These pages need no session and pass the address of nothing on, since theirs is the right to decide.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dashclaw.runtime.decision_links import check_seen, decide_by_link, holder, opened
from dashclaw.runtime.problems import Problem

from ..headers import PRIVATE
from ..request_view import request_of
from ..routes import get, post
from ..strangers import stranger_page
from .approvals import DONE, risk_parts, stops, who

if TYPE_CHECKING:
    from starlette.responses import Response

    from ..desk import Desk

_TITLES = {
    "LINK_INVALID": "No such link",
    "LINK_EXPIRED": "This link has expired",
    "LINK_USED": "This link has been used",
    "ACTION_CHANGED": "The request has changed",
    "NOT_PENDING": "It has been decided",
    "APPROVAL_EXPIRED": "Nobody decided in time",
}


def show(desk: Desk) -> Response:
    """What is asked, with a form; whatever asks for this page, nothing changes."""
    try:
        return _shown(desk, desk.path["token"], None)
    except Problem as problem:
        return _refused(desk, problem)


def decide(desk: Desk) -> Response:
    """Decide, and use the link up."""
    token, decision = desk.form.get("token", ""), desk.form.get("decision", "")
    reason = desk.form.get("reason", "").strip()
    try:
        if decision not in DONE or (decision == "deny" and not reason):
            text = "Say why: the agent gets the reason, and the record keeps it"
            return _shown(desk, token, Problem(422, "REASON_REQUIRED", text))
        caller, action = decide_by_link(desk.site.runtime, token, decision, reason or None, desk.origin)
    except Problem as problem:
        return _refused(desk, problem)
    return _page(desk, "decide/done.html", action=action, word=DONE[decision], name=caller.operator)


def _shown(desk: Desk, token: str, problem: Problem | None) -> Response:
    link = opened(desk.site.runtime, token)
    with desk.site.runtime.store.read() as tx:
        caller = holder(tx, link, desk.origin)
    found = desk.site.execute(caller, "get_approval", {"action_id": link["action_id"]}, {}, {}, idempotency_key=None)
    check_seen(link, found["action"])
    return _page(
        desk,
        "decide/show.html",
        problem=problem,
        token=token,
        found=found,
        link=link,
        name=caller.operator,
        request_of=request_of,
        risk_parts=risk_parts,
        stops=stops,
        who=who,
    )


def _refused(desk: Desk, problem: Problem) -> Response:
    title = _TITLES.get(problem.code, "That was refused")
    return _page(desk, "decide/refused.html", problem=problem, title=title)


def _page(desk: Desk, template: str, problem: Problem | None = None, **values: Any) -> Response:
    """A page that looks alike whoever is signed in: the link speaks for its own person."""
    desk.request.scope["dashclaw.hardening"] = PRIVATE
    return stranger_page(desk, template, problem, session=None, **values)


PAGES = (
    get("/decide/{token}", show, public=True),
    post("/decide", decide, public=True),
)
