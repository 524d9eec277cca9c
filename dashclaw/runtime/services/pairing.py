"""Pairing: an agent asks for its public key to be trusted, an operator decides within 15 minutes."""

from __future__ import annotations

import hmac
import uuid
from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal

from ..clock import stamp
from ..inputs import Goal, Input, Name, Page, Short
from ..operations import Invocation, Operation
from ..problems import Problem, conflict, invalid, not_found
from ..public_keys import comparison_code
from ..redaction import redact_fields
from ..store import pairing as rows
from .identities import AgentId, Algorithm, Pem, Replacement, bind, read_key, wire
from .loops import answer_with_warnings, paging

if TYPE_CHECKING:
    from ..store.engine import Tx

MINUTES = 15
_KEY = ("algorithm", "public_key", "fingerprint")


class PairingInput(Input):
    """A request to trust a public key."""

    agent_id: AgentId | None = None
    agent_name: Name | None = None
    public_key: Pem
    algorithm: Algorithm = "RSASSA-PKCS1-v1_5"


class PairingApproval(Replacement):
    """An operator's yes; `code` is what the agent shows, compared where it is given."""

    code: Short | None = None
    reason: Goal | None = None


class PairingRefusal(Input):
    """An operator's no."""

    reason: Goal | None = None


class PairingPage(Page):
    """Filters of the list of requests."""

    status: Literal["pending", "approved", "denied", "expired"] | None = None
    agent_id: Short | None = None


def create(tx: Tx, call: Invocation) -> dict[str, Any]:
    """Ask for a key to be trusted; asking again for the same key while it waits gives the same request."""
    body: PairingInput = call.body
    agent_id = body.agent_id or call.caller.agent_id
    if not agent_id:
        raise invalid("agent_id", "is required: name the agent that signs")
    key = read_key(body.public_key, body.algorithm)
    row = rows.open_request(tx, call.caller.org_id, agent_id, key.fingerprint)
    if row is None:
        row = _added(tx, call, agent_id, {"public_key": key.pem, "fingerprint": key.fingerprint})
    return answer_with_warnings({"pairing": _wire(tx, row), "pairing_url": f"/pair/{row['id']}"}, body)


def _added(tx: Tx, call: Invocation, agent_id: str, key: Mapping[str, str]) -> dict[str, Any]:
    body: PairingInput = call.body
    pairing_id = f"pair_{uuid.uuid4()}"
    row = {
        **key,
        "org_id": call.caller.org_id,
        "id": pairing_id,
        "agent_id": agent_id,
        "agent_name": body.agent_name,
        "algorithm": body.algorithm,
        "code": comparison_code(pairing_id, key["fingerprint"]),
        "status": "pending",
        "created_by": call.caller.actor_id,
        "decided_by": None,
        "decided_at": None,
        "reason": None,
        "metadata": body.unknown or None,
        "expires_at": stamp(tx.now + timedelta(minutes=MINUTES)),
        "created_at": tx.stamp,
        "updated_at": tx.stamp,
    }
    rows.REQUESTS.add(tx, row)
    _announce(tx, call, "pairing.created", row)
    return row


def show(tx: Tx, call: Invocation) -> dict[str, Any]:
    """One request as it stands now."""
    return {"pairing": _wire(tx, _found(tx, call))}


def listing(tx: Tx, call: Invocation) -> dict[str, Any]:
    """Requests, newest first."""
    query: PairingPage = call.query
    found, total = rows.request_page(tx, call.caller.org_id, query.status, query.agent_id, query.size, query.offset)
    return {"pairings": [_wire(tx, row) for row in found], **paging(tx, query, len(found), total)}


