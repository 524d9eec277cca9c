"""Messages between agents: an inbox for each, broadcasts, and what each agent has read and archived."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, StringConstraints

from ..inputs import Flag, Goal, Input, Page, Short, from_text
from ..operations import Invocation, Operation
from ..problems import invalid, not_found
from ..redaction import redact_fields
from ..store import messages as rows
from .attachments import ATTACHED, AttachmentList, attach, attachment_row, attachment_warnings
from .loops import answer_with_warnings, filters_of, paging
from .message_threads import open_thread, touch_thread

if TYPE_CHECKING:
    from ..store.engine import Tx

MessageType = Literal["action", "info", "lesson", "question", "status"]
Urgency = Literal["low", "normal", "medium", "high", "critical"]
_URGENT = ("high", "critical")
Ids = Annotated[list[Short], Field(min_length=1, max_length=1000), BeforeValidator(from_text)]


class MessageInput(Input):
    """A new message; without `to_agent_id` it is to everybody."""

    body: Annotated[Goal, Field(min_length=1)]
    from_agent_id: Short | None = None
    to_agent_id: Short | None = None
    message_type: MessageType = "info"
    subject: Annotated[str, StringConstraints(max_length=200)] | None = None
    thread_id: Short | None = None
    urgent: Flag = False
    urgency: Urgency | None = None
    doc_ref: Short | None = None
    attachments: AttachmentList = []


class Marking(Input):
    """What an agent does with messages of its inbox."""

    message_ids: Ids
    action: Literal["read", "archive"]
    agent_id: Short | None = None


class MessagePage(Page):
    """Filters of the list of messages; `direction` is inbox for an agent, and all without one."""

    cap: ClassVar[int] = 1000

    agent_id: Short | None = None
    direction: Literal["inbox", "sent", "all"] | None = None
    unread: Flag = False
    type: Short | None = None
    thread_id: Short | None = None


class MessageView(Input):
    """Through whose eyes a message is shown."""

    agent_id: Short | None = None


def send(tx: Tx, call: Invocation) -> dict[str, Any]:
    """Send a message to an agent, or to all of them."""
    body: MessageInput = call.body
    sender = acting(call, body.from_agent_id, "from_agent_id")
    thread = None if body.thread_id is None else open_thread(tx, call, body.thread_id)
    text, security = redact_fields(
        {"body": body.body, "subject": body.subject, "metadata": body.unknown or None}, ("body", "subject", "metadata")
    )
    urgency = body.urgency or ("high" if body.urgent else "normal")
    row: dict[str, Any] = {
        "org_id": call.caller.org_id,
        "id": f"msg_{uuid.uuid4().hex}",
        "thread_id": body.thread_id,
        "from_agent_id": sender,
        "to_agent_id": body.to_agent_id or rows.BROADCAST,
        "message_type": body.message_type,
        "urgency": urgency,
        "urgent": body.urgent or urgency in _URGENT,
        "doc_ref": body.doc_ref,
        "created_at": tx.stamp,
        **text,
    }
    rows.MESSAGES.add(tx, row)
    files = attach(tx, row, body.attachments)
    if thread is not None:
        touch_thread(tx, thread, [sender, *([body.to_agent_id] if body.to_agent_id else [])])
    wire = message_row({**row, "read_at": None, "archived_at": None}, None, [], files)
    tx.emit(call.caller, "message.created", "message", row["id"], wire, sender)
    answer = answer_with_warnings({"message": wire, "message_id": row["id"], "security": security}, body)
    if more := attachment_warnings(body.attachments):
        answer["warnings"] = [*answer.get("warnings", []), *more]
    return answer


def mark(tx: Tx, call: Invocation) -> dict[str, Any]:
    """Mark messages of an agent's inbox as read, or archive them, for this agent alone."""
    body: Marking = call.body
    agent_id = acting(call, body.agent_id, "agent_id")
    ids = list(dict.fromkeys(body.message_ids))
    known = rows.states(tx, call.caller.org_id, agent_id, ids)
    column = "read_at" if body.action == "read" else "archived_at"
    changed = [key for key in ids if key in known and known[key][column] is None]
    for key in changed:
        rows.mark(tx, call.caller.org_id, agent_id, key, known[key], column)
    if changed:
        data, _ = redact_fields({"agent_id": agent_id, "message_ids": changed, "metadata": body.unknown}, ("metadata",))
        tx.emit(call.caller, f"message.{'read' if body.action == 'read' else 'archived'}", "inbox", agent_id, data)
    answer = {"updated": len(changed), "skipped": [key for key in ids if key not in known]}
    return answer_with_warnings(answer, body)


