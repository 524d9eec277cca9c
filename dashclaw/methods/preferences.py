"""User preferences: what an agent learns about the person it works for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Optional

from .._call import Call, Caller, endpoint

if TYPE_CHECKING:
    from ..types import (
        ApproachAnswer,
        ApproachPage,
        MoodAnswer,
        ObservationAnswer,
        PreferenceAnswer,
        PreferenceSummary,
    )

_PATH = "/api/preferences"


class PreferenceMethods(Caller):
    """Methods of the category "User Preferences"."""

    @endpoint
    def log_observation(self, observation: str, **fields: Any) -> Call[ObservationAnswer]:
        """Log what was observed about the user.

        Fields are `category`, `importance` (5), `user_id` and `agent_id` (the client's).
        """
        body = {"type": "observation", "agent_id": self.agent_id, "observation": observation}
        return Call("POST", _PATH, body=dict(body, **fields))

    @endpoint
    def set_preference(self, preference: str, **fields: Any) -> Call[PreferenceAnswer]:
        """Record what the user prefers; every call adds one.

        Fields are `category`, `confidence` (0..100, 50), `last_validated`, `user_id` and `agent_id`.
        """
        body = {"type": "preference", "agent_id": self.agent_id, "preference": preference}
        return Call("POST", _PATH, body=dict(body, **fields))

    @endpoint
    def log_mood(
        self, mood: str, *, energy: Optional[str] = None, context: Optional[str] = None, **fields: Any
    ) -> Call[MoodAnswer]:
        """Log the user's mood in this session. More fields: `notes`, `user_id`, `agent_id`."""
        body = {"type": "mood", "agent_id": self.agent_id, "mood": mood, "energy": energy, "context": context}
        return Call("POST", _PATH, body=dict(body, **fields))

    @endpoint
    def track_approach(
        self, approach: str, *, succeeded: Optional[bool] = None, context: Optional[str] = None, **fields: Any
    ) -> Call[ApproachAnswer]:
        """Track an approach: each call with `succeeded` counts one success or failure of it.

        The same text by the same agent is the same approach. More fields: `user_id`, `agent_id`.
        """
        body = {
            "type": "approach",
            "agent_id": self.agent_id,
            "approach": approach,
            "context": context,
            "success": succeeded,
        }
        return Call("POST", _PATH, body=dict(body, **fields))

    @endpoint
    def get_preference_summary(self) -> Call[PreferenceSummary]:
        """Return what is known of this agent's user.

        The number of observations, the 20 most certain preferences, the 5 newest moods and the 10 best approaches.
        """
        return Call("GET", _PATH, query={"type": "summary", "agent_id": self.agent_id})

    @endpoint
    def get_approaches(self, limit: Optional[int] = None, *, offset: Optional[int] = None) -> Call[ApproachPage]:
        """Return this agent's approaches, the most successful first: at most `limit` (50, up to 200)."""
        return Call(
            "GET", _PATH, query={"type": "approaches", "agent_id": self.agent_id, "limit": limit, "offset": offset}
        )