def approve(tx: Tx, call: Invocation) -> dict[str, Any]:
    """Trust the key of a request that waits; the agent's earlier key is only given up when that is said."""
    body: PairingApproval = call.body
    row = _waiting(tx, call)
    if body.code is not None and not hmac.compare_digest(_plain(body.code), _plain(row["code"])):
        raise conflict("The code is not the one of this request: another key than the agent's asks", "CODE_MISMATCH")
    values = {**{name: row[name] for name in _KEY}, "pairing_id": row["id"]}
    identity = bind(tx, call, row["agent_id"], values, body)
    answer = _decided(tx, call, row, "approved", body)
    return {**answer, "identity": wire(tx, identity)}


def deny(tx: Tx, call: Invocation) -> dict[str, Any]:
    """Refuse a request that waits."""
    return _decided(tx, call, _waiting(tx, call), "denied", call.body)


def _decided(
    tx: Tx, call: Invocation, row: Mapping[str, Any], status: str, body: PairingApproval | PairingRefusal
) -> dict[str, Any]:
    given, security = redact_fields({"reason": body.reason}, ("reason",))
    changes = {
        "status": status,
        "reason": given["reason"],
        "decided_by": call.caller.actor_id,
        "decided_at": tx.stamp,
        "updated_at": tx.stamp,
        "metadata": {**(row["metadata"] or {}), **body.unknown} or None,
    }
    rows.REQUESTS.change(tx, call.caller.org_id, row["id"], changes)
    after = {**row, **changes}
    _announce(tx, call, "pairing.updated", after)
    return answer_with_warnings({"pairing": _wire(tx, after), "security": security}, body)


def _announce(tx: Tx, call: Invocation, name: str, row: Mapping[str, Any]) -> None:
    tx.emit(call.caller, name, "pairing", row["id"], {**_wire(tx, row), "pairing_id": row["id"]}, row["agent_id"])


def _found(tx: Tx, call: Invocation) -> dict[str, Any]:
    row = rows.REQUESTS.find(tx, call.caller.org_id, call.params["pairing_id"])
    if row is None:
        raise not_found("pairing", call.params["pairing_id"])
    return row


def _waiting(tx: Tx, call: Invocation) -> dict[str, Any]:
    row = _found(tx, call)
    status = _status(tx, row)
    if status == "expired":
        message = f"The request expired at {row['expires_at']}; the agent has to ask again"
        raise Problem(410, "PAIRING_EXPIRED", message, pairing=_wire(tx, row))
    if status != "pending":
        raise conflict(f"The request does not wait: it is {status}", "NOT_PENDING")
    return row


def _status(tx: Tx, row: Mapping[str, Any]) -> str:
    """The state at this moment: a request expires by the clock alone."""
    expired = row["status"] == "pending" and row["expires_at"] <= tx.stamp
    return "expired" if expired else str(row["status"])


def _wire(tx: Tx, row: Mapping[str, Any]) -> dict[str, Any]:
    return {**row, "status": _status(tx, row), "metadata": row["metadata"] or {}}


def _plain(code: str) -> bytes:
    return code.replace("-", "").replace(" ", "").upper().encode()


OPERATIONS = (
    Operation(
        "create_pairing",
        "POST",
        "/api/pairings",
        create,
        "Ask for a pairing",
        "pairing",
        body=PairingInput,
        signing="offered",
        speaker="agent_id",
    ),
    Operation(
        "get_pairings", "GET", "/api/pairings", listing, "List pairings", "pairing", query=PairingPage, role="readonly"
    ),
    Operation("get_pairing", "GET", "/api/pairings/{pairing_id}", show, "Show a pairing", "pairing", role="readonly"),
    Operation(
        "approve_pairing",
        "POST",
        "/api/pairings/{pairing_id}/approve",
        approve,
        "Trust the key of a pairing",
        "pairing",
        body=PairingApproval,
        role="admin",
    ),
    Operation(
        "deny_pairing",
        "POST",
        "/api/pairings/{pairing_id}/deny",
        deny,
        "Refuse a pairing",
        "pairing",
        body=PairingRefusal,
        role="admin",
    ),
)
