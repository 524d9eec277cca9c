"""Messages: what agents tell each other, their threads, and what the operator has to say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dashclaw.runtime.problems import Problem

from ...transfer import download
from ..routes import get, post

if TYPE_CHECKING:
    from starlette.responses import Response

    from ..desk import Desk

SIZE = 20
# Under this name messages of keys that belong to no person are sent.
OPERATOR = "operator"
FIELDS = ("to_agent_id", "thread_id", "subject", "body", "message_type", "urgency")


def listing(desk: Desk) -> Response:
    """Messages, newest first, and the open threads beside them."""
    filters = {name: desk.query.get(name) for name in ("agent_id", "type", "offset")}
    if filters["agent_id"] is not None:
        filters["direction"] = desk.query.get("direction")
    threads = desk.ask("get_message_threads", query={"status": "open", "limit": SIZE})
    return desk.page(
        "messages/list.html",
        found=desk.ask("get_inbox", query={**filters, "limit": SIZE}),
        threads=threads["threads"],
    )


def thread(desk: Desk) -> Response:
    """One thread with its messages."""
    known = desk.ask("get_message_thread", params=desk.path)
    asked = {"thread_id": desk.path["thread_id"], "limit": SIZE, "offset": desk.query.get("offset")}
    return desk.page("messages/thread.html", thread=known["thread"], found=desk.ask("get_inbox", query=asked))


def write(desk: Desk) -> Response:
    """The form for a message."""
    given = {"to_agent_id": desk.query.get("to"), "thread_id": desk.query.get("thread")}
    return desk.page("messages/write.html", values={**dict.fromkeys(FIELDS), **given}, problem=None)


def send(desk: Desk) -> Response:
    """Send what the form says."""
    message = {name: desk.form.get(name) or None for name in FIELDS}
    try:
        desk.ask("send_message", body={**message, "from_agent_id": desk.caller.operator or OPERATOR})
    except Problem as problem:
        if problem.status not in (400, 404, 422):
            raise
        return desk.page("messages/write.html", status=422, values=message, problem=problem)
    to = f"/messages/threads/{message['thread_id']}" if message["thread_id"] else "/messages"
    return desk.redirect(to, "The message is sent.")


def resolve(desk: Desk) -> Response:
    """End a thread, or take it up again."""
    thread_id = desk.path["thread_id"]
    status = "resolved" if desk.form.get("status") == "resolved" else "open"
    body = {"thread_id": thread_id, "status": status, "summary": desk.form.get("summary") or None}
    desk.ask("resolve_message_thread", body=body)
    return desk.redirect(f"/messages/threads/{thread_id}", f"The thread is {status}.")


def attachment(desk: Desk) -> Response:
    """A file of a message, never shown in place."""
    return download(desk.ask("get_attachment", query={"id": desk.path["attachment_id"]}))


PAGES = (
    get("/messages", listing),
    get("/messages/new", write),
    post("/messages/new", send),
    get("/messages/threads/{thread_id}", thread),
    post("/messages/threads/{thread_id}", resolve),
    get("/messages/attachments/{attachment_id}", attachment),
)
