"""Approvals outside the dashboard: chat channels, their messages, and links with which one person decides."""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, String, Table, Text, text

from .columns import flag, json_column, key, metadata

_OPEN = text("closed_at IS NULL")

# `credential` is what sends (a bot's token, or the URL of an incoming webhook), `verifier` what answers are checked
# with. `approvers` are pairs of a user of the platform and a person here. `lease` is of the process that sends now.
chat_channels = Table(
    "chat_channels",
    metadata,
    Column("id", String(128), primary_key=True),
    key("org_id"),
    Column("name", String(256), nullable=False),
    Column("platform", String(16), nullable=False),
    Column("target", String(128)),
    Column("credential", Text, nullable=False),
    Column("verifier", Text, nullable=False),
    json_column("approvers", nullable=False),
    flag("active", 1),
    Column("failure_count", Integer, nullable=False, server_default="0"),
    Column("error", Text),
    Column("failed_at", String(32)),
    Column("retry_at", String(32)),
    Column("sent_at", String(32)),
    Column("lease", String(32)),
    Column("leased_until", String(32)),
    Column("created_by", String(128), nullable=False),
    Column("created_at", String(32), nullable=False),
    Column("updated_at", String(32), nullable=False),
    Index("chat_channels_by_org", "org_id", "created_at"),
)

# One per channel and action. `seen` is the state of the action (its `updated_at`) that the message shows, `reference`
# names the message at the platform. The buttons are known by the hashes of what they carry; `used_at` is there once
# one was used. A message is closed when nothing can change it any more.
chat_messages = Table(
    "chat_messages",
    metadata,
    Column("id", String(128), primary_key=True),
    key("org_id"),
    key("channel_id"),
    key("action_id"),
    Column("reference", String(256)),
    Column("seen", String(32)),
    Column("approve_hash", String(64)),
    Column("deny_hash", String(64)),
    Column("used_at", String(32)),
    Column("error", Text),
    Column("sent_at", String(32)),
    Column("give_up_at", String(32), nullable=False),
    Column("closed_at", String(32)),
    Column("created_at", String(32), nullable=False),
    Index("chat_messages_by_action", "channel_id", "action_id", unique=True),
    Index("chat_messages_by_time", "created_at"),
    Index("chat_messages_open", "channel_id", "action_id", sqlite_where=_OPEN, postgresql_where=_OPEN),
)

# `seen` is the state of the action (its `updated_at`) for which the link was made; a link decides once.
decision_links = Table(
    "decision_links",
    metadata,
    Column("id", String(128), primary_key=True),
    key("org_id"),
    key("action_id"),
    key("person_id"),
    Column("seen", String(32), nullable=False),
    Column("expires_at", String(32), nullable=False),
    Column("used_at", String(32)),
    Column("created_by", String(128), nullable=False),
    Column("created_at", String(32), nullable=False),
    Index("decision_links_by_action", "org_id", "action_id"),
    Index("decision_links_by_time", "created_at"),
)
