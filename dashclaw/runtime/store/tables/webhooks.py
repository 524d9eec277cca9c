"""Webhooks, what is to be delivered to them, and which signals are on."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, PrimaryKeyConstraint, String, Table, Text, text

from .columns import flag, json_column, key, metadata

_OPEN = text("next_attempt_at IS NOT NULL")

# `cursor` is the last event that was looked at for this webhook.
webhooks = Table(
    "webhooks",
    metadata,
    Column("id", String(128), primary_key=True),
    key("org_id"),
    Column("url", Text, nullable=False),
    Column("secret", String(64), nullable=False),
    json_column("events", nullable=False),
    Column("format", String(16), nullable=False),
    flag("active", 1),
    Column("failure_count", Integer, nullable=False, server_default="0"),
    Column("failed_at", String(32)),
    Column("retry_at", String(32)),
    Column("disabled_at", String(32)),
    Column("disabled_reason", Text),
    Column("last_triggered_at", String(32)),
    Column("cursor", BigInteger, nullable=False),
    json_column("metadata"),
    Column("created_by", String(128), nullable=False),
    Column("created_at", String(32), nullable=False),
    Column("updated_at", String(32), nullable=False),
    Index("webhooks_by_org", "org_id", "created_at"),
    Index("webhooks_by_state", "active", "cursor"),
)

# A row per webhook and event; `next_attempt_at` is there until it is settled, `lease` while somebody sends it.
webhook_deliveries = Table(
    "webhook_deliveries",
    metadata,
    Column("id", String(128), primary_key=True),
    key("org_id"),
    key("webhook_id"),
    Column("event_id", BigInteger),
    Column("event_type", String(64), nullable=False),
    Column("payload", Text),
    Column("status", String(16), nullable=False),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("next_attempt_at", String(32)),
    Column("give_up_at", String(32), nullable=False),
    Column("lease", String(32)),
    Column("response_status", Integer),
    Column("response_body", Text),
    Column("error", Text),
    Column("attempted_at", String(32)),
    Column("duration_ms", Integer),
    Column("created_at", String(32), nullable=False),
    Index("webhook_deliveries_by_event", "webhook_id", "event_id", unique=True),
    Index("webhook_deliveries_by_hook", "org_id", "webhook_id", "created_at", "event_id"),
    Index("webhook_deliveries_by_time", "created_at"),
    Index("webhook_deliveries_open", "webhook_id", "next_attempt_at", sqlite_where=_OPEN, postgresql_where=_OPEN),
)

signal_states = Table(
    "signal_states",
    metadata,
    key("org_id"),
    Column("fingerprint", String(64), nullable=False),
    Column("type", String(64), nullable=False),
    Column("agent_id", String(128)),
    Column("began_at", String(32), nullable=False),
    PrimaryKeyConstraint("org_id", "fingerprint"),
)
