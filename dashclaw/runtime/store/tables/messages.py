"""Messages between agents, their attachments and threads, and the documents that agents share."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, PrimaryKeyConstraint, String, Table, Text

from .columns import flag, json_column, key, metadata

messages = Table(
    "messages",
    metadata,
    key("org_id"),
    key("id"),
    Column("thread_id", String(128)),
    Column("from_agent_id", String(128), nullable=False),
    # Empty for a broadcast, so that one index serves an inbox: what is to the agent and what is to all.
    Column("to_agent_id", String(128), nullable=False, server_default=""),
    Column("message_type", String(32), nullable=False),
    Column("subject", Text),
    Column("body", Text, nullable=False),
    Column("urgency", String(16), nullable=False),
    flag("urgent"),
    Column("doc_ref", String(128)),
    json_column("metadata"),
    Column("created_at", String(32), nullable=False),
    PrimaryKeyConstraint("org_id", "id"),
    Index("messages_by_time", "org_id", "created_at"),
    Index("messages_by_recipient", "org_id", "to_agent_id", "created_at"),
    Index("messages_by_sender", "org_id", "from_agent_id", "created_at"),
    Index("messages_by_thread", "org_id", "thread_id", "created_at"),
)

# What a message is to one agent: a broadcast that one has read is new to the others.
message_states = Table(
    "message_states",
    metadata,
    key("org_id"),
    key("agent_id"),
    key("message_id"),
    Column("read_at", String(32)),
    Column("archived_at", String(32)),
    PrimaryKeyConstraint("org_id", "agent_id", "message_id"),
    Index("message_states_by_message", "org_id", "message_id", "read_at"),
)

message_threads = Table(
    "message_threads",
    metadata,
    key("org_id"),
    key("id"),
    Column("name", Text, nullable=False),
    json_column("participants", nullable=False),
    Column("status", String(16), nullable=False),
    Column("summary", Text),
    Column("created_by", String(128), nullable=False),
    Column("message_count", Integer, nullable=False, server_default="0"),
    Column("last_message_at", String(32)),
    json_column("metadata"),
    Column("created_at", String(32), nullable=False),
    Column("updated_at", String(32), nullable=False),
    Column("resolved_at", String(32)),
    PrimaryKeyConstraint("org_id", "id"),
    Index("message_threads_by_activity", "org_id", "updated_at"),
    Index("message_threads_by_status", "org_id", "status", "updated_at"),
)

# Whoever takes part in a thread: invited, its creator, or in one of its messages.
thread_agents = Table(
    "thread_agents",
    metadata,
    key("org_id"),
    key("agent_id"),
    key("thread_id"),
    PrimaryKeyConstraint("org_id", "agent_id", "thread_id"),
)

attachments = Table(
    "attachments",
    metadata,
    key("org_id"),
    key("id"),
    key("message_id"),
    Column("number", Integer, nullable=False),
    Column("filename", String(256), nullable=False),
    Column("mime_type", String(128), nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("sha256", String(64), nullable=False),
    json_column("metadata"),
    Column("created_at", String(32), nullable=False),
    PrimaryKeyConstraint("org_id", "id"),
    Index("attachments_by_message", "org_id", "message_id", "number"),
)

# In pieces, so that neither storing nor sending a file needs all of it in memory.
attachment_pieces = Table(
    "attachment_pieces",
    metadata,
    key("org_id"),
    key("attachment_id"),
    Column("number", Integer, nullable=False),
    Column("data", LargeBinary, nullable=False),
    PrimaryKeyConstraint("org_id", "attachment_id", "number"),
)

shared_docs = Table(
    "shared_docs",
    metadata,
    key("org_id"),
    key("id"),
    Column("name", String(500), nullable=False),
    Column("content", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("created_by", String(128), nullable=False),
    Column("last_edited_by", String(128), nullable=False),
    json_column("metadata"),
    Column("created_at", String(32), nullable=False),
    Column("updated_at", String(32), nullable=False),
    PrimaryKeyConstraint("org_id", "id"),
    Index("shared_docs_by_name", "org_id", "name", unique=True),
    Index("shared_docs_by_time", "org_id", "updated_at"),
)

shared_doc_versions = Table(
    "shared_doc_versions",
    metadata,
    key("org_id"),
    key("doc_id"),
    Column("version", Integer, nullable=False),
    Column("content", Text, nullable=False),
    Column("edited_by", String(128), nullable=False),
    Column("created_at", String(32), nullable=False),
    PrimaryKeyConstraint("org_id", "doc_id", "version"),
)
