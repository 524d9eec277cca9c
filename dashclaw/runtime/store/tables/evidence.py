"""The chain over the events: an entry per event, its newest end, signed checkpoints and the keys that sign them."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, LargeBinary, PrimaryKeyConstraint, String, Table, Text

from .columns import json_column, key, metadata

# `record` is kept only once the event itself was removed. An entry without a salt had its text erased.
evidence_entries = Table(
    "evidence_entries",
    metadata,
    key("org_id"),
    Column("seq", BigInteger, nullable=False),
    Column("event_id", BigInteger, nullable=False),
    Column("salt", LargeBinary(16)),
    Column("content", LargeBinary(32), nullable=False),
    Column("link", LargeBinary(32), nullable=False),
    Column("record", Text),
    PrimaryKeyConstraint("org_id", "seq"),
    Index("evidence_entries_by_event", "org_id", "event_id", unique=True),
    sqlite_with_rowid=False,
)

evidence_heads = Table(
    "evidence_heads",
    metadata,
    Column("org_id", String(128), primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("event_id", BigInteger, nullable=False),
    Column("link", LargeBinary(32), nullable=False),
    Column("frontier", LargeBinary, nullable=False),
)

evidence_checkpoints = Table(
    "evidence_checkpoints",
    metadata,
    key("org_id"),
    Column("size", BigInteger, nullable=False),
    Column("text", Text, nullable=False),
    Column("signature", Text, nullable=False),
    Column("key_id", String(64), nullable=False),
    Column("created_at", String(32), nullable=False),
    PrimaryKeyConstraint("org_id", "size"),
)

evidence_keys = Table(
    "evidence_keys",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("public_key", Text, nullable=False),
    Column("created_at", String(32), nullable=False),
    Column("retired_at", String(32)),
    Column("previous", String(64)),
    json_column("endorsement"),
)
