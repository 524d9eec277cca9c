"""Policies and sets of them as they were when they decided, each under the hash of its text."""

from __future__ import annotations

from sqlalchemy import Column, PrimaryKeyConstraint, String, Table, Text

from .columns import key, metadata


def _texts(name: str) -> Table:
    return Table(
        name,
        metadata,
        key("org_id"),
        Column("hash", String(64), nullable=False),
        Column("document", Text, nullable=False),
        Column("created_at", String(32), nullable=False),
        PrimaryKeyConstraint("org_id", "hash"),
    )


policy_versions = _texts("policy_versions")
policy_sets = _texts("policy_sets")
