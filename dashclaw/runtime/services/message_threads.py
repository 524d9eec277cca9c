"""Threads of messages: named conversations that are resolved in the end."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field

from ..inputs import Goal, Input, Name, Page, Short, from_text
from ..operations import Invocation, Operation
from ..problems import conflict, invalid, not_found
from ..redaction import redact_fields
from ..store import messages as rows
from .loops import answer_with_warnings, paging

if TYPE_CHECKING:
    from ..store.engine import Tx


def _same_status(value: Any) -> Any:
    # Users of the documented examples ask for "active" threads.
    return "open" if value == "active" else value


Status = Annotated[Literal["open", "resolved"], BeforeValidator(_same_status)]


class ThreadInput(Input):
    """A new thread."""

    name: Annotated[Name, Field(min_length=1)]
    participants: Annotated[list[Short], Field(max_length=200), BeforeValidator(from_text)] = []
    created_by: Short | None = None


class ThreadEnd(Input):
    """How a thread ends; "open" takes it up again."""

    thread_id: Short
    status: Status = "resolved"
    summary: Goal | None = None


class ThreadPage(Page):
    """Filters of the list of threads; `active` means open."""

    cap: ClassVar[int] = 100
    default: ClassVar[int] = 20

    agent_id: Short | None = None
    status: Short | None = None


def create(tx: Tx, call: Invocation) -> dict[str, Any]:
    """Begin a thread; whoever creates it takes part."""
    body: ThreadInput = call.body
    creator = body.created_by or call.caller.agent_id
    if not creator:
        raise invalid("created_by", "is required: name the agent that begins the thread")
    row: dict[str, Any] = {
        "org_id": call.caller.org_id,
        "id": f"mt_{uuid.uuid4().hex}",
        "name": body.name,
        "participants": list(dict.fromkeys(body.participants)),
        "status": "open",
        "summary": None,
        "created_by": creator,
        "message_count": 0,
        "last_message_at": None,
        "created_at": tx.stamp,
        "updated_at": tx.stamp,
        "resolved_at": None,
        **redact_fields({"metadata": body.unknown or None}, ("metadata",))[0],
    }
    rows.THREADS.add(tx, row)
    rows.join_thread(tx, row["org_id"], row["id"], [creator, *row["participants"]])
    wire = thread_row(row)
    tx.emit(call.caller, "message_thread.created", "message_thread", row["id"], wire, creator)
    return answer_with_warnings({"thread": wire, "thread_id": row["id"]}, body)


def listing(tx: Tx, call: Invocation) -> dict[str, Any]:
    """Threads, the last active first; of an agent, those that it takes part in."""
    query: ThreadPage = call.query
    status = _same_status(query.status)
    found, total = rows.thread_page(tx, call.caller.org_id, query.agent_id, status, query.size, query.offset)
    return {"threads": [thread_row(row) for row in found], **paging(tx, query, len(found), total)}


def show(tx: Tx, call: Invocation) -> dict[str, Any]:
    """One thread."""
    return {"thread": thread_row(_find(tx, call, call.params["thread_id"]))}


def end(tx: Tx, call: Invocation) -> dict[str, Any]:
    """Resolve a thread; said again it changes nothing, and a summary is never lost."""
    body: ThreadEnd = call.body
    row = _find(tx, call, body.thread_id)
    text, security = redact_fields({"summary": body.summary, "metadata": body.unknown}, ("summary", "metadata"))
    summary = text["summary"]
    again = row["status"] == body.status
    if again and row["summary"] and summary not in (None, row["summary"]):
        raise conflict(f"The thread is {row['status']} already, with another summary")
    changes: dict[str, Any] = {"status": body.status}
    if not again:
        changes["resolved_at"] = tx.stamp if body.status == "resolved" else None
    if summary is not None:
        changes["summary"] = summary
    if body.unknown:
        changes["metadata"] = {**(row["metadata"] or {}), **text["metadata"]}
    after = {**row, **changes}
    if after != row:
        changes["updated_at"] = after["updated_at"] = tx.stamp
        rows.THREADS.change(tx, call.caller.org_id, row["id"], changes)
        name = "message_thread.resolved" if body.status == "resolved" else "message_thread.updated"
        tx.emit(call.caller, name, "message_thread", row["id"], thread_row(after))
    return answer_with_warnings({"thread": thread_row(after), "thread_id": row["id"], "security": security}, body)


def open_thread(tx: Tx, call: Invocation, thread_id: str) -> dict[str, Any]:
    """The thread that a message goes into; raises `Problem` 400, 404 or 409."""
    if thread_id.startswith("ct_"):
        raise invalid("thread_id", "is a thread of the context manager; messages go into a message thread (mt_…)")
    row = _find(tx, call, thread_id)
    if row["status"] != "open":
        raise conflict(f"The thread is {row['status']}; messages go into an open one")
    return row


def touch_thread(tx: Tx, row: Mapping[str, Any], agents: Sequence[str]) -> None:
    """Count a message; who sends or gets it takes part in the thread."""
    changes = {"message_count": row["message_count"] + 1, "last_message_at": tx.stamp, "updated_at": tx.stamp}
    rows.THREADS.change(tx, row["org_id"], row["id"], changes)
    rows.join_thread(tx, row["org_id"], row["id"], agents)


def thread_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """A thread on the wire."""
    return {**row, "metadata": row["metadata"] or {}}


def _find(tx: Tx, call: Invocation, thread_id: str) -> dict[str, Any]:
    found = rows.THREADS.find(tx, call.caller.org_id, thread_id)
    if found is None:
        raise not_found("message thread", thread_id)
    return found


OPERATIONS = (
    Operation(
        "create_message_thread",
        "POST",
        "/api/messages/threads",
        create,
        "Begin a message thread",
        "messages",
        body=ThreadInput,
        status=201,
        speaker="created_by",
    ),
    Operation(
        "get_message_threads",
        "GET",
        "/api/messages/threads",
        listing,
        "List message threads",
        "messages",
        query=ThreadPage,
        role="readonly",
    ),
    Operation(
        "get_message_thread",
        "GET",
        "/api/messages/threads/{thread_id}",
        show,
        "Show a message thread",
        "messages",
        role="readonly",
    ),
    Operation(
        "resolve_message_thread",
        "PATCH",
        "/api/messages/threads",
        end,
        "Resolve a message thread or take it up again",
        "messages",
        body=ThreadEnd,
    ),
)
