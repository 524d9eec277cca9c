"""Answers of the category "Token Usage & Dashboard Data"."""

from __future__ import annotations

from typing import Any, Dict, List, Optional

from .._compat import TypedDict
from .security import SecuritySummary


class TokenSnapshot(TypedDict):
    """One report of token usage; `cost_source` is "model", "default" or "reported"."""

    id: str
    org_id: str
    agent_id: Optional[str]
    timestamp: str
    model: str
    session_id: Optional[str]
    session_key: str
    tokens_in: int
    tokens_out: int
    cached_tokens: int
    cache_write_tokens: int
    cost_usd: float
    cost_source: str
    context_used: int
    context_max: int
    context_pct: float
    hourly_pct_left: float
    weekly_pct_left: float
    compactions: int
    metadata: Dict[str, Any]


class TokenTotals(TypedDict):
    """Sums over reports; costs are US dollars."""

    reports: int
    tokens_in: int
    tokens_out: int
    cost_usd: float


class TokenAnswer(TypedDict):
    """A report as it was stored, and the agent's totals of the day."""

    snapshot: TokenSnapshot
    today: TokenTotals
    warnings: List[str]


class CalendarEvent(TypedDict):
    """An event of the organisation's calendar; its times are UTC."""

    id: str
    org_id: str
    agent_id: Optional[str]
    summary: str
    start_time: str
    end_time: Optional[str]
    location: Optional[str]
    description: Optional[str]
    metadata: Dict[str, Any]
    created_at: str


class CalendarEventAnswer(TypedDict):
    """A calendar event as it was stored."""

    event: CalendarEvent
    event_id: str
    security: SecuritySummary


class Idea(TypedDict):
    """An idea; `score` is 0..100."""

    id: str
    org_id: str
    agent_id: Optional[str]
    title: str
    description: Optional[str]
    body: Optional[str]
    category: Optional[str]
    score: float
    status: str
    source: Optional[str]
    fun_factor: Optional[int]
    learning_potential: Optional[int]
    income_potential: Optional[int]
    captured_at: str
    metadata: Dict[str, Any]
    created_at: str


class IdeaAnswer(TypedDict):
    """An idea as it was stored."""

    idea: Idea
    idea_id: str
    security: SecuritySummary


class Connection(TypedDict):
    """A connection of an agent to a service."""

    id: str
    org_id: str
    agent_id: str
    provider: str
    auth_type: str
    plan_name: Optional[str]
    status: str
    reported_at: str
    metadata: Dict[str, Any]
    created_at: str
    updated_at: str


class WrongConnection(TypedDict):
    """An entry that was not kept, and why."""

    provider: Any
    error: str


class ConnectionsAnswer(TypedDict):
    """The connections that were kept; `created` is how many, `errors` is there when some were not."""

    connections: List[Connection]
    created: int
    errors: List[WrongConnection]


class MemorySnapshot(TypedDict):
    """How an agent's memory was."""

    id: str
    org_id: str
    agent_id: Optional[str]
    health: Optional[str]
    score: Optional[float]
    total_files: Optional[int]
    total_lines: Optional[int]
    total_size_kb: Optional[float]
    memory_md_lines: Optional[int]
    oldest_daily: Optional[str]
    newest_daily: Optional[str]
    days_with_notes: Optional[int]
    avg_lines_per_day: Optional[float]
    duplicates: Optional[int]
    stale_count: Optional[int]
    entities_count: Optional[int]
    topics_count: Optional[int]
    metadata: Dict[str, Any]
    created_at: str


class MemoryAnswer(TypedDict):
    """A report of an agent's memory as it was stored."""

    snapshot: MemorySnapshot
    entities_count: int
    topics_count: int
    security: SecuritySummary
