"""What people decided about actions that waited."""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, PrimaryKeyConstraint, String, Table, Text

from .columns import flag, json_column, key, metadata

# One row per decision of a person, only ever added to. `number` counts those about one action; `person` is who votes
# only once, whichever key is used; `digest` is that of the body that was decided about.
approval_votes = Table(
    "approval_votes",
    metadata,
    key("org_id"),
    key("action_id"),
    Column("number", Integer, nullable=False),
    Column("person", Text, nullable=False),
    Column("actor_type", String(16), nullable=False),
    Column("actor_id", String(128), nullable=False),
    Column("name", String(256)),
    Column("role", String(16), nullable=False),
    json_column("approver_roles", nullable=False),
    flag("own"),
    Column("decision", String(16), nullable=False),
    Column("reason", Text),
    json_column("origin", nullable=False),
    Column("digest", String(64)),
    Column("created_at", String(32), nullable=False),
    PrimaryKeyConstraint("org_id", "action_id", "number"),
    Index("approval_votes_by_person", "org_id", "action_id", "person", unique=True),
)
