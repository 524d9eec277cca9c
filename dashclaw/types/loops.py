"""Answers of the category "Loops & Assumptions"."""

from __future__ import annotations

from typing import Any, Dict, List, Optional

from .._compat import TypedDict
from .security import SecuritySummary
from .vocabulary import ActionStatus, LoopStatus, LoopType, Priority


class Loop(TypedDict):
    """Something that an action left open; `id` and `loop_id` are the same."""

    id: str
    loop_id: str
    org_id: str
    action_id: str
    loop_type: LoopType
    description: str
    status: LoopStatus
    priority: Priority
    owner: Optional[str]
    resolution: Optional[str]
    created_at: str
    resolved_at: Optional[str]
    agent_id: str
    agent_name: Optional[str]
    declared_goal: str
    action_type: str
    action_status: ActionStatus
    metadata: Dict[str, Any]


class Assumption(TypedDict):
    """Something that an action takes for granted; `id` and `assumption_id` are the same."""

    id: str
    assumption_id: str
    org_id: str
    action_id: str
    assumption: str
    basis: Optional[str]
    validated: bool
    validated_at: Optional[str]
    invalidated: bool
    invalidated_reason: Optional[str]
    invalidated_at: Optional[str]
    created_at: str
    agent_id: str
    agent_name: Optional[str]
    declared_goal: str
    action_type: str
    action_status: ActionStatus
    drift_score: Optional[int]
    metadata: Dict[str, Any]


class LoopAnswer(TypedDict):
    """One open loop."""

    loop: Loop
    loop_id: str
    security: SecuritySummary


class LoopStats(TypedDict):
    """How many loops there are."""

    open_count: int
    resolved_count: int
    critical_open: int
    high_open: int


class LoopPage(TypedDict):
    """A page of loops, the most urgent first."""

    loops: List[Loop]
    total: int
    stats: LoopStats
    limit: int
    offset: int
    has_more: bool
    lastUpdated: str


class AssumptionAnswer(TypedDict):
    """One assumption."""

    assumption: Assumption
    assumption_id: str
    security: SecuritySummary


class DriftSummary(TypedDict):
    """How the assumptions stand."""

    total: int
    at_risk: int
    validated: int
    invalidated: int
    unvalidated: int


class DriftReport(TypedDict):
    """All assumptions, the invalidated first."""

    assumptions: List[Assumption]
    total: int
    drift_summary: DriftSummary
    limit: int
    offset: int
    has_more: bool
    lastUpdated: str
