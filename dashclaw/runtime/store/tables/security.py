"""Findings of scans: what kind of thing stood where, never what it was."""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, String, Table

from .columns import json_column, key, metadata

security_findings = Table(
    "security_findings",
    metadata,
    Column("id", String(64), primary_key=True),
    key("org_id"),
    Column("agent_id", String(128)),
    Column("destination", String(256)),
    Column("findings_count", Integer, nullable=False),
    Column("critical_count", Integer, nullable=False),
    json_column("categories", nullable=False),
    json_column("findings", nullable=False),
    Column("created_by", String(128), nullable=False),
    json_column("metadata"),
    Column("created_at", String(32), nullable=False),
    Index("security_findings_by_time", "org_id", "created_at"),
    Index("security_findings_by_agent", "org_id", "agent_id", "created_at"),
    Index("security_findings_by_destination", "org_id", "destination", "created_at"),
)
