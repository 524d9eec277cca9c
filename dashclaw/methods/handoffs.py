"""Session handoffs: what one session leaves for the next."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Optional, Sequence

from .._call import Call, Caller, endpoint

if TYPE_CHECKING:
    from ..types import HandoffAnswer, HandoffPage, LatestHandoff


class HandoffMethods(Caller):
    """Methods of the category "Session Handoffs"."""

    @endpoint
    def create_handoff(
        self, summary: str, *, context: Any = None, tags: Optional[Sequence[str]] = None, **fields: Any
    ) -> Call[HandoffAnswer]:
        """Leave a handoff for the next session, or for another agent.

        `context` is any JSON value. More fields: `key_decisions`, `open_tasks` and `next_priorities` (any JSON value),
        `mood_notes`, `session_date` (today in UTC), `agent_id`.
        """
        body = {"agent_id": self.agent_id, "summary": summary, "context": context, "tags": tags}
        return Call("POST", "/api/handoffs", body=dict(body, **fields))

    @endpoint
    def get_handoffs(
        self,
        *,
        date: Any = None,
        agent_id: Optional[str] = None,
        limit: Optional[int] = None,
        offset: Optional[int] = None,
        **filters: Any,
    ) -> Call[HandoffPage]:
        """Return handoffs of this agent, or of another by `agent_id`, newest first: at most `limit` (50, up to 1,000).

        `date` is the session's.
        """
        asked = {
            "agent_id": self.agent_id if agent_id is None else agent_id,
            "date": date,
            "limit": limit,
            "offset": offset,
        }
        return Call("GET", "/api/handoffs", query=dict(filters, **asked))

    @endpoint
    def get_latest_handoff(self) -> Call[LatestHandoff]:
        """Return this agent's newest handoff as `handoff`, which is None when there is none."""
        return Call("GET", "/api/handoffs", query={"agent_id": self.agent_id, "latest": True})
