"""Scored actions, the recommendations learnt from them, and what became of those."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Float, Index, Integer, PrimaryKeyConstraint, String, Table

from .columns import flag, json_column, key, metadata

episodes = Table(
    "episodes",
    metadata,
    key("org_id"),
    key("action_id"),
    Column("id", String(64), nullable=False),
    key("agent_id"),
    Column("action_type", String(128), nullable=False),
    Column("status", String(32), nullable=False),
    Column("label", String(16), nullable=False),
    Column("score", Integer, nullable=False),
    Column("risk_score", Integer, nullable=False),
    flag("reversible", 1),
    Column("confidence", Integer),
    Column("duration_ms", BigInteger),
    Column("cost_estimate", Float),
    Column("invalidated_assumptions", Integer, nullable=False),
    Column("open_loops", Integer, nullable=False),
    Column("recommendation_id", String(128)),
    flag("recommendation_applied"),
    Column("created_at", String(32), nullable=False),
    Column("updated_at", String(32), nullable=False),
    PrimaryKeyConstraint("org_id", "action_id"),
    Index("episodes_by_time", "org_id", "updated_at"),
    Index("episodes_by_agent", "org_id", "agent_id", "updated_at"),
    Index("episodes_by_type", "org_id", "action_type", "updated_at"),
)

recommendations = Table(
    "recommendations",
    metadata,
    key("org_id"),
    key("id"),
    key("agent_id"),
    Column("action_type", String(128), nullable=False),
    Column("confidence", Integer, nullable=False),
    Column("sample_size", Integer, nullable=False),
    Column("top_sample_size", Integer, nullable=False),
    Column("success_rate", Float, nullable=False),
    Column("avg_score", Float, nullable=False),
    json_column("hints", nullable=False),
    json_column("guidance", nullable=False),
    flag("active", 1),
    Column("computed_at", String(32), nullable=False),
    Column("created_at", String(32), nullable=False),
    Column("updated_at", String(32), nullable=False),
    PrimaryKeyConstraint("org_id", "id"),
    Index("recommendations_by_group", "org_id", "agent_id", "action_type", unique=True),
    Index("recommendations_by_confidence", "org_id", "confidence", "sample_size"),
)

recommendation_events = Table(
    "recommendation_events",
    metadata,
    key("org_id"),
    key("id"),
    Column("recommendation_id", String(128)),
    Column("agent_id", String(128)),
    Column("action_id", String(128)),
    Column("event_type", String(16), nullable=False),
    Column("event_key", String(200)),
    json_column("details"),
    json_column("metadata"),
    Column("created_at", String(32), nullable=False),
    PrimaryKeyConstraint("org_id", "id"),
    Index("recommendation_events_by_key", "org_id", "event_key", unique=True),
    Index("recommendation_events_by_recommendation", "org_id", "recommendation_id", "created_at"),
)
