"""Organisations, keys, policies, decisions, actions, loops, assumptions, agents, events, kept answers."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Float,
    Index,
    Integer,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    text,
)

from .columns import flag, json_column, key, metadata

# Guard decisions are most of the events, change nothing and have a list of their own: the log of changes leaves
# them out, and so do its indexes. Measured: 7 µs of a guard call per index.
DECISION_MADE = "guard.decision.created"
DECISION_ERASED = "guard.decision.erased"
_CHANGE = text(f"event <> '{DECISION_MADE}'")


def _changes_by(name: str, *columns: str) -> Index:
    order = ("org_id", *columns, "created_at", "id")
    return Index(f"events_by_{name}", *order, sqlite_where=_CHANGE, postgresql_where=_CHANGE)


def _waited(name: str, *columns: str) -> Index:
    """An index of the few actions that had to wait for a person, free for all others."""
    had_to = text("approval_status IS NOT NULL")
    return Index(f"actions_by_{name}", "org_id", *columns, sqlite_where=had_to, postgresql_where=had_to)


organizations = Table(
    "organizations",
    metadata,
    Column("id", String(128), primary_key=True),
    Column("name", String(256), nullable=False),
    Column("slug", String(64), nullable=False, unique=True),
    Column("plan", String(32), nullable=False, server_default="free"),
    json_column("settings", nullable=False, server_default="{}"),
    Column("policy_revision", Integer, nullable=False, server_default="0"),
    json_column("metadata"),
    Column("created_at", String(32), nullable=False),
    Column("updated_at", String(32), nullable=False),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", String(128), primary_key=True),
    key("org_id"),
    Column("key_hash", String(64), nullable=False, unique=True),
    Column("key_prefix", String(16), nullable=False),
    Column("label", String(256)),
    Column("role", String(16), nullable=False),
    Column("operator", String(256)),
    json_column("approver_roles"),
    json_column("metadata"),
    Column("created_at", String(32), nullable=False),
    Column("last_used_at", String(32)),
    Column("revoked_at", String(32)),
    Index("api_keys_by_org", "org_id", "created_at"),
)

policies = Table(
    "policies",
    metadata,
    Column("id", String(128), primary_key=True),
    key("org_id"),
    Column("name", String(256), nullable=False),
    Column("policy_type", String(64), nullable=False),
    json_column("rules", nullable=False),
    flag("active", 1),
    json_column("agent_ids"),
    json_column("metadata"),
    Column("created_by", String(128)),
    Column("created_at", String(32), nullable=False),
    Column("updated_at", String(32), nullable=False),
    Index("policies_by_name", "org_id", "name", unique=True),
)

guard_decisions = Table(
    "guard_decisions",
    metadata,
    Column("id", String(64), primary_key=True),
    key("org_id"),
    Column("agent_id", String(128)),
    Column("action_type", String(128), nullable=False),
    Column("decision", String(32), nullable=False),
    Column("risk_score", Integer, nullable=False),
    json_column("risk_breakdown"),
    json_column("reasons"),
    json_column("warnings"),
    json_column("matched_policies"),
    json_column("context"),
    Column("digest", String(64), nullable=False),
    flag("degraded"),
    Column("policy_set", String(64)),
    json_column("facts"),
    Column("action_id", String(128)),
    Column("created_at", String(32), nullable=False),
    Index("guard_decisions_by_time", "org_id", "created_at"),
    Index("guard_decisions_by_agent", "org_id", "agent_id", "created_at"),
    Index("guard_decisions_by_decision", "org_id", "decision", "created_at"),
)

decision_counts = Table(
    "decision_counts",
    metadata,
    key("org_id"),
    Column("agent_id", String(128), nullable=False, server_default=""),
    Column("decision", String(32), nullable=False),
    Column("n", BigInteger, nullable=False),
    PrimaryKeyConstraint("org_id", "agent_id", "decision"),
)

decision_hours = Table(
    "decision_hours",
    metadata,
    key("org_id"),
    Column("hour", String(13), nullable=False),
    Column("decision", String(32), nullable=False),
    Column("n", BigInteger, nullable=False),
    PrimaryKeyConstraint("org_id", "hour", "decision"),
)

actions = Table(
    "actions",
    metadata,
    key("org_id"),
    key("action_id"),
    Column("agent_id", String(128), nullable=False),
    Column("agent_name", String(256)),
    Column("swarm_id", String(128)),
    Column("parent_action_id", String(128)),
    Column("action_type", String(128), nullable=False),
    Column("declared_goal", Text, nullable=False),
    Column("reasoning", Text),
    Column("authorization_scope", Text),
    Column("trigger", Text),
    json_column("systems_touched"),
    Column("input_summary", Text),
    Column("status", String(32), nullable=False),
    Column("resolution", String(32)),
    flag("reversible", 1),
    Column("risk_score", Integer, nullable=False),
    Column("confidence", Integer),
    Column("recommendation_id", String(128)),
    flag("recommendation_applied"),
    Column("recommendation_override_reason", Text),
    Column("output_summary", Text),
    json_column("side_effects"),
    json_column("artifacts_created"),
    Column("error_message", Text),
    Column("timestamp_start", String(64), nullable=False),
    Column("timestamp_end", String(64)),
    Column("duration_ms", BigInteger),
    Column("cost_estimate", Float),
    Column("tokens_in", BigInteger),
    Column("tokens_out", BigInteger),
    Column("model", String(128)),
    Column("session_id", String(128)),
    Column("idempotency_key", String(256)),
    json_column("metadata"),
    Column("signature", Text),
    flag("verified"),
    Column("created_by", String(128), nullable=False),
    Column("decision_id", String(64)),
    Column("digest", String(64)),
    Column("approval_status", String(32)),
    json_column("approval_needs"),
    Column("decided_by", String(128)),
    Column("approval_at", String(32)),
    Column("approval_reason", Text),
    Column("approval_expires_at", String(32)),
    Column("approval_consumed_at", String(32)),
    flag("self_approved"),
    Column("created_at", String(32), nullable=False),
    Column("updated_at", String(32), nullable=False),
    PrimaryKeyConstraint("org_id", "action_id"),
    Index("actions_by_start", "org_id", "timestamp_start"),
    Index("actions_by_agent", "org_id", "agent_id", "timestamp_start"),
    Index("actions_by_status", "org_id", "status", "timestamp_start"),
    Index("actions_by_type", "org_id", "action_type", "timestamp_start"),
    Index(
        "actions_by_parent",
        "org_id",
        "parent_action_id",
        "timestamp_start",
        sqlite_where=text("parent_action_id IS NOT NULL"),
        postgresql_where=text("parent_action_id IS NOT NULL"),
    ),
    Index("actions_by_digest", "org_id", "digest"),
    Index("actions_by_idempotency_key", "org_id", "idempotency_key"),
    Index("actions_by_expiry", "org_id", "approval_status", "approval_expires_at"),
    Index(
        "actions_by_session",
        "org_id",
        "session_id",
        "timestamp_start",
        "agent_id",
        sqlite_where=text("session_id IS NOT NULL"),
        postgresql_where=text("session_id IS NOT NULL"),
    ),
    _waited("decision", "approval_status", "approval_at"),
    _waited("answer", "timestamp_start", "approval_status"),
    _waited("similarity", "agent_id", "action_type", "timestamp_start"),
)

action_counts = Table(
    "action_counts",
    metadata,
    key("org_id"),
    Column("agent_id", String(128), nullable=False),
    Column("swarm_id", String(128), nullable=False, server_default=""),
    Column("action_type", String(128), nullable=False),
    Column("status", String(32), nullable=False),
    Column("resolution", String(32), nullable=False, server_default=""),
    Column("risk_score", Integer, nullable=False),
    Column("n", Integer, nullable=False),
    Column("cost", Float, nullable=False, server_default="0"),
    PrimaryKeyConstraint("org_id", "agent_id", "swarm_id", "action_type", "status", "resolution", "risk_score"),
)

loops = Table(
    "loops",
    metadata,
    key("org_id"),
    key("loop_id"),
    key("action_id"),
    Column("loop_type", String(32), nullable=False),
    Column("description", Text, nullable=False),
    Column("status", String(16), nullable=False),
    Column("priority", String(16), nullable=False),
    Column("owner", String(256)),
    Column("resolution", Text),
    json_column("metadata"),
    Column("created_at", String(32), nullable=False),
    Column("resolved_at", String(32)),
    PrimaryKeyConstraint("org_id", "loop_id"),
    Index("loops_by_action", "org_id", "action_id"),
    Index("loops_by_status", "org_id", "status", "created_at"),
)

assumptions = Table(
    "assumptions",
    metadata,
    key("org_id"),
    key("assumption_id"),
    key("action_id"),
    Column("assumption", Text, nullable=False),
    Column("basis", Text),
    flag("validated"),
    Column("validated_at", String(32)),
    flag("invalidated"),
    Column("invalidated_reason", Text),
    Column("invalidated_at", String(32)),
    json_column("metadata"),
    Column("created_at", String(32), nullable=False),
    PrimaryKeyConstraint("org_id", "assumption_id"),
    Index("assumptions_by_action", "org_id", "action_id"),
    Index("assumptions_by_state", "org_id", "validated", "invalidated", "created_at"),
    Index("assumptions_by_invalidation", "org_id", "invalidated_at"),
)

agents = Table(
    "agents",
    metadata,
    key("org_id"),
    key("agent_id"),
    Column("agent_name", String(256)),
    Column("status", String(32), nullable=False),
    Column("current_task_id", String(128)),
    json_column("metadata"),
    Column("last_heartbeat_at", String(32), nullable=False),
    Column("created_at", String(32), nullable=False),
    PrimaryKeyConstraint("org_id", "agent_id"),
    Index("agents_by_heartbeat", "org_id", "last_heartbeat_at"),
)

events = Table(
    "events",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    key("org_id"),
    Column("event", String(64), nullable=False),
    Column("actor_type", String(16), nullable=False),
    Column("actor_id", String(128), nullable=False),
    Column("agent_id", String(128)),
    Column("resource_type", String(64), nullable=False),
    Column("resource_id", String(128), nullable=False),
    json_column("data", nullable=False),
    Column("created_at", String(32), nullable=False),
    Index("events_by_org", "org_id", "id"),
    _changes_by("time"),
    _changes_by("resource", "resource_type"),
    _changes_by("name", "event"),
    _changes_by("agent", "agent_id"),
    _changes_by("actor", "actor_id"),
    Index("events_by_record", "org_id", "resource_id", "id", sqlite_where=_CHANGE, postgresql_where=_CHANGE),
    sqlite_autoincrement=True,
)

idempotency = Table(
    "idempotency",
    metadata,
    key("org_id"),
    Column("key", String(256), nullable=False),
    Column("fingerprint", String(64), nullable=False),
    Column("status", Integer, nullable=False),
    Column("body", Text),
    Column("created_at", String(32), nullable=False),
    PrimaryKeyConstraint("org_id", "key"),
    Index("idempotency_by_time", "created_at"),
)
