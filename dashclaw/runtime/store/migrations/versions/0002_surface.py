"""The other documented categories."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "agent_schedules",
        sa.Column("org_id", sa.String(length=128), nullable=False),
        sa.Column("id", sa.String(length=128), nullable=False),
        sa.Column("agent_id", sa.String(length=128), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("cron_expression", sa.String(length=200), nullable=False),
        sa.Column("timezone", sa.String(length=64), nullable=False),
        sa.Column("enabled", sa.Integer(), server_default="1", nullable=False),
        sa.Column("missed", sa.String(length=16), nullable=False),
        sa.Column("task", sa.Text(), nullable=False),
        sa.Column("next_run", sa.String(length=32), nullable=True),
        sa.Column("last_run", sa.String(length=32), nullable=True),
        sa.Column("last_task_id", sa.String(length=128), nullable=True),
        sa.Column("run_count", sa.Integer(), nullable=False),
        sa.Column("metadata", sa.Text(), nullable=True),
        sa.Column("created_by", sa.String(length=128), nullable=False),
        sa.Column("created_at", sa.String(length=32), nullable=False),
        sa.Column("updated_at", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "id"),
    )
    op.create_index(
        "agent_schedules_by_agent", "agent_schedules", ["org_id", "agent_id", "created_at", "id"], unique=False
    )
    op.create_index("agent_schedules_due", "agent_schedules", ["org_id", "next_run"], unique=False)
    op.create_table(
        "approaches",
        sa.Column("org_id", sa.String(length=128), nullable=False),
        sa.Column("id", sa.String(length=128), nullable=False),
        sa.Column("agent_id", sa.String(length=128), nullable=True),
        sa.Column("user_id", sa.Text(), nullable=True),
        sa.Column("approach", sa.Text(), nullable=False),
        sa.Column("context", sa.Text(), nullable=True),
        sa.Column("succeeded", sa.Integer(), nullable=True),
        sa.Column("success_count", sa.Integer(), server_default="0", nullable=False),
        sa.Column("fail_count", sa.Integer(), server_default="0", nullable=False),
        sa.Column("metadata", sa.Text(), nullable=True),
        sa.Column("created_at", sa.String(length=32), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("updated_at", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "id"),
    )
    op.create_index("approaches_by_agent", "approaches", ["org_id", "agent_id", "created_at"], unique=False)
    op.create_index("approaches_by_digest", "approaches", ["org_id", "digest"], unique=True)
    op.create_index(
        "approaches_by_success", "approaches", ["org_id", "agent_id", "success_count", "created_at"], unique=False
    )
    op.create_index("approaches_by_time", "approaches", ["org_id", "created_at"], unique=False)
    op.create_table(
        "attachment_pieces",
        sa.Column("org_id", sa.String(length=128), nullable=False),
        sa.Column("attachment_id", sa.String(length=128), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "attachment_id", "number"),
    )
    op.create_table(
        "attachments",
        sa.Column("org_id", sa.String(length=128), nullable=False),
        sa.Column("id", sa.String(length=128), nullable=False),
        sa.Column("message_id", sa.String(length=128), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("filename", sa.String(length=256), nullable=False),
        sa.Column("mime_type", sa.String(length=128), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("metadata", sa.Text(), nullable=True),
        sa.Column("created_at", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "id"),
    )
    op.create_index("attachments_by_message", "attachments", ["org_id", "message_id", "number"], unique=False)
    op.create_table(
        "calendar_events",
        sa.Column("org_id", sa.String(length=128), nullable=False),
        sa.Column("id", sa.String(length=128), nullable=False),
        sa.Column("agent_id", sa.String(length=128), nullable=True),
        sa.Column("summary", sa.Text(), nullable=False),
        sa.Column("start_time", sa.Text(), nullable=False),
        sa.Column("end_time", sa.Text(), nullable=True),
        sa.Column("location", sa.Text(), nullable=True),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("metadata", sa.Text(), nullable=True),
        sa.Column("created_at", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "id"),
    )
    op.create_index("calendar_events_by_agent", "calendar_events", ["org_id", "agent_id", "created_at"], unique=False)
    op.create_index("calendar_events_by_start", "calendar_events", ["org_id", "start_time"], unique=False)
    op.create_index("calendar_events_by_time", "calendar_events", ["org_id", "created_at"], unique=False)
    op.create_table(
        "capabilities",
        sa.Column("org_id", sa.String(length=128), nullable=False),
        sa.Column("id", sa.String(length=128), nullable=False),
        sa.Column("agent_id", sa.String(length=128), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("category", sa.Text(), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("metadata", sa.Text(), nullable=True),
        sa.Column("created_at", sa.String(length=32), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("updated_at", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "id"),
    )
    op.create_index("capabilities_by_agent", "capabilities", ["org_id", "agent_id", "created_at"], unique=False)
    op.create_index("capabilities_by_digest", "capabilities", ["org_id", "digest"], unique=True)
    op.create_index("capabilities_by_time", "capabilities", ["org_id", "created_at"], unique=False)
    op.create_table(
        "compliance_snapshots",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("org_id", sa.String(length=128), nullable=False),
        sa.Column("framework", sa.String(length=64), nullable=False),
        sa.Column("format", sa.String(length=8), nullable=False),
        sa.Column("total_controls", sa.Integer(), nullable=False),
        sa.Column("covered", sa.Integer(), nullable=False),
        sa.Column("partial", sa.Integer(), nullable=False),
        sa.Column("gaps", sa.Integer(), nullable=False),
        sa.Column("coverage_percentage", sa.Integer(), nullable=False),
        sa.Column("risk_level", sa.String(length=16), nullable=False),
        sa.Column("policy_revision", sa.Integer(), nullable=False),
        sa.Column("report", sa.Text(), nullable=True),
        sa.Column("created_by", sa.String(length=128), nullable=False),
        sa.Column("created_at", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "compliance_snapshots_by_framework",
        "compliance_snapshots",
        ["org_id", "framework", "created_at", "id"],
        unique=False,
    )
    op.create_table(
        "connections",
        sa.Column("org_id", sa.String(length=128), nullable=False),
        sa.Column("id", sa.String(length=128), nullable=False),
        sa.Column("agent_id", sa.String(length=128), nullable=True),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("auth_type", sa.Text(), nullable=False),
        sa.Column("plan_name", sa.Text(), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("reported_at", sa.Text(), nullable=True),
        sa.Column("metadata", sa.Text(), nullable=True),
        sa.Column("created_at", sa.String(length=32), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("updated_at", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "id"),
    )
    op.create_index("connections_by_agent", "connections", ["org_id", "agent_id", "created_at"], unique=False)
    op.create_index("connections_by_digest", "connections", ["org_id", "digest"], unique=True)
    op.create_index("connections_by_time", "connections", ["org_id", "created_at"], unique=False)
    op.create_table(
        "content",
        sa.Column("org_id", sa.String(length=128), nullable=False),
        sa.Column("id", sa.String(length=128), nullable=False),
        sa.Column("agent_id", sa.String(length=128), nullable=True),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("content_type", sa.Text(), nullable=True),
        sa.Column("platform", sa.Text(), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=True),
        sa.Column("body", sa.Text(), nullable=True),
        sa.Column("metadata", sa.Text(), nullable=True),
        sa.Column("created_at", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "id"),
    )
    op.create_index("content_by_agent", "content", ["org_id", "agent_id", "created_at"], unique=False)
    op.create_index("content_by_time", "content", ["org_id", "created_at"], unique=False)
    op.create_table(
        "context_entries",
        sa.Column("org_id", sa.String(length=128), nullable=False),
        sa.Column("id", sa.String(length=128), nullable=False),
        sa.Column("agent_id", sa.String(length=128), nullable=True),
        sa.Column("thread_id", sa.String(length=128), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("entry_type", sa.Text(), nullable=False),
        sa.Column("metadata", sa.Text(), nullable=True),
        sa.Column("created_at", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "id"),
    )
    op.create_index("context_entries_by_agent", "context_entries", ["org_id", "agent_id", "created_at"], unique=False)
    op.create_index("context_entries_by_thread", "context_entries", ["org_id", "thread_id", "created_at"], unique=False)
    op.create_index("context_entries_by_time", "context_entries", ["org_id", "created_at"], unique=False)
    op.create_table(
        "context_points",
        sa.Column("org_id", sa.String(length=128), nullable=False),
        sa.Column("id", sa.String(length=128), nullable=False),
        sa.Column("agent_id", sa.String(length=128), nullable=True),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("category", sa.Text(), nullable=False),
        sa.Column("importance", sa.Integer(), nullable=False),
        sa.Column("session_date", sa.Text(), nullable=True),
        sa.Column("compressed", sa.Integer(), server_default="0", nullable=False),
        sa.Column("metadata", sa.Text(), nullable=True),
        sa.Column("created_at", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "id"),
    )
    op.create_index("context_points_by_agent", "context_points", ["org_id", "agent_id", "created_at"], unique=False)
    op.create_index(
        "context_points_by_day",
        "context_points",
        ["org_id", "agent_id", "session_date", "importance", "created_at"],
        unique=False,
    )
    op.create_index(
        "context_points_by_importance",
        "context_points",
        ["org_id", "agent_id", "importance", "created_at"],
        unique=False,
    )
    op.create_index("context_points_by_time", "context_points", ["org_id", "created_at"], unique=False)
    op.create_table(
        "context_threads",
        sa.Column("org_id", sa.String(length=128), nullable=False),
        sa.Column("id", sa.String(length=128), nullable=False),
        sa.Column("agent_id", sa.String(length=128), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("summary", sa.Text(), nullable=True),
        sa.Column("status", sa.String(length=16), server_default="active", nullable=False),
        sa.Column("metadata", sa.Text(), nullable=True),
        sa.Column("created_at", sa.String(length=32), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("updated_at", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "id"),
    )
    op.create_index("context_threads_by_agent", "context_threads", ["org_id", "agent_id", "created_at"], unique=False)
    op.create_index("context_threads_by_change", "context_threads", ["org_id", "agent_id", "updated_at"], unique=False)
    op.create_index("context_threads_by_digest", "context_threads", ["org_id", "digest"], unique=True)
    op.create_index("context_threads_by_time", "context_threads", ["org_id", "created_at"], unique=False)
    op.create_table(
        "episodes",
        sa.Column("org_id", sa.String(length=128), nullable=False),
        sa.Column("action_id", sa.String(length=128), nullable=False),
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("agent_id", sa.String(length=128), nullable=False),
        sa.Column("action_type", sa.String(length=128), nullable=False),
        sa.Column("status", sa.String(length=32), nullable=False),
        sa.Column("label", sa.String(length=16), nullable=False),
        sa.Column("score", sa.Integer(), nullable=False),
        sa.Column("risk_score", sa.Integer(), nullable=False),
        sa.Column("reversible", sa.Integer(), server_default="1", nullable=False),
        sa.Column("confidence", sa.Integer(), nullable=True),
        sa.Column("duration_ms", sa.BigInteger(), nullable=True),
        sa.Column("cost_estimate", sa.Float(), nullable=True),
        sa.Column("invalidated_assumptions", sa.Integer(), nullable=False),
        sa.Column("open_loops", sa.Integer(), nullable=False),
        sa.Column("recommendation_id", sa.String(length=128), nullable=True),
        sa.Column("recommendation_applied", sa.Integer(), server_default="0", nullable=False),
        sa.Column("created_at", sa.String(length=32), nullable=False),
        sa.Column("updated_at", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "action_id"),
    )
    op.create_index("episodes_by_agent", "episodes", ["org_id", "agent_id", "updated_at"], unique=False)
    op.create_index("episodes_by_time", "episodes", ["org_id", "updated_at"], unique=False)
    op.create_index("episodes_by_type", "episodes", ["org_id", "action_type", "updated_at"], unique=False)
    op.create_table(
        "goals",
        sa.Column("org_id", sa.String(length=128), nullable=False),
        sa.Column("id", sa.String(length=128), nullable=False),
        sa.Column("agent_id", sa.String(length=128), nullable=True),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("category", sa.Text(), nullable=True),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("priority", sa.Text(), nullable=True),
        sa.Column("deadline", sa.Text(), nullable=True),
        sa.Column("target_date", sa.Text(), nullable=True),
        sa.Column("progress", sa.Integer(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("cost_estimate", sa.Float(), nullable=True),
        sa.Column("metadata", sa.Text(), nullable=True),
        sa.Column("created_at", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "id"),
    )
    op.create_index("goals_by_agent", "goals", ["org_id", "agent_id", "created_at"], unique=False)
    op.create_index("goals_by_time", "goals", ["org_id", "created_at"], unique=False)
    op.create_table(
        "handoffs",
        sa.Column("org_id", sa.String(length=128), nullable=False),
        sa.Column("id", sa.String(length=128), nullable=False),
        sa.Column("agent_id", sa.String(length=128), nullable=True),
        sa.Column("summary", sa.Text(), nullable=False),
        sa.Column("session_date", sa.Text(), nullable=True),
        sa.Column("context", sa.Text(), nullable=True),
        sa.Column("tags", sa.Text(), nullable=True),
        sa.Column("key_decisions", sa.Text(), nullable=True),
        sa.Column("open_tasks", sa.Text(), nullable=True),
        sa.Column("next_priorities", sa.Text(), nullable=True),
        sa.Column("mood_notes", sa.Text(), nullable=True),
        sa.Column("metadata", sa.Text(), nullable=True),
        sa.Column("created_at", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "id"),
    )
    op.create_index("handoffs_by_agent", "handoffs", ["org_id", "agent_id", "created_at"], unique=False)
    op.create_index("handoffs_by_date", "handoffs", ["org_id", "session_date", "created_at"], unique=False)
    op.create_index("handoffs_by_time", "handoffs", ["org_id", "created_at"], unique=False)
    op.create_table(
        "ideas",
        sa.Column("org_id", sa.String(length=128), nullable=False),
        sa.Column("id", sa.String(length=128), nullable=False),
        sa.Column("agent_id", sa.String(length=128), nullable=True),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("body", sa.Text(), nullable=True),
        sa.Column("category", sa.Text(), nullable=True),
        sa.Column("score", sa.Float(), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=True),
        sa.Column("fun_factor", sa.Integer(), nullable=True),
        sa.Column("learning_potential", sa.Integer(), nullable=True),
        sa.Column("income_potential", sa.Integer(), nullable=True),
        sa.Column("captured_at", sa.Text(), nullable=True),
        sa.Column("metadata", sa.Text(), nullable=True),
        sa.Column("created_at", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "id"),
    )
    op.create_index("ideas_by_agent", "ideas", ["org_id", "agent_id", "created_at"], unique=False)
    op.create_index("ideas_by_time", "ideas", ["org_id", "created_at"], unique=False)
    op.create_table(
        "identities",
        sa.Column("org_id", sa.String(length=128), nullable=False),
        sa.Column("id", sa.String(length=128), nullable=False),
        sa.Column("agent_id", sa.String(length=128), nullable=False),
        sa.Column("algorithm", sa.String(length=32), nullable=False),
        sa.Column("public_key", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("pairing_id", sa.String(length=128), nullable=True),
        sa.Column("created_by", sa.String(length=128), nullable=False),
        sa.Column("replaced_at", sa.String(length=32), nullable=True),
        sa.Column("replaced_by", sa.String(length=128), nullable=True),
        sa.Column("metadata", sa.Text(), nullable=True),
        sa.Column("created_at", sa.String(length=32), nullable=False),
        sa.Column("updated_at", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "id"),
    )
    op.create_index("identities_by_agent", "identities", ["org_id", "agent_id", "created_at"], unique=False)
    op.create_index(
        "identities_in_force",
        "identities",
        ["org_id", "agent_id"],
        unique=True,
        sqlite_where=sa.text("replaced_at IS NULL"),
        postgresql_where=sa.text("replaced_at IS NULL"),
    )
    op.create_table(
        "interactions",
        sa.Column("org_id", sa.String(length=128), nullable=False),
        sa.Column("id", sa.String(length=128), nullable=False),
        sa.Column("agent_id", sa.String(length=128), nullable=True),
        sa.Column("summary", sa.Text(), nullable=False),
        sa.Column("contact_name", sa.Text(), nullable=True),
        sa.Column("contact_id", sa.Integer(), nullable=True),
        sa.Column("direction", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("platform", sa.Text(), nullable=True),
        sa.Column("date", sa.Text(), nullable=True),
        sa.Column("metadata", sa.Text(), nullable=True),
        sa.Column("created_at", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "id"),
    )
    op.create_index("interactions_by_agent", "interactions", ["org_id", "agent_id", "created_at"], unique=False)
    op.create_index("interactions_by_time", "interactions", ["org_id", "created_at"], unique=False)
    op.create_table(
        "learning_decisions",
        sa.Column("org_id", sa.String(length=128), nullable=False),
        sa.Column("id", sa.String(length=128), nullable=False),
        sa.Column("agent_id", sa.String(length=128), nullable=True),
        sa.Column("decision", sa.Text(), nullable=False),
        sa.Column("context", sa.Text(), nullable=True),
        sa.Column("reasoning", sa.Text(), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("confidence", sa.Integer(), nullable=False),
        sa.Column("timestamp", sa.Text(), nullable=True),
        sa.Column("metadata", sa.Text(), nullable=True),
        sa.Column("created_at", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "id"),
    )
    op.create_index(
        "learning_decisions_by_agent", "learning_decisions", ["org_id", "agent_id", "created_at"], unique=False
    )
    op.create_index("learning_decisions_by_time", "learning_decisions", ["org_id", "created_at"], unique=False)
    op.create_table(
        "memory_items",
        sa.Column("org_id", sa.String(length=128), nullable=False),
        sa.Column("agent_id", sa.String(length=128), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=256), nullable=False),
        sa.Column("type", sa.String(length=128), nullable=False),
        sa.Column("mentions", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "agent_id", "kind", "place"),
    )
    op.create_table(
        "memory_snapshots",
        sa.Column("org_id", sa.String(length=128), nullable=False),
        sa.Column("id", sa.String(length=128), nullable=False),
        sa.Column("agent_id", sa.String(length=128), nullable=True),
        sa.Column("health", sa.Text(), nullable=True),
        sa.Column("score", sa.Float(), nullable=True),
        sa.Column("total_files", sa.Integer(), nullable=True),
        sa.Column("total_lines", sa.Integer(), nullable=True),
        sa.Column("total_size_kb", sa.Float(), nullable=True),
        sa.Column("memory_md_lines", sa.Integer(), nullable=True),
        sa.Column("oldest_daily", sa.Text(), nullable=True),
        sa.Column("newest_daily", sa.Text(), nullable=True),
        sa.Column("days_with_notes", sa.Integer(), nullable=True),
        sa.Column("avg_lines_per_day", sa.Float(), nullable=True),
        sa.Column("duplicates", sa.Integer(), nullable=True),
        sa.Column("stale_count", sa.Integer(), nullable=True),
        sa.Column("entities_count", sa.Integer(), nullable=True),
        sa.Column("topics_count", sa.Integer(), nullable=True),
        sa.Column("metadata", sa.Text(), nullable=True),
        sa.Column("created_at", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "id"),
    )
    op.create_index("memory_snapshots_by_agent", "memory_snapshots", ["org_id", "agent_id", "created_at"], unique=False)
    op.create_index("memory_snapshots_by_time", "memory_snapshots", ["org_id", "created_at"], unique=False)
    op.create_table(
        "message_states",
        sa.Column("org_id", sa.String(length=128), nullable=False),
        sa.Column("agent_id", sa.String(length=128), nullable=False),
        sa.Column("message_id", sa.String(length=128), nullable=False),
        sa.Column("read_at", sa.String(length=32), nullable=True),
        sa.Column("archived_at", sa.String(length=32), nullable=True),
        sa.PrimaryKeyConstraint("org_id", "agent_id", "message_id"),
    )
    op.create_index("message_states_by_message", "message_states", ["org_id", "message_id", "read_at"], unique=False)
    op.create_table(
        "message_threads",
        sa.Column("org_id", sa.String(length=128), nullable=False),
        sa.Column("id", sa.String(length=128), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("participants", sa.Text(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("summary", sa.Text(), nullable=True),
        sa.Column("created_by", sa.String(length=128), nullable=False),
        sa.Column("message_count", sa.Integer(), server_default="0", nullable=False),
        sa.Column("last_message_at", sa.String(length=32), nullable=True),
        sa.Column("metadata", sa.Text(), nullable=True),
        sa.Column("created_at", sa.String(length=32), nullable=False),
        sa.Column("updated_at", sa.String(length=32), nullable=False),
        sa.Column("resolved_at", sa.String(length=32), nullable=True),
        sa.PrimaryKeyConstraint("org_id", "id"),
    )
    op.create_index("message_threads_by_activity", "message_threads", ["org_id", "updated_at"], unique=False)
    op.create_index("message_threads_by_status", "message_threads", ["org_id", "status", "updated_at"], unique=False)
    op.create_table(
        "messages",
        sa.Column("org_id", sa.String(length=128), nullable=False),
        sa.Column("id", sa.String(length=128), nullable=False),
        sa.Column("thread_id", sa.String(length=128), nullable=True),
        sa.Column("from_agent_id", sa.String(length=128), nullable=False),
        sa.Column("to_agent_id", sa.String(length=128), server_default="", nullable=False),
        sa.Column("message_type", sa.String(length=32), nullable=False),
        sa.Column("subject", sa.Text(), nullable=True),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("urgency", sa.String(length=16), nullable=False),
        sa.Column("urgent", sa.Integer(), server_default="0", nullable=False),
        sa.Column("doc_ref", sa.String(length=128), nullable=True),
        sa.Column("metadata", sa.Text(), nullable=True),
        sa.Column("created_at", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "id"),
    )
    op.create_index("messages_by_recipient", "messages", ["org_id", "to_agent_id", "created_at"], unique=False)
    op.create_index("messages_by_sender", "messages", ["org_id", "from_agent_id", "created_at"], unique=False)
    op.create_index("messages_by_thread", "messages", ["org_id", "thread_id", "created_at"], unique=False)
    op.create_index("messages_by_time", "messages", ["org_id", "created_at"], unique=False)
    op.create_table(
        "moods",
        sa.Column("org_id", sa.String(length=128), nullable=False),
        sa.Column("id", sa.String(length=128), nullable=False),
        sa.Column("agent_id", sa.String(length=128), nullable=True),
        sa.Column("user_id", sa.Text(), nullable=True),
        sa.Column("mood", sa.Text(), nullable=False),
        sa.Column("energy", sa.Text(), nullable=True),
        sa.Column("notes", sa.Text(), nullable=True),
        sa.Column("context", sa.Text(), nullable=True),
        sa.Column("metadata", sa.Text(), nullable=True),
        sa.Column("created_at", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "id"),
    )
    op.create_index("moods_by_agent", "moods", ["org_id", "agent_id", "created_at"], unique=False)
    op.create_index("moods_by_time", "moods", ["org_id", "created_at"], unique=False)
    op.create_table(
        "observations",
        sa.Column("org_id", sa.String(length=128), nullable=False),
        sa.Column("id", sa.String(length=128), nullable=False),
        sa.Column("agent_id", sa.String(length=128), nullable=True),
        sa.Column("user_id", sa.Text(), nullable=True),
        sa.Column("observation", sa.Text(), nullable=False),
        sa.Column("category", sa.Text(), nullable=True),
        sa.Column("importance", sa.Integer(), nullable=False),
        sa.Column("metadata", sa.Text(), nullable=True),
        sa.Column("created_at", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "id"),
    )
    op.create_index("observations_by_agent", "observations", ["org_id", "agent_id", "created_at"], unique=False)
    op.create_index("observations_by_time", "observations", ["org_id", "created_at"], unique=False)
    op.create_table(
        "pairings",
        sa.Column("org_id", sa.String(length=128), nullable=False),
        sa.Column("id", sa.String(length=128), nullable=False),
        sa.Column("agent_id", sa.String(length=128), nullable=False),
        sa.Column("agent_name", sa.String(length=256), nullable=True),
        sa.Column("algorithm", sa.String(length=32), nullable=False),
        sa.Column("public_key", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("code", sa.String(length=16), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("created_by", sa.String(length=128), nullable=False),
        sa.Column("decided_by", sa.String(length=128), nullable=True),
        sa.Column("decided_at", sa.String(length=32), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("metadata", sa.Text(), nullable=True),
        sa.Column("expires_at", sa.String(length=32), nullable=False),
        sa.Column("created_at", sa.String(length=32), nullable=False),
        sa.Column("updated_at", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "id"),
    )
    op.create_index("pairings_by_agent", "pairings", ["org_id", "agent_id", "created_at"], unique=False)
    op.create_index("pairings_by_status", "pairings", ["org_id", "status", "created_at"], unique=False)
    op.create_index("pairings_by_time", "pairings", ["org_id", "created_at"], unique=False)
    op.create_table(
        "policy_test_runs",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("org_id", sa.String(length=128), nullable=False),
        sa.Column("agent_id", sa.String(length=128), nullable=True),
        sa.Column("total_policies", sa.Integer(), nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("passed", sa.Integer(), nullable=False),
        sa.Column("failed", sa.Integer(), nullable=False),
        sa.Column("success", sa.Integer(), server_default="0", nullable=False),
        sa.Column("failures", sa.Text(), nullable=True),
        sa.Column("metadata", sa.Text(), nullable=True),
        sa.Column("created_by", sa.String(length=128), nullable=False),
        sa.Column("created_at", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("policy_test_runs_by_time", "policy_test_runs", ["org_id", "created_at", "id"], unique=False)
    op.create_table(
        "preferences",
        sa.Column("org_id", sa.String(length=128), nullable=False),
        sa.Column("id", sa.String(length=128), nullable=False),
        sa.Column("agent_id", sa.String(length=128), nullable=True),
        sa.Column("user_id", sa.Text(), nullable=True),
        sa.Column("preference", sa.Text(), nullable=False),
        sa.Column("category", sa.Text(), nullable=True),
        sa.Column("confidence", sa.Integer(), nullable=False),
        sa.Column("last_validated", sa.Text(), nullable=True),
        sa.Column("metadata", sa.Text(), nullable=True),
        sa.Column("created_at", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "id"),
    )
    op.create_index("preferences_by_agent", "preferences", ["org_id", "agent_id", "created_at"], unique=False)
    op.create_index(
        "preferences_by_confidence", "preferences", ["org_id", "agent_id", "confidence", "created_at"], unique=False
    )
    op.create_index("preferences_by_time", "preferences", ["org_id", "created_at"], unique=False)
    op.create_table(
        "recommendation_events",
        sa.Column("org_id", sa.String(length=128), nullable=False),
        sa.Column("id", sa.String(length=128), nullable=False),
        sa.Column("recommendation_id", sa.String(length=128), nullable=True),
        sa.Column("agent_id", sa.String(length=128), nullable=True),
        sa.Column("action_id", sa.String(length=128), nullable=True),
        sa.Column("event_type", sa.String(length=16), nullable=False),
        sa.Column("event_key", sa.String(length=200), nullable=True),
        sa.Column("details", sa.Text(), nullable=True),
        sa.Column("metadata", sa.Text(), nullable=True),
        sa.Column("created_at", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "id"),
    )
    op.create_index("recommendation_events_by_key", "recommendation_events", ["org_id", "event_key"], unique=True)
    op.create_index(
        "recommendation_events_by_recommendation",
        "recommendation_events",
        ["org_id", "recommendation_id", "created_at"],
        unique=False,
    )
    op.create_table(
        "recommendations",
        sa.Column("org_id", sa.String(length=128), nullable=False),
        sa.Column("id", sa.String(length=128), nullable=False),
        sa.Column("agent_id", sa.String(length=128), nullable=False),
        sa.Column("action_type", sa.String(length=128), nullable=False),
        sa.Column("confidence", sa.Integer(), nullable=False),
        sa.Column("sample_size", sa.Integer(), nullable=False),
        sa.Column("top_sample_size", sa.Integer(), nullable=False),
        sa.Column("success_rate", sa.Float(), nullable=False),
        sa.Column("avg_score", sa.Float(), nullable=False),
        sa.Column("hints", sa.Text(), nullable=False),
        sa.Column("guidance", sa.Text(), nullable=False),
        sa.Column("active", sa.Integer(), server_default="1", nullable=False),
        sa.Column("computed_at", sa.String(length=32), nullable=False),
        sa.Column("created_at", sa.String(length=32), nullable=False),
        sa.Column("updated_at", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "id"),
    )
    op.create_index(
        "recommendations_by_confidence", "recommendations", ["org_id", "confidence", "sample_size"], unique=False
    )
    op.create_index("recommendations_by_group", "recommendations", ["org_id", "agent_id", "action_type"], unique=True)
    op.create_table(
        "routing_agents",
        sa.Column("org_id", sa.String(length=128), nullable=False),
        sa.Column("id", sa.String(length=128), nullable=False),
        sa.Column("name", sa.String(length=256), nullable=False),
        sa.Column("capabilities", sa.Text(), nullable=False),
        sa.Column("max_concurrent", sa.Integer(), nullable=False),
        sa.Column("current_load", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("endpoint", sa.Text(), nullable=True),
        sa.Column("metadata", sa.Text(), nullable=True),
        sa.Column("created_at", sa.String(length=32), nullable=False),
        sa.Column("updated_at", sa.String(length=32), nullable=False),
        sa.CheckConstraint("current_load >= 0", name="routing_agents_load"),
        sa.PrimaryKeyConstraint("org_id", "id"),
    )
    op.create_index("routing_agents_by_name", "routing_agents", ["org_id", "name", "id"], unique=False)
    op.create_index("routing_agents_by_status", "routing_agents", ["org_id", "status", "name", "id"], unique=False)
    op.create_table(
        "routing_decisions",
        sa.Column("org_id", sa.String(length=128), nullable=False),
        sa.Column("id", sa.String(length=128), nullable=False),
        sa.Column("task_id", sa.String(length=128), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("agent_id", sa.String(length=128), nullable=True),
        sa.Column("score", sa.Float(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("candidates", sa.Text(), nullable=False),
        sa.Column("created_at", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "id"),
    )
    op.create_index(
        "routing_decisions_by_task", "routing_decisions", ["org_id", "task_id", "created_at", "id"], unique=False
    )
    op.create_table(
        "routing_messages",
        sa.Column("org_id", sa.String(length=128), nullable=False),
        sa.Column("id", sa.String(length=128), nullable=False),
        sa.Column("task_id", sa.String(length=128), nullable=False),
        sa.Column("event", sa.String(length=64), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_at", sa.String(length=32), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("created_at", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "id"),
    )
    op.create_index(
        "routing_messages_by_task", "routing_messages", ["org_id", "task_id", "created_at", "id"], unique=False
    )
    op.create_index("routing_messages_due", "routing_messages", ["org_id", "next_at", "created_at"], unique=False)
    op.create_table(
        "routing_metrics",
        sa.Column("org_id", sa.String(length=128), nullable=False),
        sa.Column("agent_id", sa.String(length=128), nullable=False),
        sa.Column("skill", sa.String(length=512), nullable=False),
        sa.Column("completed", sa.Integer(), nullable=False),
        sa.Column("failed", sa.Integer(), nullable=False),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "agent_id", "skill"),
    )
    op.create_table(
        "routing_tasks",
        sa.Column("org_id", sa.String(length=128), nullable=False),
        sa.Column("id", sa.String(length=128), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("required_skills", sa.Text(), nullable=False),
        sa.Column("urgency", sa.String(length=16), nullable=False),
        sa.Column("urgency_rank", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("assigned_to", sa.String(length=128), nullable=True),
        sa.Column("assigned_at", sa.String(length=32), nullable=True),
        sa.Column("due_at", sa.String(length=32), nullable=True),
        sa.Column("wanted_agent", sa.String(length=256), nullable=True),
        sa.Column("schedule_id", sa.String(length=128), nullable=True),
        sa.Column("result", sa.Text(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("timeout_seconds", sa.Integer(), nullable=False),
        sa.Column("max_retries", sa.Integer(), nullable=False),
        sa.Column("retry_count", sa.Integer(), nullable=False),
        sa.Column("callback_url", sa.Text(), nullable=True),
        sa.Column("metadata", sa.Text(), nullable=True),
        sa.Column("created_at", sa.String(length=32), nullable=False),
        sa.Column("updated_at", sa.String(length=32), nullable=False),
        sa.Column("completed_at", sa.String(length=32), nullable=True),
        sa.PrimaryKeyConstraint("org_id", "id"),
    )
    op.create_index(
        "routing_tasks_by_agent", "routing_tasks", ["org_id", "assigned_to", "created_at", "id"], unique=False
    )
    op.create_index("routing_tasks_by_status", "routing_tasks", ["org_id", "status", "created_at", "id"], unique=False)
    op.create_index("routing_tasks_by_time", "routing_tasks", ["org_id", "created_at", "id"], unique=False)
    op.create_index("routing_tasks_due", "routing_tasks", ["org_id", "due_at"], unique=False)
    op.create_index(
        "routing_tasks_queue", "routing_tasks", ["org_id", "status", "urgency_rank", "created_at", "id"], unique=False
    )
    op.create_table(
        "security_findings",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("org_id", sa.String(length=128), nullable=False),
        sa.Column("agent_id", sa.String(length=128), nullable=True),
        sa.Column("destination", sa.String(length=256), nullable=True),
        sa.Column("findings_count", sa.Integer(), nullable=False),
        sa.Column("critical_count", sa.Integer(), nullable=False),
        sa.Column("categories", sa.Text(), nullable=False),
        sa.Column("findings", sa.Text(), nullable=False),
        sa.Column("created_by", sa.String(length=128), nullable=False),
        sa.Column("metadata", sa.Text(), nullable=True),
        sa.Column("created_at", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "security_findings_by_agent", "security_findings", ["org_id", "agent_id", "created_at"], unique=False
    )
    op.create_index(
        "security_findings_by_destination", "security_findings", ["org_id", "destination", "created_at"], unique=False
    )
    op.create_index("security_findings_by_time", "security_findings", ["org_id", "created_at"], unique=False)
    op.create_table(
        "shared_doc_versions",
        sa.Column("org_id", sa.String(length=128), nullable=False),
        sa.Column("doc_id", sa.String(length=128), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("edited_by", sa.String(length=128), nullable=False),
        sa.Column("created_at", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "doc_id", "version"),
    )
    op.create_table(
        "shared_docs",
        sa.Column("org_id", sa.String(length=128), nullable=False),
        sa.Column("id", sa.String(length=128), nullable=False),
        sa.Column("name", sa.String(length=500), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_by", sa.String(length=128), nullable=False),
        sa.Column("last_edited_by", sa.String(length=128), nullable=False),
        sa.Column("metadata", sa.Text(), nullable=True),
        sa.Column("created_at", sa.String(length=32), nullable=False),
        sa.Column("updated_at", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "id"),
    )
    op.create_index("shared_docs_by_name", "shared_docs", ["org_id", "name"], unique=True)
    op.create_index("shared_docs_by_time", "shared_docs", ["org_id", "updated_at"], unique=False)
    op.create_table(
        "signal_states",
        sa.Column("org_id", sa.String(length=128), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("type", sa.String(length=64), nullable=False),
        sa.Column("agent_id", sa.String(length=128), nullable=True),
        sa.Column("began_at", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "fingerprint"),
    )
    op.create_table(
        "snippets",
        sa.Column("org_id", sa.String(length=128), nullable=False),
        sa.Column("id", sa.String(length=128), nullable=False),
        sa.Column("agent_id", sa.String(length=128), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("language", sa.Text(), nullable=True),
        sa.Column("tags", sa.Text(), nullable=True),
        sa.Column("use_count", sa.Integer(), server_default="0", nullable=False),
        sa.Column("last_used", sa.String(length=32), nullable=True),
        sa.Column("metadata", sa.Text(), nullable=True),
        sa.Column("created_at", sa.String(length=32), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("updated_at", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "id"),
    )
    op.create_index("snippets_by_agent", "snippets", ["org_id", "agent_id", "created_at"], unique=False)
    op.create_index("snippets_by_digest", "snippets", ["org_id", "digest"], unique=True)
    op.create_index("snippets_by_language", "snippets", ["org_id", "language", "use_count", "created_at"], unique=False)
    op.create_index("snippets_by_time", "snippets", ["org_id", "created_at"], unique=False)
    op.create_index("snippets_by_use", "snippets", ["org_id", "use_count", "created_at"], unique=False)
    op.create_table(
        "synced_entries",
        sa.Column("org_id", sa.String(length=128), nullable=False),
        sa.Column("agent_id", sa.String(length=128), nullable=False),
        sa.Column("section", sa.String(length=32), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "agent_id", "section", "digest"),
    )
    op.create_table(
        "syncs",
        sa.Column("org_id", sa.String(length=128), nullable=False),
        sa.Column("id", sa.String(length=128), nullable=False),
        sa.Column("agent_id", sa.String(length=128), nullable=True),
        sa.Column("results", sa.Text(), nullable=True),
        sa.Column("total_synced", sa.Integer(), nullable=False),
        sa.Column("total_errors", sa.Integer(), nullable=False),
        sa.Column("metadata", sa.Text(), nullable=True),
        sa.Column("created_at", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "id"),
    )
    op.create_index("syncs_by_agent", "syncs", ["org_id", "agent_id", "created_at"], unique=False)
    op.create_index("syncs_by_time", "syncs", ["org_id", "created_at"], unique=False)
    op.create_table(
        "thread_agents",
        sa.Column("org_id", sa.String(length=128), nullable=False),
        sa.Column("agent_id", sa.String(length=128), nullable=False),
        sa.Column("thread_id", sa.String(length=128), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "agent_id", "thread_id"),
    )
    op.create_table(
        "token_days",
        sa.Column("org_id", sa.String(length=128), nullable=False),
        sa.Column("day", sa.String(length=10), nullable=False),
        sa.Column("agent_id", sa.String(length=128), nullable=False),
        sa.Column("model", sa.String(length=128), nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=False),
        sa.Column("tokens_in", sa.BigInteger(), nullable=False),
        sa.Column("tokens_out", sa.BigInteger(), nullable=False),
        sa.Column("cost", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "day", "agent_id", "model"),
    )
    op.create_table(
        "token_hours",
        sa.Column("org_id", sa.String(length=128), nullable=False),
        sa.Column("agent_id", sa.String(length=128), nullable=False),
        sa.Column("hour", sa.String(length=13), nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=False),
        sa.Column("tokens_in", sa.BigInteger(), nullable=False),
        sa.Column("tokens_out", sa.BigInteger(), nullable=False),
        sa.Column("cost", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "agent_id", "hour"),
    )
    op.create_table(
        "token_reports",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("org_id", sa.String(length=128), nullable=False),
        sa.Column("agent_id", sa.String(length=128), nullable=False),
        sa.Column("model", sa.String(length=128), nullable=False),
        sa.Column("session_key", sa.String(length=128), nullable=False),
        sa.Column("session_id", sa.String(length=128), nullable=True),
        sa.Column("tokens_in", sa.BigInteger(), nullable=False),
        sa.Column("tokens_out", sa.BigInteger(), nullable=False),
        sa.Column("cached_tokens", sa.BigInteger(), nullable=False),
        sa.Column("cache_write_tokens", sa.BigInteger(), nullable=False),
        sa.Column("cost", sa.BigInteger(), nullable=False),
        sa.Column("cost_source", sa.String(length=16), nullable=False),
        sa.Column("context_used", sa.BigInteger(), nullable=False),
        sa.Column("context_max", sa.BigInteger(), nullable=False),
        sa.Column("hourly_pct_left", sa.Float(), nullable=False),
        sa.Column("weekly_pct_left", sa.Float(), nullable=False),
        sa.Column("compactions", sa.Integer(), nullable=False),
        sa.Column("metadata", sa.Text(), nullable=True),
        sa.Column("created_at", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("token_reports_by_agent", "token_reports", ["org_id", "agent_id", "created_at"], unique=False)
    op.create_index("token_reports_by_model", "token_reports", ["org_id", "model", "created_at"], unique=False)
    op.create_index("token_reports_by_session", "token_reports", ["org_id", "session_key", "created_at"], unique=False)
    op.create_index("token_reports_by_time", "token_reports", ["org_id", "created_at", "id"], unique=False)
    op.create_table(
        "webhook_deliveries",
        sa.Column("id", sa.String(length=128), nullable=False),
        sa.Column("org_id", sa.String(length=128), nullable=False),
        sa.Column("webhook_id", sa.String(length=128), nullable=False),
        sa.Column("event_id", sa.BigInteger(), nullable=True),
        sa.Column("event_type", sa.String(length=64), nullable=False),
        sa.Column("payload", sa.Text(), nullable=True),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("next_attempt_at", sa.String(length=32), nullable=True),
        sa.Column("give_up_at", sa.String(length=32), nullable=False),
        sa.Column("lease", sa.String(length=32), nullable=True),
        sa.Column("response_status", sa.Integer(), nullable=True),
        sa.Column("response_body", sa.Text(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("attempted_at", sa.String(length=32), nullable=True),
        sa.Column("duration_ms", sa.Integer(), nullable=True),
        sa.Column("created_at", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("webhook_deliveries_by_event", "webhook_deliveries", ["webhook_id", "event_id"], unique=True)
    op.create_index(
        "webhook_deliveries_by_hook",
        "webhook_deliveries",
        ["org_id", "webhook_id", "created_at", "event_id"],
        unique=False,
    )
    op.create_index("webhook_deliveries_by_time", "webhook_deliveries", ["created_at"], unique=False)
    op.create_index(
        "webhook_deliveries_open",
        "webhook_deliveries",
        ["webhook_id", "next_attempt_at"],
        unique=False,
        sqlite_where=sa.text("next_attempt_at IS NOT NULL"),
        postgresql_where=sa.text("next_attempt_at IS NOT NULL"),
    )
    op.create_table(
        "webhooks",
        sa.Column("id", sa.String(length=128), nullable=False),
        sa.Column("org_id", sa.String(length=128), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("secret", sa.String(length=64), nullable=False),
        sa.Column("events", sa.Text(), nullable=False),
        sa.Column("format", sa.String(length=16), nullable=False),
        sa.Column("active", sa.Integer(), server_default="1", nullable=False),
        sa.Column("failure_count", sa.Integer(), server_default="0", nullable=False),
        sa.Column("failed_at", sa.String(length=32), nullable=True),
        sa.Column("retry_at", sa.String(length=32), nullable=True),
        sa.Column("disabled_at", sa.String(length=32), nullable=True),
        sa.Column("disabled_reason", sa.Text(), nullable=True),
        sa.Column("last_triggered_at", sa.String(length=32), nullable=True),
        sa.Column("cursor", sa.BigInteger(), nullable=False),
        sa.Column("metadata", sa.Text(), nullable=True),
        sa.Column("created_by", sa.String(length=128), nullable=False),
        sa.Column("created_at", sa.String(length=32), nullable=False),
        sa.Column("updated_at", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("webhooks_by_org", "webhooks", ["org_id", "created_at"], unique=False)
    op.create_index("webhooks_by_state", "webhooks", ["active", "cursor"], unique=False)
    op.add_column("api_keys", sa.Column("metadata", sa.Text(), nullable=True))
    op.add_column("organizations", sa.Column("metadata", sa.Text(), nullable=True))
