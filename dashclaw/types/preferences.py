"""Answers of the category "User Preferences"."""

from __future__ import annotations

from typing import Any, Dict, List, Optional

from .._compat import TypedDict
from .security import SecuritySummary


class Observation(TypedDict):
    """What was observed about the user."""

    id: str
    org_id: str
    agent_id: Optional[str]
    user_id: Optional[str]
    observation: str
    category: Optional[str]
    importance: int
    metadata: Dict[str, Any]
    created_at: str


class Preference(TypedDict):
    """What the user prefers; `confidence` is 0..100."""

    id: str
    org_id: str
    agent_id: Optional[str]
    user_id: Optional[str]
    preference: str
    category: Optional[str]
    confidence: int
    last_validated: Optional[str]
    metadata: Dict[str, Any]
    created_at: str


class Mood(TypedDict):
    """How the user felt."""

    id: str
    org_id: str
    agent_id: Optional[str]
    user_id: Optional[str]
    mood: str
    energy: Optional[str]
    notes: Optional[str]
    context: Optional[str]
    metadata: Dict[str, Any]
    created_at: str


class Approach(TypedDict):
    """What was tried, and how often it worked; `succeeded` is how it went last."""

    id: str
    org_id: str
    agent_id: Optional[str]
    user_id: Optional[str]
    approach: str
    context: Optional[str]
    succeeded: Optional[bool]
    success_count: int
    fail_count: int
    metadata: Dict[str, Any]
    created_at: str
    updated_at: str


class ObservationAnswer(TypedDict):
    """One observation."""

    observation: Observation
    observation_id: str
    security: SecuritySummary


class PreferenceAnswer(TypedDict):
    """One preference."""

    preference: Preference
    preference_id: str
    security: SecuritySummary


class MoodAnswer(TypedDict):
    """One mood."""

    mood: Mood
    mood_id: str
    security: SecuritySummary


class ApproachAnswer(TypedDict):
    """One approach."""

    approach: Approach
    approach_id: str
    security: SecuritySummary


class ApproachPage(TypedDict):
    """A page of approaches, the most successful first."""

    approaches: List[Approach]
    total: int
    limit: int
    offset: int
    has_more: bool
    lastUpdated: str


class PreferenceOverview(TypedDict):
    """The most certain preferences, the newest moods, the best approaches."""

    observations_count: int
    preferences: List[Preference]
    recent_moods: List[Mood]
    top_approaches: List[Approach]


class PreferenceSummary(TypedDict):
    """What is known of the user."""

    summary: PreferenceOverview
