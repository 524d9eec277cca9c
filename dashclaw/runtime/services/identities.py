"""Identities: which public keys an agent signs with, and when. A key is never replaced in silence, nor deleted."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from ..inputs import Flag, Goal, Input, Page, Short, normal_time
from ..operations import Invocation, Operation
from ..problems import conflict, invalid, not_found
from ..public_keys import PublicKey, read_public_key, validity
from ..redaction import redact_fields
from ..store import pairing as rows
from .loops import answer_with_warnings, paging

if TYPE_CHECKING:
    from ..store.engine import Tx

Algorithm = Literal["RSASSA-PKCS1-v1_5", "Ed25519"]
Pem = Annotated[str, Field(max_length=8192)]
AgentId = Annotated[Short, Field(min_length=1)]
_HIDDEN = frozenset({"public_key", "metadata"})
_UNSET = (
    "pairing_id",
    "metadata",
    "not_before",
    "not_after",
    "replaced_at",
    "replaced_by",
    "revoked_at",
    "revoked_by",
    "revoke_reason",
)
Moment = Annotated[str, Field(min_length=1, max_length=64)]


class Replacement(Input):
    """`replace` says that another key of the agent is given up; it signs until `old_valid_until`, or no longer."""

    replace: Flag = False
    old_valid_until: Moment | None = None


class IdentityInput(Replacement):
    """A public key for an agent, valid from `not_before` until `not_after` where they are given (ISO-8601)."""

    agent_id: AgentId
    public_key: Pem
    algorithm: Algorithm = "RSASSA-PKCS1-v1_5"
    not_before: Moment | None = None
    not_after: Moment | None = None


class IdentityPage(Page):
    """Filters of the list of identities; `include_replaced` adds the keys that agents had before, revoked ones too."""

    cap: ClassVar[int] = 1000
    default: ClassVar[int] = 200

    agent_id: Short | None = None
    include_replaced: Flag = False


class Revocation(Input):
    """Why a key is revoked."""

    reason: Goal | None = None


def read_key(text: str, algorithm: str) -> PublicKey:
    """Read a key; raises `Problem` 400."""
    try:
        return read_public_key(text, algorithm)
    except ValueError as error:
        raise invalid("public_key", str(error)) from None


def bind(tx: Tx, call: Invocation, agent_id: str, values: Mapping[str, Any], how: Replacement) -> dict[str, Any]:
    """Give an agent a key; the same key again changes nothing.

    `values` has `algorithm`, `public_key`, `fingerprint` and may have `pairing_id`, `metadata` and the validity. Raises
    `Problem` 409 when the agent has another key and `how` does not say replace, or when the key was revoked.
    """
    before = rows.in_force(tx, call.caller.org_id, agent_id)
    if before is not None and before["fingerprint"] == values["fingerprint"]:
        _same_validity(before, values)
        return before
    if rows.was_revoked(tx, call.caller.org_id, values["fingerprint"]):
        raise conflict("This key was revoked and cannot be trusted again: make another one", "KEY_REVOKED")
    if before is not None:
        _give_up(tx, call, before, values, how)
    row: dict[str, Any] = {
        **dict.fromkeys(_UNSET),
        **values,
        "id": "idn_" + os.urandom(12).hex(),
        "org_id": call.caller.org_id,
        "agent_id": agent_id,
        "created_by": call.caller.actor_id,
        "created_at": tx.stamp,
        "updated_at": tx.stamp,
    }
    rows.KEYS.add(tx, row)
    after = None if before is None else rows.KEYS.find(tx, call.caller.org_id, before["id"])
    data = {**_told(row), "replaced": None if after is None else _told(after)}
    what = "created" if after is None else "replaced"
    tx.emit(call.caller, f"identity.{what}", "identity", row["id"], data, agent_id)
    return row


def _same_validity(before: Mapping[str, Any], values: Mapping[str, Any]) -> None:
    wanted = {name: values.get(name) for name in ("not_before", "not_after")}
    if any(value is not None and value != before[name] for name, value in wanted.items()):
        raise conflict("The agent has this key already, with another validity", "IDENTITY_EXISTS")


def _give_up(tx: Tx, call: Invocation, before: Mapping[str, Any], values: Mapping[str, Any], how: Replacement) -> None:
    """End the key that an agent has, at once, when the next one begins, or when the operator says."""
    if not how.replace:
        raise conflict(
            f"The agent {before['agent_id']!r} has the key {before['fingerprint'][:16]}… already:"
            " say replace to give it up",
            "IDENTITY_EXISTS",
        )
    until = normal_time("old_valid_until", how.old_valid_until)
    if until is not None and until <= tx.stamp:
        raise invalid("old_valid_until", "must lie in the future; leave it out to end the old key now")
    end = until or max(tx.stamp, values.get("not_before") or "")
    changes = {
        "not_after": min(end, before["not_after"] or end),
        "replaced_at": tx.stamp,
        "replaced_by": call.caller.actor_id,
        "updated_at": tx.stamp,
    }
    rows.KEYS.change(tx, call.caller.org_id, before["id"], changes)
    tx.emit(call.caller, "identity.updated", "identity", before["id"], _told({**before, **changes}), before["agent_id"])


def register(tx: Tx, call: Invocation) -> dict[str, Any]:
    """Register an agent's public key."""
    body: IdentityInput = call.body
    key = read_key(body.public_key, body.algorithm)
    values = {
        "algorithm": body.algorithm,
        "public_key": key.pem,
        "fingerprint": key.fingerprint,
        "metadata": body.unknown or None,
        **_period(tx, body),
    }
    row = bind(tx, call, body.agent_id, values, body)
    if any((row["metadata"] or {}).get(name) != value for name, value in body.unknown.items()):
        changes = {"metadata": {**(row["metadata"] or {}), **body.unknown}, "updated_at": tx.stamp}
        rows.KEYS.change(tx, call.caller.org_id, row["id"], changes)
        row |= changes
        tx.emit(call.caller, "identity.updated", "identity", row["id"], _told(row), body.agent_id)
    return answer_with_warnings({"identity": wire(tx, row)}, body)


