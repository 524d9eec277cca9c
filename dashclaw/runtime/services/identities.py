"""Identities: which public key an agent signs with. A key is never replaced in silence."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from ..inputs import Flag, Input, Page, Short
from ..operations import Invocation, Operation
from ..problems import conflict, invalid
from ..public_keys import PublicKey, read_public_key
from ..store import pairing as rows
from .loops import answer_with_warnings, paging

if TYPE_CHECKING:
    from ..store.engine import Tx

Algorithm = Literal["RSASSA-PKCS1-v1_5", "Ed25519"]
Pem = Annotated[str, Field(max_length=8192)]
AgentId = Annotated[Short, Field(min_length=1)]
_HIDDEN = frozenset({"public_key", "metadata"})


class IdentityInput(Input):
    """A public key for an agent; `replace` says that another key of the agent is given up for it."""

    agent_id: AgentId
    public_key: Pem
    algorithm: Algorithm = "RSASSA-PKCS1-v1_5"
    replace: Flag = False


class IdentityPage(Page):
    """Filters of the list of identities; `include_replaced` adds the keys that agents had before."""

    cap: ClassVar[int] = 1000
    default: ClassVar[int] = 200

    agent_id: Short | None = None
    include_replaced: Flag = False


def read_key(text: str, algorithm: str) -> PublicKey:
    """Read a key; raises `Problem` 400."""
    try:
        return read_public_key(text, algorithm)
    except ValueError as error:
        raise invalid("public_key", str(error)) from None


def bind(tx: Tx, call: Invocation, agent_id: str, values: Mapping[str, Any], *, replace: bool) -> dict[str, Any]:
    """Give an agent a key; the same key again changes nothing.

    `values` has `algorithm`, `public_key`, `fingerprint` and may have `pairing_id` and `metadata`. Raises `Problem`
    409 when the agent has another key and `replace` is false.
    """
    before = rows.in_force(tx, call.caller.org_id, agent_id)
    if before is not None and before["fingerprint"] == values["fingerprint"]:
        return before
    if before is not None:
        if not replace:
            raise conflict(
                f"The agent {agent_id!r} has the key {before['fingerprint'][:16]}… already: say replace to give it up",
                "IDENTITY_EXISTS",
            )
        gone = {"replaced_at": tx.stamp, "replaced_by": call.caller.actor_id, "updated_at": tx.stamp}
        rows.KEYS.change(tx, call.caller.org_id, before["id"], gone)
    row: dict[str, Any] = {
        "pairing_id": None,
        "metadata": None,
        **values,
        "id": "idn_" + os.urandom(12).hex(),
        "org_id": call.caller.org_id,
        "agent_id": agent_id,
        "created_by": call.caller.actor_id,
        "replaced_at": None,
        "replaced_by": None,
        "created_at": tx.stamp,
        "updated_at": tx.stamp,
    }
    rows.KEYS.add(tx, row)
    data = {**_listed(row), "replaced": None if before is None else _listed(before)}
    tx.emit(
        call.caller, f"identity.{'created' if before is None else 'replaced'}", "identity", row["id"], data, agent_id
    )
    return row


def register(tx: Tx, call: Invocation) -> dict[str, Any]:
    """Register an agent's public key."""
    body: IdentityInput = call.body
    key = read_key(body.public_key, body.algorithm)
    values = {
        "algorithm": body.algorithm,
        "public_key": key.pem,
        "fingerprint": key.fingerprint,
        "metadata": body.unknown or None,
    }
    row = bind(tx, call, body.agent_id, values, replace=body.replace)
    if any((row["metadata"] or {}).get(name) != value for name, value in body.unknown.items()):
        changes = {"metadata": {**(row["metadata"] or {}), **body.unknown}, "updated_at": tx.stamp}
        rows.KEYS.change(tx, call.caller.org_id, row["id"], changes)
        row |= changes
        tx.emit(call.caller, "identity.updated", "identity", row["id"], _listed(row), body.agent_id)
    return answer_with_warnings({"identity": {**row, "metadata": row["metadata"] or {}}}, body)


def listing(tx: Tx, call: Invocation) -> dict[str, Any]:
    """Identities by agent, without the keys themselves."""
    query: IdentityPage = call.query
    found, total = rows.key_page(
        tx, call.caller.org_id, query.agent_id, query.include_replaced, query.size, query.offset
    )
    return {"identities": [_listed(row) for row in found], **paging(tx, query, len(found), total)}


def _listed(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in _HIDDEN}


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
)
