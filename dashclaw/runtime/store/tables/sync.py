"""What whole states of agents were pushed, and which of their entries are stored already."""

from __future__ import annotations

from sqlalchemy import Column, PrimaryKeyConstraint, String, Table

from .columns import key, metadata
from .fields import anything, record_table, whole, words

capabilities = record_table(
    "capabilities",
    words("name", 256, required=True),
    words("description", 5000),
    words("category", 200),
    words("status", 50, default="active"),
    unique=True,
)

syncs = record_table(
    "syncs",
    anything("results"),
    whole("total_synced", default=0),
    whole("total_errors", default=0),
)

synced_entries = Table(
    "synced_entries",
    metadata,
    key("org_id"),
    key("agent_id"),
    Column("section", String(32), nullable=False),
    Column("digest", String(64), nullable=False),
    Column("created_at", String(32), nullable=False),
    PrimaryKeyConstraint("org_id", "agent_id", "section", "digest"),
)