def _period(tx: Tx, body: IdentityInput) -> dict[str, str | None]:
    begin, end = normal_time("not_before", body.not_before), normal_time("not_after", body.not_after)
    if end is not None and end <= max(tx.stamp, begin or ""):
        raise invalid("not_after", "must lie in the future and after not_before")
    return {"not_before": begin, "not_after": end}


def listing(tx: Tx, call: Invocation) -> dict[str, Any]:
    """Identities by agent, without the keys themselves."""
    query: IdentityPage = call.query
    found, total = rows.key_page(
        tx, call.caller.org_id, query.agent_id, query.include_replaced, query.size, query.offset
    )
    return {"identities": [_listed(tx, row) for row in found], **paging(tx, query, len(found), total)}


def show(tx: Tx, call: Invocation) -> dict[str, Any]:
    """One key, with the key itself."""
    return {"identity": wire(tx, _found(tx, call))}


def revoke(tx: Tx, call: Invocation) -> dict[str, Any]:
    """Let a key verify nothing from now on; revoking it again changes nothing."""
    row = _found(tx, call)
    given, security = redact_fields({"reason": call.body.reason}, ("reason",))
    if row["revoked_at"] is None:
        changes = {
            "revoked_at": tx.stamp,
            "revoked_by": call.caller.actor_id,
            "revoke_reason": given["reason"],
            "metadata": {**(row["metadata"] or {}), **call.body.unknown} or None,
            "updated_at": tx.stamp,
        }
        rows.KEYS.change(tx, call.caller.org_id, row["id"], changes)
        row |= changes
        tx.emit(call.caller, "identity.revoked", "identity", row["id"], _told(row), row["agent_id"])
    return answer_with_warnings({"identity": wire(tx, row), "security": security}, call.body)


def wire(tx: Tx, row: Mapping[str, Any]) -> dict[str, Any]:
    """A key as it is answered: `status` says whether it may sign at this moment, and why not."""
    return {**row, "metadata": row["metadata"] or {}, "status": validity(row, tx.stamp)}


def _listed(tx: Tx, row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in wire(tx, row).items() if name not in _HIDDEN}


def _told(row: Mapping[str, Any]) -> dict[str, Any]:
    """What the log keeps: the key itself too, so that who has only the log can check a signature."""
    return {name: value for name, value in row.items() if name != "metadata"}


def _found(tx: Tx, call: Invocation) -> dict[str, Any]:
    row = rows.KEYS.find(tx, call.caller.org_id, call.params["identity_id"])
    if row is None:
        raise not_found("identity", call.params["identity_id"])
    return row


OPERATIONS = (
    Operation(
        "register_identity",
        "POST",
        "/api/identities",
        register,
        "Register an agent's public key",
        "identities",
        body=IdentityInput,
        role="admin",
        signing="offered",
    ),
    Operation(
        "get_identities",
        "GET",
        "/api/identities",
        listing,
        "List identities",
        "identities",
        query=IdentityPage,
        role="readonly",
    ),
    Operation(
        "get_identity",
        "GET",
        "/api/identities/{identity_id}",
        show,
        "Show an agent's key",
        "identities",
        role="readonly",
    ),
    Operation(
        "revoke_identity",
        "POST",
        "/api/identities/{identity_id}/revoke",
        revoke,
        "Revoke an agent's key",
        "identities",
        body=Revocation,
        role="admin",
    ),
)
