"""Files that messages carry: stored and sent in pieces, with a name that is never a path."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, Field, PlainValidator, StringConstraints, WithJsonSchema

from dashclaw._filename import safe_name

from ..binary import Base64, Download, from_base64
from ..inputs import Input, Short
from ..operations import Invocation, Operation
from ..problems import Problem, invalid, not_found
from ..redaction import redact_fields
from ..store import messages as rows

if TYPE_CHECKING:
    from ..store.engine import Tx

MOST = 3
LARGEST = 5 * 1024 * 1024
# What the attachments of one message may add to a body, as base64.
ATTACHED = MOST * (LARGEST + 2) // 3 * 4
TYPES = (
    "image/png",
    "image/jpeg",
    "image/gif",
    "image/webp",
    "application/pdf",
    "text/plain",
    "text/markdown",
    "text/csv",
    "application/json",
)


def _media_type(value: str) -> str:
    found = re.split(r"\s*;", value.strip(), maxsplit=1)[0].lower()
    if found not in TYPES:
        raise ValueError(f"must be one of {', '.join(TYPES)}")
    return found


class AttachmentInput(Input):
    """A file: its name, its type and its bytes as base64."""

    filename: Annotated[str, StringConstraints(min_length=1, max_length=255)]
    mime_type: Annotated[Short, AfterValidator(_media_type)]
    data: Annotated[Base64, PlainValidator(from_base64)]

    @property
    def name(self) -> str:
        """The name without what leads to another folder or steers a terminal."""
        return safe_name(self.filename, "attachment")


_TEXT = {"type": "string"}
_DESCRIBED = {
    "type": "object",
    "required": ["filename", "mime_type", "data"],
    "properties": {
        "filename": {**_TEXT, "minLength": 1, "maxLength": 255},
        "mime_type": {**_TEXT, "enum": list(TYPES)},
        "data": {**_TEXT, "contentEncoding": "base64", "description": f"at most {LARGEST} bytes when decoded"},
    },
}
AttachmentList = Annotated[list[Annotated[AttachmentInput, WithJsonSchema(_DESCRIBED)]], Field(max_length=MOST)]


class AttachmentQuery(Input):
    """Which attachment."""

    id: Short | None = None


def attach(tx: Tx, message: Mapping[str, Any], given: Sequence[AttachmentInput]) -> list[dict[str, Any]]:
    """Store the files of a message; raises `Problem` 413 for one that is too large."""
    found = []
    for number, file in enumerate(given):
        if file.data.size > LARGEST:
            raise _too_large(number, file)
        row: dict[str, Any] = {
            "org_id": message["org_id"],
            "id": f"att_{uuid.uuid4().hex}",
            "message_id": message["id"],
            "number": number,
            "filename": file.name,
            "mime_type": file.mime_type,
            "size_bytes": file.data.size,
            "sha256": file.data.sha256,
            "created_at": tx.stamp,
            **redact_fields({"metadata": file.unknown or None}, ("metadata",))[0],
        }
        rows.FILES.add(tx, row)
        rows.add_pieces(tx, row["org_id"], row["id"], file.data.pieces())
        found.append(row)
    return found


def _too_large(number: int, file: AttachmentInput) -> Problem:
    text = f"attachments.{number} ({file.name!r}) has {file.data.size} bytes; the most are {LARGEST}"
    field = {"field": f"attachments.{number}.data", "message": f"is larger than {LARGEST} bytes"}
    return Problem(413, "PAYLOAD_TOO_LARGE", text, fields=[field], maxBytes=LARGEST)


def attachment_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """An attachment on the wire, without its bytes."""
    return {**{name: row[name] for name in row if name != "number"}, "metadata": row["metadata"] or {}}


def attachment_warnings(given: Sequence[AttachmentInput]) -> list[str]:
    """What was not taken as it was sent."""
    found = []
    for number, file in enumerate(given):
        if file.name != file.filename:
            found.append(f"attachments.{number}.filename was stored as {file.name!r}: a name is no path")
        found += [f"attachments.{number}: {warning}" for warning in file.warnings()]
    return found


def download(tx: Tx, call: Invocation) -> Download:
    """The bytes of an attachment with its name and type."""
    key = call.query.id
    if not key:
        raise invalid("id", "is required: name the attachment")
    row = rows.FILES.find(tx, call.caller.org_id, key)
    if row is None:
        raise not_found("attachment", key)
    pieces = partial(rows.pieces, call.runtime.store, call.caller.org_id, key)
    return Download(row["filename"], row["mime_type"], row["size_bytes"], pieces)


OPERATIONS = (
    Operation(
        "get_attachment",
        "GET",
        "/api/messages/attachments",
        download,
        "Download an attachment",
        "messages",
        query=AttachmentQuery,
        role="readonly",
        media="*/*",
    ),
)
