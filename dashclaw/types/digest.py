"""Answers of the category "Daily Digest"."""

from __future__ import annotations

from typing import Any, Dict, Optional

from .._compat import TypedDict


class Digest(TypedDict):
    """What happened on one day.

    `digest` has a part per kind, each with `total` and the newest `items`; that of the actions also `completed`,
    `failed` and `avg_risk`. `guard` counts decisions, `tokens` what model calls used.
    """

    date: str
    agent_id: Optional[str]
    digest: Dict[str, Any]
    summary: Dict[str, int]
    actions_count: int
    decisions_count: int
    lessons_count: int
    content_count: int
    ideas_count: int
    interactions_count: int
    goals_count: int
    handoffs_count: int
    snippets_count: int
    context_points_count: int
    observations_count: int
    moods_count: int
    messages_count: int
    tasks_count: int
    calendar_count: int
    findings_count: int
