"""The people of an organisation, who sign in to the dashboard."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field, StringConstraints

from ..approvers import checked_roles, folded
from ..guard import MAX_APPROVER_ROLES
from ..inputs import Flag, Input, Name, Page, Short
from ..operations import Invocation, Operation
from ..people import add, end_sessions, new_code, wire
from ..people import change as changed
from ..problems import Problem, check_unchanged, conflict, not_found
from ..store import people as rows
from .loops import answer_with_warnings, paging

if TYPE_CHECKING:
    from ..store.engine import Tx

INVITATION_PATH = "/invitation"
Email = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=3, max_length=254, pattern=r"^[!-?A-~]+@[!-?A-~]+$")
]
Roles = Annotated[list[str], Field(max_length=MAX_APPROVER_ROLES)]


class PersonInput(Input):
    """A new person."""

    email: Email
    name: Name | None = None
    role: Literal["admin", "member", "readonly"] = "member"
    approver_roles: Roles | None = None


class PersonChange(Input):
    """What of a person can change; who has another e-mail address is another person.

    `if_updated_at` is the `updated_at` that was seen: a change of anything newer is refused.
    """

    name: Name | None = None
    role: Literal["admin", "member", "readonly"] | None = None
    approver_roles: Roles | None = None
    if_updated_at: Short | None = None


class PeoplePage(Page):
    """Which people to list."""

    cap: ClassVar[int] = 1000
    default: ClassVar[int] = 200

    email: Name | None = None
    disabled: Flag | None = None


def listing(tx: Tx, call: Invocation) -> dict[str, Any]:
    """The people of the organisation by e-mail address."""
    query: PeoplePage = call.query
    email = None if query.email is None else folded(query.email)
    found, total = rows.page(tx, call.caller.org_id, email, query.disabled, query.size, query.offset)
    return {"people": [wire(row, tx.stamp) for row in found], **paging(tx, query, len(found), total)}


def show(tx: Tx, call: Invocation) -> dict[str, Any]:
    """One person."""
    return {"person": wire(_person(tx, call), tx.stamp)}


def own(tx: Tx, call: Invocation) -> dict[str, Any]:
    """Who the caller is; `person` is null for a key."""
    caller = call.caller
    row = rows.PEOPLE.find(tx, caller.org_id, caller.actor_id) if caller.actor_type == "user" else None
    shown = {
        "actor_type": caller.actor_type,
        "actor_id": caller.actor_id,
        "role": caller.role,
        "label": caller.label,
        "operator": caller.operator,
        "approver_roles": list(caller.approver_roles),
        "org_id": caller.org_id,
    }
    return {"caller": shown, "person": None if row is None else wire(row, tx.stamp)}


def create(tx: Tx, call: Invocation) -> dict[str, Any]:
    """Add a person; the code with which the person sets a password is in this answer only."""
    body: PersonInput = call.body
    roles = checked_roles(body.approver_roles or (), body.role)
    if rows.by_email(tx, folded(body.email)) is not None:
        raise conflict(f"Somebody with the e-mail address {body.email} is there already", "EMAIL_TAKEN")
    code, invitation = new_code(tx.now)
    row = add(
        tx,
        call.caller,
        org_id=call.caller.org_id,
        email=body.email,
        name=body.name,
        role=body.role,
        approver_roles=roles,
        metadata=body.unknown or None,
        **invitation,
    )
    return answer_with_warnings(_with_code(tx, row, code), body)


def invite(tx: Tx, call: Invocation) -> dict[str, Any]:
    """Give a person another code, for a first password or a forgotten one; an earlier code ends."""
    row = _person(tx, call)
    if row["disabled_at"] is not None:
        raise conflict("This person is disabled; enable the person first", "PERSON_DISABLED")
    code, invitation = new_code(tx.now)
    return _with_code(tx, changed(tx, call.caller, row, invitation, "invited"), code)


def _with_code(tx: Tx, row: dict[str, Any], code: str) -> dict[str, Any]:
    invitation = {
        "code": code,
        "path": INVITATION_PATH,
        "expires_at": row["invitation_expires_at"],
        "warning": "Give this code to the person now: it is not shown again",
    }
    return {"person": wire(row, tx.stamp), "invitation": invitation}


def change(tx: Tx, call: Invocation) -> dict[str, Any]:
    """Change a person's name or rights; other rights end the sessions of the person."""
    row, body = _person(tx, call), call.body
    values = body.given()
    check_unchanged(row, values.pop("if_updated_at", None), "person")
    if not values:
        fields = ["name", "role", "approver_roles"]
        raise Problem(400, "VALIDATION_FAILED", f"Nothing to change: give {', '.join(fields)}", details=fields)
    role = values.get("role", row["role"])
    if role != row["role"]:
        _check_other(call, "change the role of")
    given = values.get("approver_roles", row["approver_roles"])
    values["approver_roles"] = checked_roles(given, role)
    if any(row[name] != value for name, value in values.items()):
        if any(row[name] != values.get(name, row[name]) for name in ("role", "approver_roles")):
            end_sessions(tx, row)
        row = changed(tx, call.caller, row, values, "profile")
    return answer_with_warnings({"person": wire(row, tx.stamp)}, body)


