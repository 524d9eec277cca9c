"""People: who may sign in, as what, and the links with which they choose a password."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dashclaw.runtime.problems import Problem

from ..address import site_url
from ..routes import get, post
from .settings import roles_in

if TYPE_CHECKING:
    from starlette.responses import Response

    from ..desk import Desk

_SIZE = 50


def listing(desk: Desk, problem: Problem | None = None) -> Response:
    """Everybody, and a form for somebody new."""
    query = {name: desk.query.get(name) for name in ("offset", "disabled", "email")}
    found = desk.ask("get_people", query={"limit": _SIZE, **query})
    status = 200 if problem is None else problem.status
    return desk.page("settings/people.html", status=status, found=found, problem=problem)


def add(desk: Desk) -> Response:
    """Add somebody and show the link for a password, this once."""
    form = desk.form
    body = {
        "email": form.get("email", "").strip(),
        "name": form.get("name", "").strip() or None,
        "role": form.get("role"),
        "approver_roles": roles_in(form.get("approver_roles", "")),
    }
    try:
        made = desk.ask("create_person", body=body)
    except Problem as problem:
        return listing(desk, problem)
    return _invited(desk, made)


def show(desk: Desk, problem: Problem | None = None) -> Response:
    """One person with what can be changed."""
    person = desk.ask("get_person", params=desk.path)["person"]
    status = 200 if problem is None else problem.status
    return desk.page("settings/person.html", status=status, person=person, problem=problem)


def change(desk: Desk) -> Response:
    """Change the name or the rights of a person."""
    form = desk.form
    body = {
        "name": form.get("name", "").strip() or None,
        "role": form.get("role"),
        "approver_roles": roles_in(form.get("approver_roles", "")),
        "if_updated_at": form.get("updated_at"),
    }
    try:
        found = desk.ask("update_person", params=desk.path, body=body)["person"]
    except Problem as problem:
        return show(desk, problem)
    return desk.redirect(_path(found), notice=f"Saved {found['email']}.")


def invite(desk: Desk) -> Response:
    """Show a link for another password, this once."""
    try:
        made = desk.ask("invite_person", params=desk.path)
    except Problem as problem:
        return show(desk, problem)
    return _invited(desk, made)


def disable(desk: Desk) -> Response:
    """Let a person in no more."""
    try:
        found = desk.ask("disable_person", params=desk.path)
    except Problem as problem:
        return show(desk, problem)
    notice = f"{found['person']['email']} is disabled and signed out everywhere."
    if found["active_keys"]:
        notice += f" API keys that name this person still work: {', '.join(found['active_keys'])}."
    return desk.redirect(_path(found["person"]), notice=notice)


def enable(desk: Desk) -> Response:
    """Let a person in again."""
    found = desk.ask("enable_person", params=desk.path)["person"]
    return desk.redirect(_path(found), notice=f"{found['email']} may sign in again.")


def _path(person: dict[str, Any]) -> str:
    return f"/settings/people/{person['id']}"


def _invited(desk: Desk, made: dict[str, Any]) -> Response:
    invitation = made["invitation"]
    # Behind # it reaches neither a server nor its log.
    link = f"{site_url(desk)}{invitation['path']}#{invitation['code']}"
    return desk.page("settings/invited.html", person=made["person"], invitation=invitation, link=link)


PAGES = (
    get("/settings/people", listing),
    post("/settings/people", add),
    get("/settings/people/{person_id}", show),
    post("/settings/people/{person_id}", change),
    post("/settings/people/{person_id}/invitation", invite),
    post("/settings/people/{person_id}/disable", disable),
    post("/settings/people/{person_id}/enable", enable),
)
