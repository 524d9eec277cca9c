"""The people of an organisation."""

from __future__ import annotations

from sqlalchemy import Column, Index, String, Table, Text

from .columns import json_column, key, metadata

# `email_folded` is what tells people apart in the whole installation. Of an invitation only the hash of its code is
# kept, and only until it is used.
people = Table(
    "people",
    metadata,
    Column("id", String(128), primary_key=True),
    key("org_id"),
    Column("email", String(256), nullable=False),
    Column("email_folded", String(256), nullable=False),
    Column("name", String(256)),
    Column("role", String(16), nullable=False),
    json_column("approver_roles", nullable=False, server_default="[]"),
    Column("password_hash", Text),
    Column("password_set_at", String(32)),
    Column("oidc_issuer", String(512)),
    Column("oidc_subject", String(256)),
    Column("invitation_hash", String(64)),
    Column("invitation_expires_at", String(32)),
    json_column("metadata"),
    Column("created_at", String(32), nullable=False),
    Column("updated_at", String(32), nullable=False),
    Column("disabled_at", String(32)),
    Column("last_seen_at", String(32)),
    Index("people_by_org", "org_id", "created_at"),
    Index("people_by_email", "email_folded", unique=True),
    Index("people_by_subject", "oidc_issuer", "oidc_subject", unique=True),
    Index("people_by_invitation", "invitation_hash", unique=True),
)