def disable(tx: Tx, call: Invocation) -> dict[str, Any]:
    """Let a person in no more and end the sessions; `active_keys` are API keys that name the person and go on."""
    row = _person(tx, call)
    _check_other(call, "disable")
    if row["disabled_at"] is None:
        values = {"disabled_at": tx.stamp, "invitation_hash": None, "invitation_expires_at": None}
        row = changed(tx, call.caller, row, values, "disabled", "disabled")
        end_sessions(tx, row)
    keys = [key for key, name in rows.operators(tx, row["org_id"]) if folded(name) == row["email_folded"]]
    return {"person": wire(row, tx.stamp), "active_keys": keys}


def enable(tx: Tx, call: Invocation) -> dict[str, Any]:
    """Let a disabled person in again."""
    row = _person(tx, call)
    if row["disabled_at"] is not None:
        row = changed(tx, call.caller, row, {"disabled_at": None}, "enabled")
    return {"person": wire(row, tx.stamp)}


def _person(tx: Tx, call: Invocation) -> dict[str, Any]:
    found = rows.PEOPLE.find(tx, call.caller.org_id, call.params["person_id"])
    if found is None:
        raise not_found("person", call.params["person_id"])
    return found


def _check_other(call: Invocation, what: str) -> None:
    if call.caller.actor_type == "user" and call.caller.actor_id == call.params["person_id"]:
        raise conflict(f"Nobody can {what} themselves: another administrator has to", "OWN_ACCOUNT")


_ONE = "/api/people/{person_id}"
OPERATIONS = (
    Operation("get_people", "GET", "/api/people", listing, "List people", "people", query=PeoplePage, role="admin"),
    Operation(
        "create_person",
        "POST",
        "/api/people",
        create,
        "Add a person",
        "people",
        body=PersonInput,
        status=201,
        role="admin",
        keeps_answer=False,
    ),
    Operation("get_own_profile", "GET", "/api/people/me", own, "Show who is asking", "people", role="readonly"),
    Operation("get_person", "GET", _ONE, show, "Show a person", "people", role="admin"),
    Operation("update_person", "PATCH", _ONE, change, "Change a person", "people", body=PersonChange, role="admin"),
    Operation(
        "invite_person",
        "POST",
        f"{_ONE}/invitation",
        invite,
        "Give a person a code for a new password",
        "people",
        status=201,
        role="admin",
        keeps_answer=False,
    ),
    Operation("disable_person", "POST", f"{_ONE}/disable", disable, "Disable a person", "people", role="admin"),
    Operation("enable_person", "POST", f"{_ONE}/enable", enable, "Enable a person", "people", role="admin"),
)
