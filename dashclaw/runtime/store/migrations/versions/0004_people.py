"""People, their sessions and where they decide."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Create the tables, columns and indexes."""
    op.create_table(
        "people",
        sa.Column("id", sa.String(length=128), nullable=False),
        sa.Column("org_id", sa.String(length=128), nullable=False),
        sa.Column("email", sa.String(length=256), nullable=False),
        sa.Column("email_folded", sa.String(length=256), nullable=False),
        sa.Column("name", sa.String(length=256), nullable=True),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("approver_roles", sa.Text(), server_default="[]", nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=True),
        sa.Column("password_set_at", sa.String(length=32), nullable=True),
        sa.Column("oidc_issuer", sa.String(length=512), nullable=True),
        sa.Column("oidc_subject", sa.String(length=256), nullable=True),
        sa.Column("invitation_hash", sa.String(length=64), nullable=True),
        sa.Column("invitation_expires_at", sa.String(length=32), nullable=True),
        sa.Column("metadata", sa.Text(), nullable=True),
        sa.Column("created_at", sa.String(length=32), nullable=False),
        sa.Column("updated_at", sa.String(length=32), nullable=False),
        sa.Column("disabled_at", sa.String(length=32), nullable=True),
        sa.Column("last_seen_at", sa.String(length=32), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("people_by_email", "people", ["email_folded"], unique=True)
    op.create_index("people_by_invitation", "people", ["invitation_hash"], unique=True)
    op.create_index("people_by_org", "people", ["org_id", "created_at"], unique=False)
    op.create_index("people_by_subject", "people", ["oidc_issuer", "oidc_subject"], unique=True)
    op.create_table(
        "site_secrets",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("created_at", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "web_sessions",
        sa.Column("id", sa.String(length=128), nullable=False),
        sa.Column("org_id", sa.String(length=128), nullable=False),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("previous_hash", sa.String(length=64), nullable=True),
        sa.Column("subject_type", sa.String(length=16), nullable=False),
        sa.Column("subject_id", sa.String(length=128), nullable=False),
        sa.Column("subject_check", sa.String(length=64), nullable=True),
        sa.Column("address", sa.String(length=64), nullable=True),
        sa.Column("user_agent", sa.Text(), nullable=True),
        sa.Column("created_at", sa.String(length=32), nullable=False),
        sa.Column("seen_at", sa.String(length=32), nullable=False),
        sa.Column("rotated_at", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("web_sessions_by_previous", "web_sessions", ["previous_hash"], unique=False)
    op.create_index("web_sessions_by_subject", "web_sessions", ["org_id", "subject_id"], unique=False)
    op.create_index("web_sessions_by_time", "web_sessions", ["seen_at"], unique=False)
    op.create_index("web_sessions_by_token", "web_sessions", ["token_hash"], unique=True)
    op.create_index(
        "actions_by_answer",
        "actions",
        ["org_id", "timestamp_start", "approval_status"],
        unique=False,
        sqlite_where=sa.text("approval_status IS NOT NULL"),
        postgresql_where=sa.text("approval_status IS NOT NULL"),
    )
    op.create_index(
        "actions_by_decision",
        "actions",
        ["org_id", "approval_status", "approval_at"],
        unique=False,
        sqlite_where=sa.text("approval_status IS NOT NULL"),
        postgresql_where=sa.text("approval_status IS NOT NULL"),
    )
    op.drop_index("actions_by_parent", table_name="actions")
    op.create_index(
        "actions_by_parent",
        "actions",
        ["org_id", "parent_action_id", "timestamp_start"],
        unique=False,
        sqlite_where=sa.text("parent_action_id IS NOT NULL"),
        postgresql_where=sa.text("parent_action_id IS NOT NULL"),
    )
    op.create_index(
        "actions_by_session",
        "actions",
        ["org_id", "session_id", "timestamp_start", "agent_id"],
        unique=False,
        sqlite_where=sa.text("session_id IS NOT NULL"),
        postgresql_where=sa.text("session_id IS NOT NULL"),
    )
    op.create_index(
        "actions_by_similarity",
        "actions",
        ["org_id", "agent_id", "action_type", "timestamp_start"],
        unique=False,
        sqlite_where=sa.text("approval_status IS NOT NULL"),
        postgresql_where=sa.text("approval_status IS NOT NULL"),
    )
