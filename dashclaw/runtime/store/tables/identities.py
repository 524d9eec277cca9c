"""Requests to pair an agent, and the public keys that agents sign with."""

from __future__ import annotations

from sqlalchemy import Column, Index, PrimaryKeyConstraint, String, Table, Text, text

from .columns import json_column, key, metadata

_IN_FORCE = text("replaced_at IS NULL")

pairings = Table(
    "pairings",
    metadata,
    key("org_id"),
    key("id"),
    key("agent_id"),
    Column("agent_name", String(256)),
    Column("algorithm", String(32), nullable=False),
    Column("public_key", Text, nullable=False),
    Column("fingerprint", String(64), nullable=False),
    Column("code", String(16), nullable=False),
    Column("status", String(16), nullable=False),
    Column("created_by", String(128), nullable=False),
    Column("decided_by", String(128)),
    Column("decided_at", String(32)),
    Column("reason", Text),
    json_column("metadata"),
    Column("expires_at", String(32), nullable=False),
    Column("created_at", String(32), nullable=False),
    Column("updated_at", String(32), nullable=False),
    PrimaryKeyConstraint("org_id", "id"),
    Index("pairings_by_time", "org_id", "created_at"),
    Index("pairings_by_status", "org_id", "status", "created_at"),
    Index("pairings_by_agent", "org_id", "agent_id", "created_at"),
)

# One row per key that an agent ever had: a signature is verified with the key of its time.
identities = Table(
    "identities",
    metadata,
    key("org_id"),
    key("id"),
    key("agent_id"),
    Column("algorithm", String(32), nullable=False),
    Column("public_key", Text, nullable=False),
    Column("fingerprint", String(64), nullable=False),
    Column("pairing_id", String(128)),
    Column("created_by", String(128), nullable=False),
    Column("replaced_at", String(32)),
    Column("replaced_by", String(128)),
    json_column("metadata"),
    Column("created_at", String(32), nullable=False),
    Column("updated_at", String(32), nullable=False),
    PrimaryKeyConstraint("org_id", "id"),
    Index(
        "identities_in_force",
        "org_id",
        "agent_id",
        unique=True,
        sqlite_where=_IN_FORCE,
        postgresql_where=_IN_FORCE,
    ),
    Index("identities_by_agent", "org_id", "agent_id", "created_at"),
)
