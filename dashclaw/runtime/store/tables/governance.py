"""Runs of policy tests, and what compliance reports found."""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, String, Table

from .columns import flag, json_column, key, metadata

policy_test_runs = Table(
    "policy_test_runs",
    metadata,
    Column("id", String(64), primary_key=True),
    key("org_id"),
    Column("agent_id", String(128)),
    Column("total_policies", Integer, nullable=False),
    Column("total", Integer, nullable=False),
    Column("passed", Integer, nullable=False),
    Column("failed", Integer, nullable=False),
    flag("success"),
    json_column("failures"),
    json_column("metadata"),
    Column("created_by", String(128), nullable=False),
    Column("created_at", String(32), nullable=False),
    Index("policy_test_runs_by_time", "org_id", "created_at", "id"),
)

compliance_snapshots = Table(
    "compliance_snapshots",
    metadata,
    Column("id", String(64), primary_key=True),
    key("org_id"),
    Column("framework", String(64), nullable=False),
    Column("format", String(8), nullable=False),
    Column("total_controls", Integer, nullable=False),
    Column("covered", Integer, nullable=False),
    Column("partial", Integer, nullable=False),
    Column("gaps", Integer, nullable=False),
    Column("coverage_percentage", Integer, nullable=False),
    Column("risk_level", String(16), nullable=False),
    Column("policy_revision", Integer, nullable=False),
    json_column("report"),
    Column("created_by", String(128), nullable=False),
    Column("created_at", String(32), nullable=False),
    Index("compliance_snapshots_by_framework", "org_id", "framework", "created_at", "id"),
)
