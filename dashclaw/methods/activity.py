"""Activity logs: every change that somebody made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Optional

from .._call import Call, Caller, endpoint

if TYPE_CHECKING:
    from ..types import ActivityPage


class ActivityMethods(Caller):
    """Methods of the category "Activity Logs"."""

    @endpoint
    def get_activity_logs(
        self,
        *,
        agent_id: Optional[str] = None,
        type: Optional[str] = None,  # noqa: A002 - the documented name
        action: Optional[str] = None,
        actor_id: Optional[str] = None,
        resource_type: Optional[str] = None,
        before: Any = None,
        after: Any = None,
        limit: Optional[int] = None,
        offset: Optional[int] = None,
        **filters: Any,
    ) -> Call[ActivityPage]:
        """Return the log of changes, newest first: at most `limit` (50, up to 200).

        `action` is exact, such as "policy.created"; `type` is the kind of thing that changed; `before` and `after`
        are times.
        """
        asked = {
            "agent_id": agent_id,
            "type": type,
            "action": action,
            "actor_id": actor_id,
            "resource_type": resource_type,
            "before": before,
            "after": after,
            "limit": limit,
            "offset": offset,
        }
        return Call("GET", "/api/activity", query=dict(filters, **asked))
