"""Answers of the category "Session Handoffs"."""

from __future__ import annotations

from typing import Any, Dict, List, Optional

from .._compat import TypedDict
from .security import SecuritySummary


class Handoff(TypedDict):
    """What one session left for the next."""

    id: str
    org_id: str
    agent_id: Optional[str]
    summary: str
    session_date: str
    context: Any
    tags: Optional[List[str]]
    key_decisions: Any
    open_tasks: Any
    next_priorities: Any
    mood_notes: Optional[str]
    metadata: Dict[str, Any]
    created_at: str


class HandoffAnswer(TypedDict):
    """One handoff."""

    handoff: Handoff
    handoff_id: str
    security: SecuritySummary


class LatestHandoff(TypedDict):
    """The newest handoff, if there is one."""

    handoff: Optional[Handoff]


class HandoffPage(TypedDict):
    """A page of handoffs, newest first."""

    handoffs: List[Handoff]
    total: int
    limit: int
    offset: int
    has_more: bool
    lastUpdated: str
