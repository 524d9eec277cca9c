"""What agents report of their surroundings: the calendar, ideas, connections to services, the state of their memory."""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, PrimaryKeyConstraint, String, Table

from .columns import key, metadata
from .fields import amount, record_table, whole, words

calendar_events = record_table(
    "calendar_events",
    words("summary", 500, required=True),
    words("start_time", 64, required=True),
    words("end_time", 64),
    words("location", 500),
    words("description", 5000),
    Index("calendar_events_by_start", "org_id", "start_time"),
)

ideas = record_table(
    "ideas",
    words("title", 500, required=True),
    words("description", 5000),
    words("body", 50_000),
    words("category", 200),
    amount("score", 100),
    words("status", 50, default="pending"),
    words("source", 500),
    whole("fun_factor", highest=100),
    whole("learning_potential", highest=100),
    whole("income_potential", highest=100),
    words("captured_at", 64),
)

connections = record_table(
    "connections",
    words("provider", 128, required=True),
    words("auth_type", 32, default="api_key"),
    words("plan_name", 256),
    words("status", 32, default="active"),
    words("reported_at", 64),
    unique=True,
)

memory_snapshots = record_table(
    "memory_snapshots",
    words("health", 128),
    amount("score", 100),
    whole("total_files"),
    whole("total_lines"),
    amount("total_size_kb"),
    whole("memory_md_lines"),
    words("oldest_daily", 64),
    words("newest_daily", 64),
    whole("days_with_notes"),
    amount("avg_lines_per_day"),
    whole("duplicates"),
    whole("stale_count"),
    whole("entities_count"),
    whole("topics_count"),
)

memory_items = Table(
    "memory_items",
    metadata,
    key("org_id"),
    key("agent_id"),
    Column("kind", String(16), nullable=False),
    Column("place", Integer, nullable=False),
    Column("name", String(256), nullable=False),
    Column("type", String(128), nullable=False),
    Column("mentions", Integer, nullable=False),
    PrimaryKeyConstraint("org_id", "agent_id", "kind", "place"),
)
