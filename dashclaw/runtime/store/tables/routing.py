"""The pool of agents, its tasks, how each was routed, what is to be told, and schedules."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, Float, Index, Integer, PrimaryKeyConstraint, String, Table, Text

from .columns import flag, json_column, key, metadata

routing_agents = Table(
    "routing_agents",
    metadata,
    key("org_id"),
    key("id"),
    Column("name", String(256), nullable=False),
    json_column("capabilities", nullable=False),
    Column("max_concurrent", Integer, nullable=False),
    Column("current_load", Integer, nullable=False),
    Column("status", String(16), nullable=False),
    Column("endpoint", Text),
    json_column("metadata"),
    Column("created_at", String(32), nullable=False),
    Column("updated_at", String(32), nullable=False),
    PrimaryKeyConstraint("org_id", "id"),
    CheckConstraint("current_load >= 0", name="routing_agents_load"),
    Index("routing_agents_by_name", "org_id", "name", "id"),
    Index("routing_agents_by_status", "org_id", "status", "name", "id"),
)

# `due_at` is set while an agent has the task, so that what is late is found without a walk.
routing_tasks = Table(
    "routing_tasks",
    metadata,
    key("org_id"),
    key("id"),
    Column("title", Text, nullable=False),
    Column("description", Text, nullable=False),
    json_column("required_skills", nullable=False),
    Column("urgency", String(16), nullable=False),
    Column("urgency_rank", Integer, nullable=False),
    Column("status", String(16), nullable=False),
    Column("assigned_to", String(128)),
    Column("assigned_at", String(32)),
    Column("due_at", String(32)),
    Column("wanted_agent", String(256)),
    Column("schedule_id", String(128)),
    json_column("result"),
    Column("error", Text),
    Column("timeout_seconds", Integer, nullable=False),
    Column("max_retries", Integer, nullable=False),
    Column("retry_count", Integer, nullable=False),
    Column("callback_url", Text),
    json_column("metadata"),
    Column("created_at", String(32), nullable=False),
    Column("updated_at", String(32), nullable=False),
    Column("completed_at", String(32)),
    PrimaryKeyConstraint("org_id", "id"),
    Index("routing_tasks_by_time", "org_id", "created_at", "id"),
    Index("routing_tasks_by_status", "org_id", "status", "created_at", "id"),
    Index("routing_tasks_by_agent", "org_id", "assigned_to", "created_at", "id"),
    Index("routing_tasks_queue", "org_id", "status", "urgency_rank", "created_at", "id"),
    Index("routing_tasks_due", "org_id", "due_at"),
)

routing_decisions = Table(
    "routing_decisions",
    metadata,
    key("org_id"),
    key("id"),
    key("task_id"),
    Column("attempt", Integer, nullable=False),
    Column("status", String(16), nullable=False),
    Column("agent_id", String(128)),
    Column("score", Float),
    Column("reason", Text, nullable=False),
    json_column("candidates", nullable=False),
    Column("created_at", String(32), nullable=False),
    PrimaryKeyConstraint("org_id", "id"),
    Index("routing_decisions_by_task", "org_id", "task_id", "created_at", "id"),
)

# One row per agent and skill; the row without a skill counts every task of the agent once.
routing_metrics = Table(
    "routing_metrics",
    metadata,
    key("org_id"),
    key("agent_id"),
    Column("skill", String(512), nullable=False),
    Column("completed", Integer, nullable=False),
    Column("failed", Integer, nullable=False),
    Column("seconds", Float, nullable=False),
    PrimaryKeyConstraint("org_id", "agent_id", "skill"),
)

# `next_at` is null once the message is delivered or given up.
routing_messages = Table(
    "routing_messages",
    metadata,
    key("org_id"),
    key("id"),
    key("task_id"),
    Column("event", String(64), nullable=False),
    Column("url", Text, nullable=False),
    json_column("body", nullable=False),
    Column("status", String(16), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_at", String(32)),
    Column("error", Text),
    Column("created_at", String(32), nullable=False),
    PrimaryKeyConstraint("org_id", "id"),
    Index("routing_messages_by_task", "org_id", "task_id", "created_at", "id"),
    Index("routing_messages_due", "org_id", "next_at", "created_at"),
)

# `next_run` is null while a schedule is off.
agent_schedules = Table(
    "agent_schedules",
    metadata,
    key("org_id"),
    key("id"),
    Column("agent_id", String(128), nullable=False),
    Column("name", Text, nullable=False),
    Column("description", Text),
    Column("cron_expression", String(200), nullable=False),
    Column("timezone", String(64), nullable=False),
    flag("enabled", 1),
    Column("missed", String(16), nullable=False),
    json_column("task", nullable=False),
    Column("next_run", String(32)),
    Column("last_run", String(32)),
    Column("last_task_id", String(128)),
    Column("run_count", Integer, nullable=False),
    json_column("metadata"),
    Column("created_by", String(128), nullable=False),
    Column("created_at", String(32), nullable=False),
    Column("updated_at", String(32), nullable=False),
    PrimaryKeyConstraint("org_id", "id"),
    Index("agent_schedules_by_agent", "org_id", "agent_id", "created_at", "id"),
    Index("agent_schedules_due", "org_id", "next_run"),
)
