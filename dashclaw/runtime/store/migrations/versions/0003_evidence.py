"""Evidence and identity."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Create the tables, columns and indexes."""
    op.create_table(
        "approval_votes",
        sa.Column("org_id", sa.String(length=128), nullable=False),
        sa.Column("action_id", sa.String(length=128), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("actor_type", sa.String(length=16), nullable=False),
        sa.Column("actor_id", sa.String(length=128), nullable=False),
        sa.Column("name", sa.String(length=256), nullable=True),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("approver_roles", sa.Text(), nullable=False),
        sa.Column("own", sa.Integer(), server_default="0", nullable=False),
        sa.Column("decision", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=True),
        sa.Column("created_at", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "action_id", "number"),
    )
    op.create_index("approval_votes_by_person", "approval_votes", ["org_id", "action_id", "person"], unique=True)
    op.create_table(
        "evidence_checkpoints",
        sa.Column("org_id", sa.String(length=128), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("signature", sa.Text(), nullable=False),
        sa.Column("key_id", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "size"),
    )
    op.create_table(
        "evidence_entries",
        sa.Column("org_id", sa.String(length=128), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("event_id", sa.BigInteger(), nullable=False),
        sa.Column("salt", sa.LargeBinary(length=16), nullable=True),
        sa.Column("content", sa.LargeBinary(length=32), nullable=False),
        sa.Column("link", sa.LargeBinary(length=32), nullable=False),
        sa.Column("record", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("org_id", "seq"),
        sqlite_with_rowid=False,
    )
    op.create_index("evidence_entries_by_event", "evidence_entries", ["org_id", "event_id"], unique=True)
    op.create_table(
        "evidence_heads",
        sa.Column("org_id", sa.String(length=128), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("event_id", sa.BigInteger(), nullable=False),
        sa.Column("link", sa.LargeBinary(length=32), nullable=False),
        sa.Column("frontier", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("org_id"),
    )
    op.create_table(
        "evidence_keys",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("public_key", sa.Text(), nullable=False),
        sa.Column("created_at", sa.String(length=32), nullable=False),
        sa.Column("retired_at", sa.String(length=32), nullable=True),
        sa.Column("previous", sa.String(length=64), nullable=True),
        sa.Column("endorsement", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "policy_sets",
        sa.Column("org_id", sa.String(length=128), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("created_at", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "hash"),
    )
    op.create_table(
        "policy_versions",
        sa.Column("org_id", sa.String(length=128), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("created_at", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "hash"),
    )
    op.create_table(
        "signature_nonces",
        sa.Column("org_id", sa.String(length=128), nullable=False),
        sa.Column("agent_id", sa.String(length=128), nullable=False),
        sa.Column("nonce_hash", sa.String(length=64), nullable=False),
        sa.Column("expires_at", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "agent_id", "nonce_hash"),
    )
    op.create_index("signature_nonces_by_expiry", "signature_nonces", ["expires_at"], unique=False)
    op.add_column("actions", sa.Column("approval_needs", sa.Text(), nullable=True))
    op.add_column("api_keys", sa.Column("operator", sa.String(length=256), nullable=True))
    op.add_column("api_keys", sa.Column("approver_roles", sa.Text(), nullable=True))
    op.create_index(
        "events_by_record",
        "events",
        ["org_id", "resource_id", "id"],
        unique=False,
        sqlite_where=sa.text("event <> 'guard.decision.created'"),
        postgresql_where=sa.text("event <> 'guard.decision.created'"),
    )
    op.add_column("guard_decisions", sa.Column("policy_set", sa.String(length=64), nullable=True))
    op.add_column("guard_decisions", sa.Column("facts", sa.Text(), nullable=True))
    op.add_column("identities", sa.Column("not_before", sa.String(length=32), nullable=True))
    op.add_column("identities", sa.Column("not_after", sa.String(length=32), nullable=True))
    op.add_column("identities", sa.Column("revoked_at", sa.String(length=32), nullable=True))
    op.add_column("identities", sa.Column("revoked_by", sa.String(length=128), nullable=True))
    op.add_column("identities", sa.Column("revoke_reason", sa.Text(), nullable=True))
    op.drop_index(op.f("identities_in_force"), table_name="identities", sqlite_where=sa.text("replaced_at IS NULL"))
    op.create_index("identities_by_fingerprint", "identities", ["org_id", "fingerprint"], unique=False)
    op.create_index(
        "identities_current",
        "identities",
        ["org_id", "agent_id"],
        unique=True,
        sqlite_where=sa.text("replaced_at IS NULL AND revoked_at IS NULL"),
        postgresql_where=sa.text("replaced_at IS NULL AND revoked_at IS NULL"),
    )
