"""Answers of the category "Dashboard Data"."""

from __future__ import annotations

from typing import Any, Dict, Optional

from .._compat import TypedDict
from .security import SecuritySummary


class Decision(TypedDict):
    """A decision that can be learnt from; not one of the guard."""

    id: str
    org_id: str
    agent_id: Optional[str]
    decision: str
    context: Optional[str]
    reasoning: Optional[str]
    outcome: str
    confidence: int
    timestamp: str
    metadata: Dict[str, Any]
    created_at: str


class Goal(TypedDict):
    """A goal; `deadline` and `target_date` stand for each other."""

    id: str
    org_id: str
    agent_id: Optional[str]
    title: str
    category: Optional[str]
    description: Optional[str]
    priority: Optional[str]
    deadline: Optional[str]
    target_date: Optional[str]
    progress: int
    status: str
    cost_estimate: Optional[float]
    metadata: Dict[str, Any]
    created_at: str


class Content(TypedDict):
    """Content that was produced."""

    id: str
    org_id: str
    agent_id: Optional[str]
    title: str
    content_type: Optional[str]
    platform: Optional[str]
    status: str
    url: Optional[str]
    body: Optional[str]
    metadata: Dict[str, Any]
    created_at: str


class Interaction(TypedDict):
    """An exchange with a person or another agent."""

    id: str
    org_id: str
    agent_id: Optional[str]
    summary: str
    contact_name: Optional[str]
    contact_id: Optional[int]
    direction: str
    type: str
    platform: Optional[str]
    date: str
    metadata: Dict[str, Any]
    created_at: str


class DecisionAnswer(TypedDict):
    """One recorded decision."""

    decision: Decision
    decision_id: str
    security: SecuritySummary


class GoalAnswer(TypedDict):
    """One goal."""

    goal: Goal
    goal_id: str
    security: SecuritySummary


class ContentAnswer(TypedDict):
    """One piece of content."""

    content: Content
    content_id: str
    security: SecuritySummary


class InteractionAnswer(TypedDict):
    """One interaction."""

    interaction: Interaction
    interaction_id: str
    security: SecuritySummary
