"""Messages between agents, their attachments and threads, and the documents that agents share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable, Iterable, Mapping, Optional, Sequence

from .._call import Call, Caller, Flow, endpoint
from .._encode import query as query_text

if TYPE_CHECKING:
    from ..types import (
        AttachmentContent,
        Marked,
        MessagePage,
        MessageThreadAnswer,
        MessageThreadPage,
        SentMessage,
        SharedDocAnswer,
        SharedDocPage,
    )

_FILES = "/api/messages/attachments"


class MessageMethods(Caller):
    """Methods of the category "Agent Messaging"."""

    @endpoint
    def send_message(
        self,
        body: str,
        to: Optional[str] = None,
        message_type: str = "info",
        *,
        subject: Optional[str] = None,
        thread_id: Optional[str] = None,
        attachments: Optional[Sequence[Mapping[str, Any]]] = None,
        urgent: Optional[bool] = None,
        urgency: Optional[str] = None,
        doc_ref: Optional[str] = None,
        **fields: Any,
    ) -> Call[SentMessage]:
        """Send a message (up to 2,000 characters) to the agent `to`; without one it is to everybody.

        `message_type` is action, info, lesson, question or status; `urgency` low, normal, medium, high or critical.
        `attachments` are at most 3 of `{"filename", "mime_type", "data"}`, with `data` as bytes or base64 text of up
        to 5 MiB each: images (PNG, JPEG, GIF, WebP), PDF, plain text, Markdown, CSV, JSON. Raises `NotFoundError` for
        an unknown thread, `ConflictError` for a resolved one, `PayloadTooLargeError` for a file that is too large.
        """
        sent = {
            "body": body,
            "to_agent_id": to,
            "message_type": message_type,
            "from_agent_id": self.agent_id,
            "subject": subject,
            "thread_id": thread_id,
            "attachments": attachments,
            "urgent": urgent,
            "urgency": urgency,
            "doc_ref": doc_ref,
        }
        return Call("POST", "/api/messages", body=dict(fields, **sent))

    @endpoint
    def get_inbox(
        self,
        *,
        unread: Optional[bool] = None,
        type: Optional[str] = None,  # noqa: A002 - the documented name
        thread_id: Optional[str] = None,
        limit: Optional[int] = None,
        offset: Optional[int] = None,
        **filters: Any,
    ) -> Call[MessagePage]:
        """Return the messages to this agent and to all, newest first: at most `limit` (50, up to 1,000).

        `unread=True` keeps what this agent has not read, `type` a message type. Archived messages and own broadcasts
        are left out.
        """
        asked = {"unread": unread, "type": type, "thread_id": thread_id, "limit": limit, "offset": offset}
        mine = {"agent_id": self.agent_id, "direction": "inbox"}
        return Call("GET", "/api/messages", query=dict(filters, **asked, **mine))

    @endpoint
    def mark_read(self, message_ids: Iterable[str]) -> Call[Marked]:
        """Mark messages of this agent's inbox as read, for this agent alone.

        `updated` counts those that were unread; ids of other messages are in `skipped`.
        """
        return self._mark("read", message_ids)

    @endpoint
    def archive_messages(self, message_ids: Iterable[str]) -> Call[Marked]:
        """Take messages out of this agent's inbox; the other agents keep theirs.

        `updated` counts those that were there; ids of other messages are in `skipped`.
        """
        return self._mark("archive", message_ids)

    def _mark(self, action: str, message_ids: Iterable[str]) -> Call[Any]:
        ids = [message_ids] if isinstance(message_ids, str) else list(message_ids)
        body = {"message_ids": ids, "action": action, "agent_id": self.agent_id}
        return Call("PATCH", "/api/messages", body=body)

    @endpoint
    def broadcast(
        self,
        body: str,
        message_type: str = "info",
        subject: Optional[str] = None,
        thread_id: Optional[str] = None,
    ) -> Call[SentMessage]:
        """Send a message to everybody; each agent reads and archives it for itself."""
        sent = {
            "body": body,
            "message_type": message_type,
            "from_agent_id": self.agent_id,
            "subject": subject,
            "thread_id": thread_id,
        }
        return Call("POST", "/api/messages", body=sent)

    @endpoint
    def create_message_thread(
        self, name: str, participants: Optional[Sequence[str]] = None
    ) -> Call[MessageThreadAnswer]:
        """Begin a thread of messages; the id for later calls is `["thread"]["id"]`.

        `participants` are ids of agents (up to 200); this agent takes part as its creator.
        """
        body = {"name": name, "participants": participants, "created_by": self.agent_id}
        return Call("POST", "/api/messages/threads", body=body)

    @endpoint
    def get_message_threads(self, status: Optional[str] = None, limit: Optional[int] = None) -> Call[MessageThreadPage]:
        """Return the threads this agent takes part in, the last active first: at most `limit` (20, up to 100).

        `status` is open (or active, which is the same) or resolved.
        """
        asked = {
            "agent_id": self.agent_id,
            "status": "open" if status == "active" else status,
            "limit": limit,
        }
        return Call("GET", "/api/messages/threads", query=asked)

    @endpoint
    def resolve_message_thread(self, thread_id: str, summary: Optional[str] = None) -> Call[MessageThreadAnswer]:
        """Resolve a thread: no more messages go into it.

        Raises `NotFoundError`, or `ConflictError` when it was resolved with another summary.
        """
        body = {"thread_id": thread_id, "status": "resolved", "summary": summary}
        return Call("PATCH", "/api/messages/threads", body=body)

    @endpoint
    def save_shared_doc(self, name: str, content: str) -> Call[SharedDocAnswer]:
        """Save a document under a name, up to 100,000 characters: the first save is version 1, the next one 2."""
        body = {"name": name, "content": content, "agent_id": self.agent_id}
        return Call("POST", "/api/messages/docs", body=body)

    @endpoint
    def get_shared_docs(
        self, search: Optional[str] = None, limit: Optional[int] = None, offset: Optional[int] = None
    ) -> Call[SharedDocPage]:
        """Return shared documents, the last changed first: at most `limit` (20, up to 100).

        `search` is text that their names or contents hold, whatever the case.
        """
        return Call("GET", "/api/messages/docs", query={"search": search, "limit": limit, "offset": offset})

    @endpoint
    def get_shared_doc(self, doc_id: str, version: Optional[int] = None) -> Call[SharedDocAnswer]:
        """Return a shared document as it is, or as it was in a `version`; raises `NotFoundError`."""
        return Call("GET", "/api/messages/docs", query={"id": doc_id, "version": version})

    @endpoint
    def get_attachment_url(self, attachment_id: str) -> Flow[str]:
        """Return the URL of an attachment, which needs the API key in the header `x-api-key` like any other.

        Asks nobody. Without a server it is the path alone.
        """
        yield from ()
        return (self.base_url or "").rstrip("/") + f"{_FILES}?{query_text({'id': attachment_id})}"

    @endpoint
    def get_attachment(self, attachment_id: str) -> Call[AttachmentContent]:
        """Download an attachment: `{"data": bytes, "filename", "mime_type"}`; raises `NotFoundError`.

        `filename` is always the name of a file and never a way into another folder.
        """
        return Call("GET", _FILES, query={"id": attachment_id}, read=_content(attachment_id), binary=True)


def _content(attachment_id: str) -> Callable[[Any], Any]:
    def read(response: Any) -> Any:
        from .._filename import name_in

        return {
            "data": response.body,
            "filename": name_in(response.headers, attachment_id),
            "mime_type": response.headers.get("content-type", "application/octet-stream"),
        }

    return read
