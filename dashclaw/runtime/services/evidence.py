"""Evidence: how far the chain is, its checkpoints, and proofs of single entries."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from dashclaw.errors import ConfigurationError, MissingExtraError

from ..evidence.keeping import sign_now
from ..evidence.proofs import prove_entry
from ..inputs import Input, Page
from ..operations import Invocation, Operation
from ..problems import Problem, invalid
from ..store import bundles
from ..store import evidence as rows
from .loops import paging

if TYPE_CHECKING:
    from ..evidence.checkpoints import Checkpoint
    from ..runtime import Runtime
    from ..store.engine import Tx

_Number = Annotated[int, Field(ge=1, le=2**53)]


class Entry(Input):
    """Which entry: by its event or by its number in the chain."""

    event_id: _Number | None = None
    seq: _Number | None = None


def state(tx: Tx, call: Invocation) -> dict[str, Any]:
    """How many entries the chain has, how many events wait to be linked, and the last checkpoint."""
    org_id = call.caller.org_id
    head = rows.head(tx, org_id)
    last = rows.last_checkpoint(tx, org_id)
    return {
        "size": head.size if head else 0,
        "link": head.link.hex() if head else None,
        "event_id": head.event_id if head else None,
        "unlinked": rows.tail(tx, org_id, head.event_id if head else 0),
        "checkpoint": _wire(last) if last else None,
        "key_id": last["key_id"] if last else None,
        "at": tx.stamp,
    }


def checkpoints(tx: Tx, call: Invocation) -> dict[str, Any]:
    """The checkpoints, the newest first, with the public keys that signed them."""
    query: Page = call.query
    found, total = bundles.checkpoint_page(tx, call.caller.org_id, query.size, query.offset)
    return {
        "checkpoints": [_wire(row) for row in found],
        "keys": rows.keys(tx),
        **paging(tx, query, len(found), total),
    }


def proof(tx: Tx, call: Invocation) -> dict[str, Any]:
    """Prove one entry against the newest checkpoint."""
    query: Entry = call.query
    if (query.event_id is None) == (query.seq is None):
        raise invalid("event_id", "give either event_id or seq")
    return {"proof": prove_entry(tx, call.caller.org_id, event_id=query.event_id, seq=query.seq)}


def signed(runtime: Runtime, call: Invocation) -> Checkpoint:
    """Make the checkpoint; it takes transactions of its own."""
    try:
        return sign_now(runtime, call.caller.org_id)
    except MissingExtraError as error:
        raise Problem(501, "SIGNATURES_UNAVAILABLE", error.message) from None
    except ConfigurationError as error:
        raise Problem(503, "EVIDENCE_KEY_UNAVAILABLE", error.message) from error


def checkpoint(_: Tx, call: Invocation) -> dict[str, Any]:
    """The checkpoint that was made."""
    found: Checkpoint = call.prepared
    return {"checkpoint": {**found.read(), **found._asdict()}}


def _wire(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in ("size", "key_id", "created_at", "text", "signature")}


OPERATIONS = (
    Operation(
        "get_evidence",
        "GET",
        "/api/evidence",
        state,
        "Show how far the chain of evidence is",
        "evidence",
        role="readonly",
    ),
    Operation(
        "list_evidence_checkpoints",
        "GET",
        "/api/evidence/checkpoints",
        checkpoints,
        "List the signed checkpoints",
        "evidence",
        query=Page,
        role="readonly",
    ),
    Operation(
        "get_evidence_proof",
        "GET",
        "/api/evidence/proof",
        proof,
        "Prove that an entry is in the chain",
        "evidence",
        query=Entry,
        role="readonly",
        slow=True,
    ),
    Operation(
        "make_evidence_checkpoint",
        "POST",
        "/api/evidence/checkpoint",
        checkpoint,
        "Sign the chain as it is now",
        "evidence",
        prepare=signed,
        status=201,
        role="admin",
        slow=True,
    ),
)
