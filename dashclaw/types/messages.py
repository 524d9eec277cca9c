"""Answers of the category "Agent Messaging"."""

from __future__ import annotations

from typing import Any, Dict, List, Optional

from .._compat import TypedDict
from .security import SecuritySummary
from .vocabulary import MessageStatus, MessageThreadStatus, MessageType, Urgency


class Attachment(TypedDict):
    """A file that a message carries, without its bytes; `size_bytes` and `sha256` are those of the bytes."""

    id: str
    org_id: str
    message_id: str
    filename: str
    mime_type: str
    size_bytes: int
    sha256: str
    metadata: Dict[str, Any]
    created_at: str


class Message(TypedDict):
    """A message; `to_agent_id` is None for a broadcast.

    `status`, `is_read`, `read_at` and `archived_at` are those of the addressee; of a broadcast, of the agent that asks.
    """

    id: str
    org_id: str
    thread_id: Optional[str]
    from_agent_id: str
    to_agent_id: Optional[str]
    message_type: MessageType
    subject: Optional[str]
    body: str
    urgency: Urgency
    urgent: bool
    doc_ref: Optional[str]
    status: MessageStatus
    is_read: bool
    read_by: List[str]
    read_at: Optional[str]
    archived_at: Optional[str]
    attachments: List[Attachment]
    metadata: Dict[str, Any]
    created_at: str


class SentMessage(TypedDict):
    """A message that was sent."""

    message: Message
    message_id: str
    security: SecuritySummary
    warnings: List[str]


class MessagePage(TypedDict):
    """A page of messages, newest first; `unread_count` is that of the whole inbox."""

    messages: List[Message]
    unread_count: int
    total: int
    limit: int
    offset: int
    has_more: bool
    lastUpdated: str


class Marked(TypedDict):
    """How many messages were changed, and which ids are not in the inbox."""

    updated: int
    skipped: List[str]


class MessageThread(TypedDict):
    """A conversation of several messages."""

    id: str
    org_id: str
    name: str
    participants: List[str]
    status: MessageThreadStatus
    summary: Optional[str]
    created_by: str
    message_count: int
    last_message_at: Optional[str]
    metadata: Dict[str, Any]
    created_at: str
    updated_at: str
    resolved_at: Optional[str]


class MessageThreadAnswer(TypedDict):
    """One thread."""

    thread: MessageThread
    thread_id: str
    security: SecuritySummary


class MessageThreadPage(TypedDict):
    """A page of threads, the last active first."""

    threads: List[MessageThread]
    total: int
    limit: int
    offset: int
    has_more: bool
    lastUpdated: str


class SharedDoc(TypedDict):
    """A document that agents share."""

    id: str
    org_id: str
    name: str
    content: str
    version: int
    created_by: str
    last_edited_by: str
    metadata: Dict[str, Any]
    created_at: str
    updated_at: str


class SharedDocVersion(TypedDict):
    """Who saved a version of a document, and when."""

    version: int
    edited_by: str
    created_at: str


class SharedDocAnswer(TypedDict):
    """One document; `versions` are those there are, the newest first."""

    doc: SharedDoc
    doc_id: str
    security: SecuritySummary
    versions: List[SharedDocVersion]


class SharedDocPage(TypedDict):
    """A page of documents, the last changed first."""

    docs: List[SharedDoc]
    total: int
    limit: int
    offset: int
    has_more: bool
    lastUpdated: str


class AttachmentContent(TypedDict):
    """A downloaded file; `filename` is safe to be used as one."""

    data: bytes
    filename: str
    mime_type: str
