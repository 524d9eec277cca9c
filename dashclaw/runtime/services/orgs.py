"""Organisations, their settings and their API keys."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field, StringConstraints

from ..approvers import checked_roles
from ..guard import MAX_APPROVER_ROLES
from ..inputs import Flag, Input, Name, Page, Short
from ..keys import key_check, new_key
from ..operations import Invocation, Operation
from ..problems import Problem, check_unchanged, conflict, not_found
from ..store import orgs as rows
from .guard import WaitSeconds
from .loops import answer_with_warnings, paging

if TYPE_CHECKING:
    from ..store.engine import Tx

_SHOWN = ("id", "name", "slug", "plan", "created_at", "updated_at")
_SETTINGS = ("kill_switch", "self_approval", "guard_degradation", "approval_seconds", "signatures", "signature_form")
NonEmpty = Annotated[Name, Field(min_length=1)]


class OrgInput(Input):
    """A new organisation."""

    name: NonEmpty
    slug: Annotated[str, StringConstraints(pattern=r"^[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?$")]


class OrgChange(Input):
    """What of an organisation can change.

    `if_updated_at` is the `updated_at` that was seen: a change of anything newer is refused.
    """

    name: NonEmpty | None = None
    kill_switch: Flag | None = None
    self_approval: Flag | None = None
    guard_degradation: Literal["warn", "require_approval", "block"] | None = None
    approval_seconds: WaitSeconds | None = None
    signatures: Literal["off", "optional", "required"] | None = None
    signature_form: Literal["compatible", "strict"] | None = None
    if_updated_at: Short | None = None


class KeyInput(Input):
    """A new API key."""

    label: Name | None = None
    role: Literal["admin", "member", "readonly"] = "member"
    operator: NonEmpty | None = None
    approver_roles: Annotated[list[str], Field(max_length=MAX_APPROVER_ROLES)] | None = None


class KeyPage(Page):
    """Which keys to list."""

    cap: ClassVar[int] = 1000
    default: ClassVar[int] = 200


def own(tx: Tx, call: Invocation) -> dict[str, Any]:
    """The caller's organisation, as a list of one."""
    found = _org(tx, call, call.caller.org_id)
    return {"organizations": [{**_wire(found), "active_keys": rows.active_keys(tx, found["id"])}]}


def show(tx: Tx, call: Invocation) -> dict[str, Any]:
    """The caller's organisation by its id."""
    found = _org(tx, call, call.params["org_id"])
    return {"organization": _wire(found), "active_keys": rows.active_keys(tx, found["id"])}


def create(tx: Tx, call: Invocation) -> dict[str, Any]:
    """Add an organisation with its first admin key; the raw key is in this answer only."""
    body: OrgInput = call.body
    if rows.slug_taken(tx, body.slug):
        raise conflict(f"The slug {body.slug!r} is taken")
    org = rows.insert(tx, "org_" + os.urandom(12).hex(), body.name, body.slug, body.unknown or None)
    raw, key = new_key(tx, call.caller._replace(org_id=org["id"]), "admin", "first key")
    tx.emit(call.caller, "org.created", "organization", org["id"], _wire(org))
    return answer_with_warnings({"organization": _wire(org), "api_key": _secret(raw, key)}, body)


def change(tx: Tx, call: Invocation) -> dict[str, Any]:
    """Rename the organisation or change its settings, which take effect at once everywhere."""
    found = _org(tx, call, call.params["org_id"])
    given = call.body.given()
    check_unchanged(found, given.pop("if_updated_at", None), "organisation")
    settings = {name: value for name, value in given.items() if name in _SETTINGS}
    if not given:
        raise Problem(400, "VALIDATION_FAILED", "Nothing to change: give name or a setting", details=list(_SETTINGS))
    values = {
        "name": given.get("name", found["name"]),
        "settings": {**found["settings"], **settings},
        "metadata": {**(found["metadata"] or {}), **call.body.unknown} or None,
    }
    rows.change(tx, found["id"], values)
    if settings:
        rows.bump_policies(tx, found["id"])
    after = _wire({**found, **values, "updated_at": tx.stamp})
    tx.emit(call.caller, "org.updated", "organization", found["id"], after)
    answer = {"organization": after, "active_keys": rows.active_keys(tx, found["id"])}
    return answer_with_warnings(answer, call.body)


