"""The daily digest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._call import Call, Caller, endpoint

if TYPE_CHECKING:
    from ..types import Digest


class DigestMethods(Caller):
    """Methods of the category "Daily Digest"."""

    @endpoint
    def get_daily_digest(self, date: Any = None) -> Call[Digest]:
        """Return what this agent did on a day (UTC): counts, and the newest of each kind under `["digest"]`.

        `date` is a date or text such as "2026-01-31"; without it the day is today.
        """
        return Call("GET", "/api/digest", query={"agent_id": self.agent_id, "date": date}, read=_with_counts)


def _with_counts(answer: Any) -> Any:
    """Add the counts that other servers give under other names only."""
    summary = answer.get("summary") if isinstance(answer, dict) else None
    if isinstance(summary, dict):
        for name, count in summary.items():
            if name in _PLURALS:
                answer.setdefault(f"{_PLURALS[name]}_count", count)
    return answer


_PLURALS = {
    "action_count": "actions",
    "decision_count": "decisions",
    "lesson_count": "lessons",
    "content_count": "content",
    "idea_count": "ideas",
    "interaction_count": "interactions",
    "goal_count": "goals",
}
