"""Adaptive recommendations: advice learnt from how earlier actions ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Mapping, Optional, Sequence, Union

from .._call import Call, Caller, Flow, endpoint, path

if TYPE_CHECKING:
    from ..types import (
        AdaptedAction,
        RebuiltRecommendations,
        RecommendationAnswer,
        RecommendationEventList,
        RecommendationMetrics,
        RecommendationPage,
    )

_PATH = "/api/learning/recommendations"


class RecommendationMethods(Caller):
    """Methods of the category "Adaptive Recommendations"."""

    @endpoint
    def get_recommendations(
        self,
        action_type: Optional[str] = None,
        limit: int = 50,
        *,
        agent_id: Optional[str] = None,
        include_inactive: bool = False,
        track_events: bool = True,
        include_metrics: bool = False,
        lookback_days: Optional[int] = None,
        offset: Optional[int] = None,
        **filters: Any,
    ) -> Call[RecommendationPage]:
        """Return recommendations for an agent (the client's by default), the most certain first; `limit` up to 200.

        A call that finds a single one counts as its use, unless `track_events=False`. `include_metrics` adds what
        `get_recommendation_metrics` returns, over `lookback_days` (30, up to 365). `include_inactive` needs an
        admin's key.
        """
        asked = {
            "agent_id": self.agent_id if agent_id is None else agent_id,
            "action_type": action_type,
            "limit": limit,
            "offset": offset,
            "include_inactive": include_inactive or None,
            "track_events": track_events or None,
            "include_metrics": include_metrics or None,
            "lookback_days": lookback_days,
        }
        return Call("GET", _PATH, query=dict(filters, **asked))

    @endpoint
    def get_recommendation_metrics(
        self,
        action_type: Optional[str] = None,
        limit: int = 100,
        *,
        agent_id: Optional[str] = None,
        include_inactive: bool = False,
        lookback_days: int = 30,
        offset: Optional[int] = None,
        **filters: Any,
    ) -> Call[RecommendationMetrics]:
        """Return how often recommendations were taken, and how actions went with and without; `limit` up to 200.

        A figure that cannot be known, such as a lift without any action that took the advice, is None.
        """
        asked = {
            "agent_id": self.agent_id if agent_id is None else agent_id,
            "action_type": action_type,
            "limit": limit,
            "offset": offset,
            "include_inactive": include_inactive or None,
            "lookback_days": lookback_days,
        }
        return Call("GET", _PATH + "/metrics", query=dict(filters, **asked))

    @endpoint
    def record_recommendation_events(
        self, events: Union[Mapping[str, Any], Sequence[Mapping[str, Any]]]
    ) -> Call[RecommendationEventList]:
        """Record what became of recommendations: one event, or a list of up to 100.

        An event has an `event_type` (fetched, applied, overridden, outcome) and may have `recommendation_id`,
        `agent_id`, `action_id`, `details` and an `event_key`; a second event with the same key is left out.
        """
        from .._recommend import events_call

        if isinstance(events, Mapping):
            return Call("POST", _PATH + "/events", body=events)
        return events_call(list(events))

    @endpoint
    def set_recommendation_active(self, recommendation_id: str, active: bool) -> Call[RecommendationAnswer]:
        """Give a recommendation or stop giving it, also after a rebuild; needs an admin's key."""
        return Call("PATCH", path("learning", "recommendations", recommendation_id), body={"active": active})

    @endpoint
    def rebuild_recommendations(
        self,
        action_type: Optional[str] = None,
        *,
        lookback_days: int = 30,
        min_samples: int = 5,
        episode_limit: int = 5000,
        action_id: Optional[str] = None,
        agent_id: Optional[str] = None,
        **fields: Any,
    ) -> Call[RebuiltRecommendations]:
        """Learn the recommendations of an agent (the client's by default) again; needs an admin's key.

        Looks at the newest `episode_limit` (100..10,000) actions of `lookback_days` (1..365) and needs `min_samples`
        (2..100) of one type. `action_id` names an action to score first.
        """
        body = {
            "agent_id": self.agent_id if agent_id is None else agent_id,
            "action_type": action_type,
            "lookback_days": lookback_days,
            "min_samples": min_samples,
            "episode_limit": episode_limit,
            "action_id": action_id,
        }
        return Call("POST", _PATH, body=dict(fields, **body))

    @endpoint
    def recommend_action(self, action: Mapping[str, Any]) -> Flow[AdaptedAction]:
        """Return a copy of an action with the best recommendation for its type applied.

        The risk is lowered to the preferred cap, the confidence raised to the floor, and what is unsaid filled in:
        `adapted_fields` names what changed. Without a recommendation, or an `action_type`, nothing changes. A lower
        `risk_score` is a goal for the action, not a fact about it: change what the action does before declaring it.
        """
        from .._recommend import recommend

        return recommend(self, action)