def listing(tx: Tx, call: Invocation) -> dict[str, Any]:
    """Messages, newest first: an agent's inbox, what it sent, or all of the organisation."""
    query: MessagePage = call.query
    org_id = call.caller.org_id
    agent_id = query.agent_id or (call.caller.agent_id if query.direction else None)
    if agent_id is None and (query.direction in ("inbox", "sent") or query.unread):
        raise invalid("agent_id", "is required here: name the agent whose messages these are")
    view = rows.View(org_id, agent_id, query.direction or ("all" if agent_id is None else "inbox"))
    filters = filters_of(query, ("thread_id",))
    if query.type is not None:
        filters["message_type"] = query.type
    found, total = rows.page(tx, view, filters, query.unread, query.size, query.offset)
    unread = 0 if agent_id is None else rows.unread_count(tx, org_id, agent_id)
    answer = {"messages": on_the_wire(tx, found, agent_id), "unread_count": unread}
    return {**answer, **paging(tx, query, len(found), total)}


def show(tx: Tx, call: Invocation) -> dict[str, Any]:
    """One message, through the eyes of an agent where one is named."""
    agent_id: str | None = call.query.agent_id or call.caller.agent_id
    found = rows.find(tx, rows.View(call.caller.org_id, agent_id), call.params["message_id"])
    if found is None:
        raise not_found("message", call.params["message_id"])
    return {"message": on_the_wire(tx, [found], agent_id)[0], "message_id": found["id"]}


def acting(call: Invocation, given: str | None, field: str) -> str:
    """The agent that acts; raises `Problem` 400 when nobody is named."""
    found = given or call.caller.agent_id
    if not found:
        raise invalid(field, "is required: name the agent that acts")
    return found


def on_the_wire(tx: Tx, found: Sequence[Mapping[str, Any]], agent_id: str | None) -> list[dict[str, Any]]:
    """Stored messages with their readers and attachments."""
    if not found:
        return []
    org_id, ids = found[0]["org_id"], [row["id"] for row in found]
    readers, files = rows.readers(tx, org_id, ids), rows.files_of(tx, org_id, ids)
    return [message_row(row, agent_id, readers.get(row["id"], []), files.get(row["id"], [])) for row in found]


def message_row(
    row: Mapping[str, Any], agent_id: str | None, readers: list[str], files: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """A message on the wire; `status` is what it is to its addressee, of a broadcast, to the agent that looks."""
    status = "archived" if row["archived_at"] else "read" if row["read_at"] else "sent"
    return {
        **row,
        "to_agent_id": row["to_agent_id"] or None,
        "status": status,
        "is_read": row["read_at"] is not None or (agent_id is not None and agent_id in readers),
        "read_by": readers,
        "metadata": row["metadata"] or {},
        "attachments": [attachment_row(file) for file in files],
    }


OPERATIONS = (
    Operation(
        "send_message",
        "POST",
        "/api/messages",
        send,
        "Send a message to an agent or to all",
        "messages",
        body=MessageInput,
        status=201,
        uploads=ATTACHED,
        speaker="from_agent_id",
    ),
    Operation(
        "get_inbox", "GET", "/api/messages", listing, "List messages", "messages", query=MessagePage, role="readonly"
    ),
    Operation(
        "mark_messages",
        "PATCH",
        "/api/messages",
        mark,
        "Mark messages as read or archive them",
        "messages",
        body=Marking,
        speaker="agent_id",
    ),
    Operation(
        "get_message",
        "GET",
        "/api/messages/{message_id}",
        show,
        "Show a message",
        "messages",
        query=MessageView,
        role="readonly",
    ),
)
