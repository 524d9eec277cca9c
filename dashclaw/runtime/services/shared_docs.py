"""Documents that agents share: saved by name, with every version kept."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import StringConstraints

from ..inputs import Count, Input, Page, Short
from ..operations import Invocation, Operation
from ..problems import invalid, not_found
from ..redaction import redact_fields
from ..store import messages as rows
from .loops import answer_with_warnings, paging

if TYPE_CHECKING:
    from ..store.engine import Tx


class DocInput(Input):
    """A document as it is from now on."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=500)]
    content: Annotated[str, StringConstraints(max_length=100_000)]
    agent_id: Short | None = None


class DocPage(Page):
    """One document by its id, in a version where one is named; else those that hold `search`."""

    cap: ClassVar[int] = 100
    default: ClassVar[int] = 20

    id: Short | None = None
    version: Count | None = None
    search: Annotated[str, StringConstraints(max_length=500)] | None = None


def save(tx: Tx, call: Invocation) -> dict[str, Any]:
    """Save a document under its name: a new one is version 1, every later save the next version."""
    body: DocInput = call.body
    agent_id = body.agent_id or call.caller.agent_id
    if not agent_id:
        raise invalid("agent_id", "is required: name the agent that saves")
    text, security = redact_fields({"content": body.content, "metadata": body.unknown}, ("content", "metadata"))
    known = rows.doc_named(tx, call.caller.org_id, body.name)
    edit = {"content": text["content"], "last_edited_by": agent_id, "updated_at": tx.stamp}
    if known is None:
        doc: dict[str, Any] = {
            "org_id": call.caller.org_id,
            "id": f"sd_{uuid.uuid4().hex}",
            "name": body.name,
            "version": 1,
            "created_by": agent_id,
            "metadata": text["metadata"] or None,
            "created_at": tx.stamp,
            **edit,
        }
        rows.DOCS.add(tx, doc)
    else:
        changes = {**edit, "version": known["version"] + 1}
        if body.unknown:
            changes["metadata"] = {**(known["metadata"] or {}), **text["metadata"]}
        doc = {**known, **changes}
        rows.DOCS.change(tx, call.caller.org_id, doc["id"], changes)
    rows.add_version(tx, doc)
    told = {name: value for name, value in doc.items() if name != "content"}
    tx.emit(call.caller, "shared_doc.saved", "shared_doc", doc["id"], told, agent_id)
    return answer_with_warnings({"doc": doc_row(doc), "doc_id": doc["id"], "security": security}, body)


def listing(tx: Tx, call: Invocation) -> dict[str, Any]:
    """Documents, the last changed first; or one of them, with the versions there are."""
    query: DocPage = call.query
    if query.id is not None:
        return _one(tx, call.caller.org_id, query.id, query.version)
    if query.version is not None:
        raise invalid("id", "is required with version: name the document")
    found, total = rows.doc_page(tx, call.caller.org_id, query.search, query.size, query.offset)
    return {"docs": [doc_row(row) for row in found], **paging(tx, query, len(found), total)}


def _one(tx: Tx, org_id: str, doc_id: str, number: int | None) -> dict[str, Any]:
    doc = rows.DOCS.find(tx, org_id, doc_id)
    if doc is None:
        raise not_found("document", doc_id)
    if number is not None:
        old = rows.version(tx, org_id, doc_id, number)
        if old is None:
            raise not_found(f"version of document {doc_id!r}", str(number))
        edit = {"last_edited_by": old["edited_by"], "updated_at": old["created_at"]}
        doc |= {"version": old["version"], "content": old["content"], **edit}
    return {"doc": doc_row(doc), "doc_id": doc_id, "versions": rows.versions(tx, org_id, doc_id)}


def doc_row(row: dict[str, Any]) -> dict[str, Any]:
    """A document on the wire."""
    return {**row, "metadata": row["metadata"] or {}}


OPERATIONS = (
    Operation(
        "save_shared_doc",
        "POST",
        "/api/messages/docs",
        save,
        "Save a shared document",
        "messages",
        body=DocInput,
        status=201,
        speaker="agent_id",
    ),
    Operation(
        "get_shared_docs",
        "GET",
        "/api/messages/docs",
        listing,
        "List shared documents, or show one",
        "messages",
        query=DocPage,
        role="readonly",
    ),
)
