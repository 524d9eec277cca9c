"""Who is signed in to the dashboard, and the secret that signs its cookies."""

from __future__ import annotations

from sqlalchemy import Column, Index, String, Table, Text

from .columns import key, metadata

# A session is known by the hash of its token. `previous_hash` is that of the token before the last rotation, which
# requests under way still carry. `subject_check` tells a credential that is kept nowhere else.
web_sessions = Table(
    "web_sessions",
    metadata,
    Column("id", String(128), primary_key=True),
    key("org_id"),
    Column("token_hash", String(64), nullable=False),
    Column("previous_hash", String(64)),
    Column("subject_type", String(16), nullable=False),
    key("subject_id"),
    Column("subject_check", String(64)),
    Column("address", String(64)),
    Column("user_agent", Text),
    Column("created_at", String(32), nullable=False),
    Column("seen_at", String(32), nullable=False),
    Column("rotated_at", String(32), nullable=False),
    Index("web_sessions_by_token", "token_hash", unique=True),
    Index("web_sessions_by_previous", "previous_hash"),
    Index("web_sessions_by_subject", "org_id", "subject_id"),
    Index("web_sessions_by_time", "seen_at"),
)

site_secrets = Table(
    "site_secrets",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("value", Text, nullable=False),
    Column("created_at", String(32), nullable=False),
)
