"""The context manager: key points of a session, and threads that run through several."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import StringConstraints

from ..inputs import Input, Page, Short
from ..operations import Invocation, Operation
from ..problems import conflict, invalid
from ..redaction import redact_fields
from ..store.tables import context_entries, context_points, context_threads
from .handoffs import DAY
from .kinds import AgentPage, Kind, Metadata, stamped, with_unknown
from .loops import answer_with_warnings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..store.engine import Tx

ThreadStatus = Literal["active", "closed"]


def _reopened(_: Tx, __: Mapping[str, Any], ___: Mapping[str, Any] | None) -> dict[str, Any]:
    return {"status": "active"}


POINTS = Kind(
    "point",
    "cp",
    context_points,
    resource="key_point",
    first=("importance",),
    fill=stamped("session_date", DAY),
)
THREADS = Kind(
    "thread",
    "ct",
    context_threads,
    resource="context_thread",
    key=("agent_id", "name"),
    first=("updated_at",),
    fill=_reopened,
)
ENTRIES = Kind("entry", "ce", context_entries, plural="entries", resource="context_entry")


class PointPage(AgentPage):
    """Filters of the list of key points."""

    category: Short | None = None
    session_date: Short | None = None


class ThreadPage(AgentPage):
    """Filters of the list of threads."""

    cap: ClassVar[int] = 100
    default: ClassVar[int] = 20

    status: ThreadStatus | None = None


class ThreadChange(Input):
    """What of a thread can change."""

    status: ThreadStatus | None = None
    summary: Annotated[str, StringConstraints(max_length=5000)] | None = None
    metadata: Metadata | None = None


def show(tx: Tx, call: Invocation) -> dict[str, Any]:
    """One thread with its entries, newest first."""
    thread = THREADS.one(tx, call.caller, call.params["thread_id"])
    entries = ENTRIES.page(tx, call.caller, call.query, {"thread_id": thread["id"]})
    return {"thread": THREADS.wire(thread), "thread_id": thread["id"], **entries}


def add_entry(tx: Tx, call: Invocation) -> dict[str, Any]:
    """Add an entry to an active thread."""
    thread = THREADS.one(tx, call.caller, call.params["thread_id"])
    if thread["status"] != "active":
        raise conflict("The thread is closed; creating it again by its name reopens it")
    THREADS.rows.change(tx, call.caller.org_id, thread["id"], {"updated_at": tx.stamp})
    return ENTRIES.add(tx, call.caller, call.body, thread_id=thread["id"])


def change(tx: Tx, call: Invocation) -> dict[str, Any]:
    """Close or reopen a thread, or write its summary."""
    body: ThreadChange = call.body
    thread = THREADS.one(tx, call.caller, call.params["thread_id"])
    if body.status is None and body.summary is None:
        raise invalid("status", "or summary is required: there is nothing to change")
    more = {**(body.metadata or {}), **body.unknown}
    given, security = redact_fields({**body.given(), "metadata": more}, ("summary", "metadata"))
    given["metadata"] = with_unknown(thread, given["metadata"])
    changed = {name: value for name, value in given.items() if thread[name] != value}
    if changed:
        thread = THREADS.change(tx, call.caller, thread, {**changed, "updated_at": tx.stamp})
    answer = {"thread": THREADS.wire(thread), "thread_id": thread["id"], "security": security}
    return answer_with_warnings(answer, body)


OPERATIONS = (
    POINTS.creating("capture_key_point", "/api/context/points", "Capture a key point", "context"),
    POINTS.listing("get_key_points", "/api/context/points", "List key points", "context", PointPage),
    THREADS.creating("create_thread", "/api/context/threads", "Open a thread by its name", "context"),
    THREADS.listing("get_threads", "/api/context/threads", "List threads", "context", ThreadPage),
    Operation(
        "get_thread",
        "GET",
        "/api/context/threads/{thread_id}",
        show,
        "Show a thread with its entries",
        "context",
        query=Page,
        role="readonly",
    ),
    Operation(
        "close_thread",
        "PATCH",
        "/api/context/threads/{thread_id}",
        change,
        "Close or reopen a thread",
        "context",
        body=ThreadChange,
    ),
    Operation(
        "add_thread_entry",
        "POST",
        "/api/context/threads/{thread_id}/entries",
        add_entry,
        "Add an entry to a thread",
        "context",
        body=ENTRIES.body,
        status=201,
    ),
)
