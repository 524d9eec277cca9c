"""Answers of the category "Adaptive Recommendations"."""

from __future__ import annotations

from typing import Any, Dict, List, Optional

from .._compat import TypedDict
from .vocabulary import ActionStatus, EpisodeLabel, RecommendationEventType


class RecommendationHints(TypedDict):
    """What the best runs had in common; None for what nobody measured."""

    preferred_risk_cap: Optional[int]
    prefer_reversible: bool
    confidence_floor: Optional[int]
    expected_duration_ms: Optional[int]
    expected_cost_estimate: Optional[float]


class Recommendation(TypedDict):
    """Advice for one agent and type of action; `confidence` is 35..95, `success_rate` 0..1."""

    id: str
    org_id: str
    agent_id: str
    action_type: str
    confidence: int
    sample_size: int
    top_sample_size: int
    success_rate: float
    avg_score: float
    hints: RecommendationHints
    guidance: List[str]
    active: bool
    computed_at: str
    created_at: str
    updated_at: str


class RecommendationAnswer(TypedDict):
    """One recommendation."""

    recommendation: Recommendation
    warnings: List[str]


class RecommendationTelemetry(TypedDict):
    """How often a recommendation was fetched and what became of it; `adoption_rate` is 0..1."""

    fetched: int
    applied: int
    overridden: int
    outcomes: int
    adoption_rate: Optional[float]


class OutcomeFigures(TypedDict):
    """How actions ended; rates are 0..1 and leave out what has not ended."""

    total: int
    success_rate: Optional[float]
    failure_rate: Optional[float]
    avg_score: Optional[float]
    avg_duration_ms: Optional[float]
    avg_cost_estimate: Optional[float]


class ComparedOutcomes(TypedDict):
    """How actions ended with the advice and without it."""

    applied: OutcomeFigures
    baseline: OutcomeFigures


class RecommendationDeltas(TypedDict):
    """With the advice minus without it; `failure_reduction` the other way round."""

    success_lift: Optional[float]
    failure_reduction: Optional[float]
    latency_delta_ms: Optional[float]
    cost_delta_estimate: Optional[float]


class RecommendationMetric(TypedDict):
    """Whether one recommendation is taken, and whether it helps."""

    recommendation_id: str
    agent_id: str
    action_type: str
    active: bool
    confidence: int
    sample_size: int
    telemetry: RecommendationTelemetry
    outcomes: ComparedOutcomes
    deltas: RecommendationDeltas


class RecommendationSummary(TypedDict):
    """Figures over several recommendations."""

    total_recommendations: int
    active_recommendations: int
    avg_adoption_rate: Optional[float]
    avg_success_lift: Optional[float]


class MetricsBundle(TypedDict):
    """Metrics with their summary."""

    metrics: List[RecommendationMetric]
    summary: RecommendationSummary


class RecommendationMetrics(TypedDict):
    """A page of metrics with their summary; `total` counts all that match."""

    metrics: List[RecommendationMetric]
    summary: RecommendationSummary
    lookback_days: int
    total: int
    limit: int
    offset: int
    has_more: bool
    lastUpdated: str


class RecommendationPage(TypedDict):
    """A page of recommendations; `metrics` only where they were asked for."""

    recommendations: List[Recommendation]
    metrics: MetricsBundle
    lookback_days: int
    total: int
    limit: int
    offset: int
    has_more: bool
    lastUpdated: str


class RecommendationEvent(TypedDict):
    """Something that became of a recommendation."""

    id: str
    org_id: str
    recommendation_id: Optional[str]
    agent_id: Optional[str]
    action_id: Optional[str]
    event_type: RecommendationEventType
    event_key: Optional[str]
    details: Dict[str, Any]
    metadata: Dict[str, Any]
    created_at: str


class RecommendationEventList(TypedDict):
    """The events that were new."""

    created: List[RecommendationEvent]
    created_count: int
    warnings: List[str]


class Episode(TypedDict):
    """How an action went; `score` is 0..100."""

    id: str
    org_id: str
    action_id: str
    agent_id: str
    action_type: str
    status: ActionStatus
    label: EpisodeLabel
    score: int
    risk_score: int
    reversible: bool
    confidence: Optional[int]
    duration_ms: Optional[int]
    cost_estimate: Optional[float]
    invalidated_assumptions: int
    open_loops: int
    recommendation_id: Optional[str]
    recommendation_applied: bool
    created_at: str
    updated_at: str


class RebuiltRecommendations(TypedDict):
    """What was learnt from how many actions; `scored_episode` is that of the action named."""

    scored_episode: Optional[Episode]
    episodes_scanned: int
    recommendations: List[Recommendation]
    total: int
    rebuilt_at: str
    warnings: List[str]


class AdaptedAction(TypedDict):
    """A copy of an action with the recommendation applied; `adapted_fields` names what changed."""

    action: Dict[str, Any]
    recommendation: Optional[Recommendation]
    adapted_fields: List[str]
