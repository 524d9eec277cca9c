"""What agents write down for themselves, for each other and for the dashboard."""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, String

from .columns import flag
from .fields import amount, anything, record_table, tags, whole, words, yes_or_no

learning_decisions = record_table(
    "learning_decisions",
    words("decision", 2000, required=True),
    words("context", 5000),
    words("reasoning", 5000),
    words("outcome", 200, default="pending"),
    whole("confidence", highest=100, default=50),
    words("timestamp", 64),
)

goals = record_table(
    "goals",
    words("title", 500, required=True),
    words("category", 200),
    words("description", 5000),
    words("priority", 50),
    words("deadline", 64),
    words("target_date", 64),
    whole("progress", highest=100, default=0),
    words("status", 50, default="active"),
    amount("cost_estimate"),
)

content = record_table(
    "content",
    words("title", 500, required=True),
    words("content_type", 100),
    words("platform", 100),
    words("status", 50, default="draft"),
    words("url", 2000),
    words("body", 50_000),
)

interactions = record_table(
    "interactions",
    words("summary", 2000, required=True),
    words("contact_name", 500),
    whole("contact_id"),
    words("direction", 50, default="outbound"),
    words("type", 100, default="message"),
    words("platform", 100),
    words("date", 64),
)

handoffs = record_table(
    "handoffs",
    words("summary", 5000, required=True),
    words("session_date", 50),
    anything("context"),
    tags(),
    anything("key_decisions"),
    anything("open_tasks"),
    anything("next_priorities"),
    words("mood_notes", 2000),
    Index("handoffs_by_date", "org_id", "session_date", "created_at"),
)

snippets = record_table(
    "snippets",
    words("name", 200, required=True),
    words("code", 50_000, required=True),
    words("description", 2000),
    words("language", 50),
    tags(),
    Column("use_count", Integer, nullable=False, server_default="0"),
    Column("last_used", String(32)),
    Index("snippets_by_use", "org_id", "use_count", "created_at"),
    Index("snippets_by_language", "org_id", "language", "use_count", "created_at"),
    unique=True,
)

context_points = record_table(
    "context_points",
    words("content", 5000, required=True),
    words("category", 128, default="general"),
    whole("importance", 1, 10, default=5),
    words("session_date", 50),
    flag("compressed"),
    Index("context_points_by_importance", "org_id", "agent_id", "importance", "created_at"),
    Index("context_points_by_day", "org_id", "agent_id", "session_date", "importance", "created_at"),
)

context_threads = record_table(
    "context_threads",
    words("name", 500, required=True),
    words("summary", 5000),
    Column("status", String(16), nullable=False, server_default="active"),
    Index("context_threads_by_change", "org_id", "agent_id", "updated_at"),
    unique=True,
)

context_entries = record_table(
    "context_entries",
    Column("thread_id", String(128), nullable=False),
    words("content", 5000, required=True),
    words("entry_type", 100, default="note"),
    Index("context_entries_by_thread", "org_id", "thread_id", "created_at"),
)

observations = record_table(
    "observations",
    words("user_id", 128),
    words("observation", 2000, required=True),
    words("category", 200),
    whole("importance", default=5),
)

preferences = record_table(
    "preferences",
    words("user_id", 128),
    words("preference", 2000, required=True),
    words("category", 200),
    whole("confidence", highest=100, default=50),
    words("last_validated", 64),
    Index("preferences_by_confidence", "org_id", "agent_id", "confidence", "created_at"),
)

moods = record_table(
    "moods",
    words("user_id", 128),
    words("mood", 200, required=True),
    words("energy", 100),
    words("notes", 2000),
    words("context", 2000),
)

approaches = record_table(
    "approaches",
    words("user_id", 128),
    words("approach", 2000, required=True),
    words("context", 2000),
    yes_or_no("succeeded", also="success"),
    Column("success_count", Integer, nullable=False, server_default="0"),
    Column("fail_count", Integer, nullable=False, server_default="0"),
    Index("approaches_by_success", "org_id", "agent_id", "success_count", "created_at"),
    unique=True,
)
