"""Requests to pair an agent, the public keys that agents sign with, and the nonces that they used."""

from __future__ import annotations

from sqlalchemy import Column, Index, PrimaryKeyConstraint, String, Table, Text, text

from .columns import json_column, key, metadata

_CURRENT = text("replaced_at IS NULL AND revoked_at IS NULL")

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

# One row per key that an agent ever had, never deleted. A key is valid from `not_before` until `not_after`; one that
# was replaced without a `not_after` ended when it was replaced, and one that was revoked verifies nothing any more.
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
    Column("not_before", String(32)),
    Column("not_after", String(32)),
    Column("replaced_at", String(32)),
    Column("replaced_by", String(128)),
    Column("revoked_at", String(32)),
    Column("revoked_by", String(128)),
    Column("revoke_reason", Text),
    json_column("metadata"),
    Column("created_at", String(32), nullable=False),
    Column("updated_at", String(32), nullable=False),
    PrimaryKeyConstraint("org_id", "id"),
    Index(
        "identities_current",
        "org_id",
        "agent_id",
        unique=True,
        sqlite_where=_CURRENT,
        postgresql_where=_CURRENT,
    ),
    Index("identities_by_agent", "org_id", "agent_id", "created_at"),
    Index("identities_by_fingerprint", "org_id", "fingerprint"),
)

# What was signed once is not accepted again; a row can go when its time stamp alone would be refused.
signature_nonces = Table(
    "signature_nonces",
    metadata,
    key("org_id"),
    key("agent_id"),
    Column("nonce_hash", String(64), nullable=False),
    Column("expires_at", String(32), nullable=False),
    PrimaryKeyConstraint("org_id", "agent_id", "nonce_hash"),
    Index("signature_nonces_by_expiry", "expires_at"),
)
