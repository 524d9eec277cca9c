"""Answers of the category "Agent Schedules"."""

from __future__ import annotations

from typing import Any, Dict, List, Optional

from .._compat import Literal, TypedDict
from .routing import RoutingUrgency

MissedRuns = Literal["once", "skip"]


class Schedule(TypedDict):
    """A schedule; `id` and `schedule_id` are the same, and `next_run` is None while it is off."""

    id: str
    schedule_id: str
    org_id: str
    agent_id: str
    name: str
    description: Optional[str]
    cron_expression: str
    timezone: str
    enabled: bool
    missed: MissedRuns
    next_run: Optional[str]
    last_run: Optional[str]
    last_task_id: Optional[str]
    run_count: int
    required_skills: List[str]
    urgency: RoutingUrgency
    timeout_seconds: int
    max_retries: int
    callback_url: Optional[str]
    metadata: Dict[str, Any]
    created_by: str
    created_at: str
    updated_at: str


class ScheduleAnswer(TypedDict):
    """One schedule."""

    schedule: Schedule
    schedule_id: str


class SchedulePage(TypedDict):
    """The schedules by agent, newest first."""

    schedules: List[Schedule]
    total: int
    limit: int
    offset: int
    has_more: bool
    lastUpdated: str