def list_keys(tx: Tx, call: Invocation) -> dict[str, Any]:
    """The keys of the organisation, newest first."""
    org = _org(tx, call, call.params["org_id"])
    found, total = rows.keys(tx, org["id"], call.query.size, call.query.offset)
    return {"keys": [_key(row) for row in found], **paging(tx, call.query, len(found), total)}


def create_key(tx: Tx, call: Invocation) -> dict[str, Any]:
    """Make a key; the raw form is in this answer only."""
    org = _org(tx, call, call.params["org_id"])
    body: KeyInput = call.body
    raw, key = new_key(
        tx,
        call.caller._replace(org_id=org["id"]),
        body.role,
        body.label,
        metadata=body.unknown or None,
        operator=body.operator,
        approver_roles=checked_roles(body.approver_roles or (), body.role),
    )
    return answer_with_warnings({"api_key": _secret(raw, key), "key": key}, call.body)


def revoke_key(tx: Tx, call: Invocation) -> dict[str, Any]:
    """Revoke a key, at once; the last admin key stays."""
    org = _org(tx, call, call.params["org_id"])
    key_id = call.params["key_id"]
    found = rows.find_key(tx, org["id"], key_id)
    if found is None:
        raise not_found("key", key_id)
    key = _key(found)
    if key["revoked_at"] is None:
        if key["role"] == "admin" and rows.active_keys(tx, org["id"], "admin") == 1:
            raise conflict("This is the last admin key; create another one first", "LAST_ADMIN_KEY")
        rows.set_key(tx, key_id, {"revoked_at": tx.stamp})
        key = {**key, "revoked_at": tx.stamp}
        told = {**key, "check": key_check(key_id, rows.hash_of_key(tx, org["id"], key_id))}
        tx.emit(call.caller, "key.revoked", "api_key", key_id, told)
    return {"success": True, "key": key}


def _org(tx: Tx, call: Invocation, org_id: str) -> dict[str, Any]:
    found = rows.find(tx, org_id) if org_id == call.caller.org_id else None
    if found is None:
        raise not_found("organisation", org_id)
    return found


def _wire(row: dict[str, Any]) -> dict[str, Any]:
    return {**{name: row[name] for name in _SHOWN}, "settings": row["settings"], "metadata": row["metadata"] or {}}


def _key(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "approver_roles": row["approver_roles"] or [], "metadata": row["metadata"] or {}}


def _secret(raw: str, key: dict[str, Any]) -> dict[str, Any]:
    return {**key, "key": raw, "prefix": key["key_prefix"], "warning": "Store this key now: it is not shown again"}


OPERATIONS = (
    Operation("get_org", "GET", "/api/orgs", own, "Show the organisation", "orgs", role="admin"),
    Operation(
        "create_org",
        "POST",
        "/api/orgs",
        create,
        "Add an organisation",
        "orgs",
        body=OrgInput,
        status=201,
        role="admin",
        keeps_answer=False,
    ),
    Operation("get_org_by_id", "GET", "/api/orgs/{org_id}", show, "Show an organisation", "orgs", role="admin"),
    Operation(
        "update_org",
        "PATCH",
        "/api/orgs/{org_id}",
        change,
        "Change an organisation",
        "orgs",
        body=OrgChange,
        role="admin",
    ),
    Operation(
        "get_org_keys",
        "GET",
        "/api/orgs/{org_id}/keys",
        list_keys,
        "List API keys",
        "orgs",
        query=KeyPage,
        role="admin",
    ),
    Operation(
        "create_key",
        "POST",
        "/api/orgs/{org_id}/keys",
        create_key,
        "Make an API key",
        "orgs",
        body=KeyInput,
        status=201,
        role="admin",
        keeps_answer=False,
    ),
    Operation(
        "revoke_key",
        "DELETE",
        "/api/orgs/{org_id}/keys/{key_id}",
        revoke_key,
        "Revoke an API key",
        "orgs",
        role="admin",
    ),
)
