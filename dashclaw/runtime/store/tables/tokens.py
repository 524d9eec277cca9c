"""Reports of token usage, and the totals that are kept with them. Costs are nano-dollars."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Float, Index, Integer, PrimaryKeyConstraint, String, Table

from .columns import json_column, key, metadata


def _amounts() -> tuple[Column[int], ...]:
    return (
        Column("n", BigInteger, nullable=False),
        Column("tokens_in", BigInteger, nullable=False),
        Column("tokens_out", BigInteger, nullable=False),
        Column("cost", BigInteger, nullable=False),
    )


token_reports = Table(
    "token_reports",
    metadata,
    Column("id", String(64), primary_key=True),
    key("org_id"),
    Column("agent_id", String(128), nullable=False),
    Column("model", String(128), nullable=False),
    Column("session_key", String(128), nullable=False),
    Column("session_id", String(128)),
    Column("tokens_in", BigInteger, nullable=False),
    Column("tokens_out", BigInteger, nullable=False),
    Column("cached_tokens", BigInteger, nullable=False),
    Column("cache_write_tokens", BigInteger, nullable=False),
    Column("cost", BigInteger, nullable=False),
    Column("cost_source", String(16), nullable=False),
    Column("context_used", BigInteger, nullable=False),
    Column("context_max", BigInteger, nullable=False),
    Column("hourly_pct_left", Float, nullable=False),
    Column("weekly_pct_left", Float, nullable=False),
    Column("compactions", Integer, nullable=False),
    json_column("metadata"),
    Column("created_at", String(32), nullable=False),
    Index("token_reports_by_time", "org_id", "created_at", "id"),
    Index("token_reports_by_agent", "org_id", "agent_id", "created_at"),
    Index("token_reports_by_session", "org_id", "session_key", "created_at"),
    Index("token_reports_by_model", "org_id", "model", "created_at"),
)

token_days = Table(
    "token_days",
    metadata,
    key("org_id"),
    Column("day", String(10), nullable=False),
    key("agent_id"),
    Column("model", String(128), nullable=False),
    *_amounts(),
    PrimaryKeyConstraint("org_id", "day", "agent_id", "model"),
)

token_hours = Table(
    "token_hours",
    metadata,
    key("org_id"),
    key("agent_id"),
    Column("hour", String(13), nullable=False),
    *_amounts(),
    PrimaryKeyConstraint("org_id", "agent_id", "hour"),
)
