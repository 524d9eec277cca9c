"""The spine: organisations, keys, policies, decisions, actions, loops, assumptions, agents, events."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "action_counts",
        sa.Column("org_id", sa.String(length=128), nullable=False),
        sa.Column("agent_id", sa.String(length=128), nullable=False),
        sa.Column("swarm_id", sa.String(length=128), server_default="", nullable=False),
        sa.Column("action_type", sa.String(length=128), nullable=False),
        sa.Column("status", sa.String(length=32), nullable=False),
        sa.Column("resolution", sa.String(length=32), server_default="", nullable=False),
        sa.Column("risk_score", sa.Integer(), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("cost", sa.Float(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("org_id", "agent_id", "swarm_id", "action_type", "status", "resolution", "risk_score"),
    )
    op.create_table(
        "actions",
        sa.Column("org_id", sa.String(length=128), nullable=False),
        sa.Column("action_id", sa.String(length=128), nullable=False),
        sa.Column("agent_id", sa.String(length=128), nullable=False),
        sa.Column("agent_name", sa.String(length=256), nullable=True),
        sa.Column("swarm_id", sa.String(length=128), nullable=True),
        sa.Column("parent_action_id", sa.String(length=128), nullable=True),
        sa.Column("action_type", sa.String(length=128), nullable=False),
        sa.Column("declared_goal", sa.Text(), nullable=False),
        sa.Column("reasoning", sa.Text(), nullable=True),
        sa.Column("authorization_scope", sa.Text(), nullable=True),
        sa.Column("trigger", sa.Text(), nullable=True),
        sa.Column("systems_touched", sa.Text(), nullable=True),
        sa.Column("input_summary", sa.Text(), nullable=True),
        sa.Column("status", sa.String(length=32), nullable=False),
        sa.Column("resolution", sa.String(length=32), nullable=True),
        sa.Column("reversible", sa.Integer(), server_default="1", nullable=False),
        sa.Column("risk_score", sa.Integer(), nullable=False),
        sa.Column("confidence", sa.Integer(), nullable=True),
        sa.Column("recommendation_id", sa.String(length=128), nullable=True),
        sa.Column("recommendation_applied", sa.Integer(), server_default="0", nullable=False),
        sa.Column("recommendation_override_reason", sa.Text(), nullable=True),
        sa.Column("output_summary", sa.Text(), nullable=True),
        sa.Column("side_effects", sa.Text(), nullable=True),
        sa.Column("artifacts_created", sa.Text(), nullable=True),
        sa.Column("error_message", sa.Text(), nullable=True),
        sa.Column("timestamp_start", sa.String(length=64), nullable=False),
        sa.Column("timestamp_end", sa.String(length=64), nullable=True),
        sa.Column("duration_ms", sa.BigInteger(), nullable=True),
        sa.Column("cost_estimate", sa.Float(), nullable=True),
        sa.Column("tokens_in", sa.BigInteger(), nullable=True),
        sa.Column("tokens_out", sa.BigInteger(), nullable=True),
        sa.Column("model", sa.String(length=128), nullable=True),
        sa.Column("session_id", sa.String(length=128), nullable=True),
        sa.Column("idempotency_key", sa.String(length=256), nullable=True),
        sa.Column("metadata", sa.Text(), nullable=True),
        sa.Column("signature", sa.Text(), nullable=True),
        sa.Column("verified", sa.Integer(), server_default="0", nullable=False),
        sa.Column("created_by", sa.String(length=128), nullable=False),
        sa.Column("decision_id", sa.String(length=64), nullable=True),
        sa.Column("digest", sa.String(length=64), nullable=True),
        sa.Column("approval_status", sa.String(length=32), nullable=True),
        sa.Column("decided_by", sa.String(length=128), nullable=True),
        sa.Column("approval_at", sa.String(length=32), nullable=True),
        sa.Column("approval_reason", sa.Text(), nullable=True),
        sa.Column("approval_expires_at", sa.String(length=32), nullable=True),
        sa.Column("approval_consumed_at", sa.String(length=32), nullable=True),
        sa.Column("self_approved", sa.Integer(), server_default="0", nullable=False),
        sa.Column("created_at", sa.String(length=32), nullable=False),
        sa.Column("updated_at", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "action_id"),
    )
    op.create_index("actions_by_agent", "actions", ["org_id", "agent_id", "timestamp_start"], unique=False)
    op.create_index("actions_by_digest", "actions", ["org_id", "digest"], unique=False)
    op.create_index("actions_by_expiry", "actions", ["org_id", "approval_status", "approval_expires_at"], unique=False)
    op.create_index("actions_by_idempotency_key", "actions", ["org_id", "idempotency_key"], unique=False)
    op.create_index("actions_by_parent", "actions", ["org_id", "parent_action_id"], unique=False)
    op.create_index("actions_by_start", "actions", ["org_id", "timestamp_start"], unique=False)
    op.create_index("actions_by_status", "actions", ["org_id", "status", "timestamp_start"], unique=False)
    op.create_index("actions_by_type", "actions", ["org_id", "action_type", "timestamp_start"], unique=False)
    op.create_table(
        "agents",
        sa.Column("org_id", sa.String(length=128), nullable=False),
        sa.Column("agent_id", sa.String(length=128), nullable=False),
        sa.Column("agent_name", sa.String(length=256), nullable=True),
        sa.Column("status", sa.String(length=32), nullable=False),
        sa.Column("current_task_id", sa.String(length=128), nullable=True),
        sa.Column("metadata", sa.Text(), nullable=True),
        sa.Column("last_heartbeat_at", sa.String(length=32), nullable=False),
        sa.Column("created_at", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "agent_id"),
    )
    op.create_index("agents_by_heartbeat", "agents", ["org_id", "last_heartbeat_at"], unique=False)
    op.create_table(
        "api_keys",
        sa.Column("id", sa.String(length=128), nullable=False),
        sa.Column("org_id", sa.String(length=128), nullable=False),
        sa.Column("key_hash", sa.String(length=64), nullable=False),
        sa.Column("key_prefix", sa.String(length=16), nullable=False),
        sa.Column("label", sa.String(length=256), nullable=True),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("created_at", sa.String(length=32), nullable=False),
        sa.Column("last_used_at", sa.String(length=32), nullable=True),
        sa.Column("revoked_at", sa.String(length=32), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("key_hash"),
    )
    op.create_index("api_keys_by_org", "api_keys", ["org_id", "created_at"], unique=False)
    op.create_table(
        "assumptions",
        sa.Column("org_id", sa.String(length=128), nullable=False),
        sa.Column("assumption_id", sa.String(length=128), nullable=False),
        sa.Column("action_id", sa.String(length=128), nullable=False),
        sa.Column("assumption", sa.Text(), nullable=False),
        sa.Column("basis", sa.Text(), nullable=True),
        sa.Column("validated", sa.Integer(), server_default="0", nullable=False),
        sa.Column("validated_at", sa.String(length=32), nullable=True),
        sa.Column("invalidated", sa.Integer(), server_default="0", nullable=False),
        sa.Column("invalidated_reason", sa.Text(), nullable=True),
        sa.Column("invalidated_at", sa.String(length=32), nullable=True),
        sa.Column("metadata", sa.Text(), nullable=True),
        sa.Column("created_at", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "assumption_id"),
    )
    op.create_index("assumptions_by_action", "assumptions", ["org_id", "action_id"], unique=False)
    op.create_index("assumptions_by_invalidation", "assumptions", ["org_id", "invalidated_at"], unique=False)
    op.create_index(
        "assumptions_by_state", "assumptions", ["org_id", "validated", "invalidated", "created_at"], unique=False
    )
    op.create_table(
        "decision_counts",
        sa.Column("org_id", sa.String(length=128), nullable=False),
        sa.Column("agent_id", sa.String(length=128), server_default="", nullable=False),
        sa.Column("decision", sa.String(length=32), nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "agent_id", "decision"),
    )
    op.create_table(
        "decision_hours",
        sa.Column("org_id", sa.String(length=128), nullable=False),
        sa.Column("hour", sa.String(length=13), nullable=False),
        sa.Column("decision", sa.String(length=32), nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "hour", "decision"),
    )
    op.create_table(
        "events",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("org_id", sa.String(length=128), nullable=False),
        sa.Column("event", sa.String(length=64), nullable=False),
        sa.Column("actor_type", sa.String(length=16), nullable=False),
        sa.Column("actor_id", sa.String(length=128), nullable=False),
        sa.Column("agent_id", sa.String(length=128), nullable=True),
        sa.Column("resource_type", sa.String(length=64), nullable=False),
        sa.Column("resource_id", sa.String(length=128), nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
        sa.Column("created_at", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "events_by_actor",
        "events",
        ["org_id", "actor_id", "created_at", "id"],
        unique=False,
        sqlite_where=sa.text("event <> 'guard.decision.created'"),
        postgresql_where=sa.text("event <> 'guard.decision.created'"),
    )
    op.create_index(
        "events_by_agent",
        "events",
        ["org_id", "agent_id", "created_at", "id"],
        unique=False,
        sqlite_where=sa.text("event <> 'guard.decision.created'"),
        postgresql_where=sa.text("event <> 'guard.decision.created'"),
    )
    op.create_index(
        "events_by_name",
        "events",
        ["org_id", "event", "created_at", "id"],
        unique=False,
        sqlite_where=sa.text("event <> 'guard.decision.created'"),
        postgresql_where=sa.text("event <> 'guard.decision.created'"),
    )
    op.create_index("events_by_org", "events", ["org_id", "id"], unique=False)
    op.create_index(
        "events_by_resource",
        "events",
        ["org_id", "resource_type", "created_at", "id"],
        unique=False,
        sqlite_where=sa.text("event <> 'guard.decision.created'"),
        postgresql_where=sa.text("event <> 'guard.decision.created'"),
    )
    op.create_index(
        "events_by_time",
        "events",
        ["org_id", "created_at", "id"],
        unique=False,
        sqlite_where=sa.text("event <> 'guard.decision.created'"),
        postgresql_where=sa.text("event <> 'guard.decision.created'"),
    )
    op.create_table(
        "guard_decisions",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("org_id", sa.String(length=128), nullable=False),
        sa.Column("agent_id", sa.String(length=128), nullable=True),
        sa.Column("action_type", sa.String(length=128), nullable=False),
        sa.Column("decision", sa.String(length=32), nullable=False),
        sa.Column("risk_score", sa.Integer(), nullable=False),
        sa.Column("risk_breakdown", sa.Text(), nullable=True),
        sa.Column("reasons", sa.Text(), nullable=True),
        sa.Column("warnings", sa.Text(), nullable=True),
        sa.Column("matched_policies", sa.Text(), nullable=True),
        sa.Column("context", sa.Text(), nullable=True),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("degraded", sa.Integer(), server_default="0", nullable=False),
        sa.Column("action_id", sa.String(length=128), nullable=True),
        sa.Column("created_at", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("guard_decisions_by_agent", "guard_decisions", ["org_id", "agent_id", "created_at"], unique=False)
    op.create_index(
        "guard_decisions_by_decision", "guard_decisions", ["org_id", "decision", "created_at"], unique=False
    )
    op.create_index("guard_decisions_by_time", "guard_decisions", ["org_id", "created_at"], unique=False)
    op.create_table(
        "idempotency",
        sa.Column("org_id", sa.String(length=128), nullable=False),
        sa.Column("key", sa.String(length=256), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("body", sa.Text(), nullable=True),
        sa.Column("created_at", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "key"),
    )
    op.create_index("idempotency_by_time", "idempotency", ["created_at"], unique=False)
    op.create_table(
        "loops",
        sa.Column("org_id", sa.String(length=128), nullable=False),
        sa.Column("loop_id", sa.String(length=128), nullable=False),
        sa.Column("action_id", sa.String(length=128), nullable=False),
        sa.Column("loop_type", sa.String(length=32), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("priority", sa.String(length=16), nullable=False),
        sa.Column("owner", sa.String(length=256), nullable=True),
        sa.Column("resolution", sa.Text(), nullable=True),
        sa.Column("metadata", sa.Text(), nullable=True),
        sa.Column("created_at", sa.String(length=32), nullable=False),
        sa.Column("resolved_at", sa.String(length=32), nullable=True),
        sa.PrimaryKeyConstraint("org_id", "loop_id"),
    )
    op.create_index("loops_by_action", "loops", ["org_id", "action_id"], unique=False)
    op.create_index("loops_by_status", "loops", ["org_id", "status", "created_at"], unique=False)
    op.create_table(
        "organizations",
        sa.Column("id", sa.String(length=128), nullable=False),
        sa.Column("name", sa.String(length=256), nullable=False),
        sa.Column("slug", sa.String(length=64), nullable=False),
        sa.Column("plan", sa.String(length=32), server_default="free", nullable=False),
        sa.Column("settings", sa.Text(), server_default="{}", nullable=False),
        sa.Column("policy_revision", sa.Integer(), server_default="0", nullable=False),
        sa.Column("created_at", sa.String(length=32), nullable=False),
        sa.Column("updated_at", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("slug"),
    )
    op.create_table(
        "policies",
        sa.Column("id", sa.String(length=128), nullable=False),
        sa.Column("org_id", sa.String(length=128), nullable=False),
        sa.Column("name", sa.String(length=256), nullable=False),
        sa.Column("policy_type", sa.String(length=64), nullable=False),
        sa.Column("rules", sa.Text(), nullable=False),
        sa.Column("active", sa.Integer(), server_default="1", nullable=False),
        sa.Column("agent_ids", sa.Text(), nullable=True),
        sa.Column("metadata", sa.Text(), nullable=True),
        sa.Column("created_by", sa.String(length=128), nullable=True),
        sa.Column("created_at", sa.String(length=32), nullable=False),
        sa.Column("updated_at", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("policies_by_name", "policies", ["org_id", "name"], unique=True)
