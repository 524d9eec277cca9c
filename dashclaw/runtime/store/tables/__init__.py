"""The tables.

Portable on purpose: text for ids and times (fixed-width UTC, so text order is time order), 0/1 integers
for flags, JSON as text. `info={"json": True}` and `info={"flag": True}` mark what `decode` turns back.
Counters (`decision_counts`, `decision_hours`, `action_counts`) are kept in the transaction of each change, so
that totals stay exact without counting a million rows. Ids of events are cursors of readers and never given twice.
"""

from __future__ import annotations

from .approvals import approval_votes
from .chat import chat_channels, chat_messages, decision_links
from .columns import metadata
from .evidence import evidence_checkpoints, evidence_entries, evidence_heads, evidence_keys
from .governance import compliance_snapshots, policy_test_runs
from .identities import identities, pairings, signature_nonces
from .journal import (
    approaches,
    content,
    context_entries,
    context_points,
    context_threads,
    goals,
    handoffs,
    interactions,
    learning_decisions,
    moods,
    observations,
    preferences,
    snippets,
)
from .learning import (
    episodes,
    recommendation_events,
    recommendations,
)
from .messages import (
    attachment_pieces,
    attachments,
    message_states,
    message_threads,
    messages,
    shared_doc_versions,
    shared_docs,
    thread_agents,
)
from .people import people
from .policy_sets import policy_sets, policy_versions
from .reports import (
    calendar_events,
    connections,
    ideas,
    memory_items,
    memory_snapshots,
)
from .routing import (
    agent_schedules,
    routing_agents,
    routing_decisions,
    routing_messages,
    routing_metrics,
    routing_tasks,
)
from .security import security_findings
from .spine import (
    DECISION_ERASED,
    DECISION_MADE,
    action_counts,
    actions,
    agents,
    api_keys,
    assumptions,
    decision_counts,
    decision_hours,
    events,
    guard_decisions,
    idempotency,
    loops,
    organizations,
    policies,
)
from .sync import (
    capabilities,
    synced_entries,
    syncs,
)
from .tokens import (
    token_days,
    token_hours,
    token_reports,
)
from .web import site_secrets, web_sessions
from .webhooks import signal_states, webhook_deliveries, webhooks

__all__ = [
    "DECISION_ERASED",
    "DECISION_MADE",
    "action_counts",
    "actions",
    "agent_schedules",
    "agents",
    "api_keys",
    "approaches",
    "approval_votes",
    "assumptions",
    "attachment_pieces",
    "attachments",
    "calendar_events",
    "capabilities",
    "chat_channels",
    "chat_messages",
    "compliance_snapshots",
    "connections",
    "content",
    "context_entries",
    "context_points",
    "context_threads",
    "decision_counts",
    "decision_hours",
    "decision_links",
    "episodes",
    "events",
    "evidence_checkpoints",
    "evidence_entries",
    "evidence_heads",
    "evidence_keys",
    "goals",
    "guard_decisions",
    "handoffs",
    "ideas",
    "idempotency",
    "identities",
    "interactions",
    "learning_decisions",
    "loops",
    "memory_items",
    "memory_snapshots",
    "message_states",
    "message_threads",
    "messages",
    "metadata",
    "moods",
    "observations",
    "organizations",
    "pairings",
    "people",
    "policies",
    "policy_sets",
    "policy_test_runs",
    "policy_versions",
    "preferences",
    "recommendation_events",
    "recommendations",
    "routing_agents",
    "routing_decisions",
    "routing_messages",
    "routing_metrics",
    "routing_tasks",
    "security_findings",
    "shared_doc_versions",
    "shared_docs",
    "signal_states",
    "signature_nonces",
    "site_secrets",
    "snippets",
    "synced_entries",
    "syncs",
    "thread_agents",
    "token_days",
    "token_hours",
    "token_reports",
    "web_sessions",
    "webhook_deliveries",
    "webhooks",
]
