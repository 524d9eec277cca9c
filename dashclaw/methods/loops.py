"""Loops and assumptions: what an action left open, and what it takes for granted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Optional

from .._call import Call, Caller, endpoint, path

if TYPE_CHECKING:
    from ..types import AssumptionAnswer, DriftReport, LoopAnswer, LoopPage

_ASSUMPTIONS = ("/api/actions/assumptions", "/api/assumptions")


class LoopMethods(Caller):
    """Methods of the category "Loops & Assumptions"."""

    @endpoint
    def register_open_loop(
        self,
        action_id: str,
        loop_type: str,
        description: str,
        *,
        priority: Optional[str] = None,
        owner: Optional[str] = None,
        **fields: Any,
    ) -> Call[LoopAnswer]:
        """Register something that an action leaves open.

        `loop_type` is followup, question, dependency, approval, review, handoff or other; `priority` low, medium,
        high or critical. The id for later calls is `["loop"]["id"]`.
        """
        body = {
            "action_id": action_id,
            "loop_type": loop_type,
            "description": description,
            "priority": priority,
            "owner": owner,
        }
        return Call("POST", "/api/actions/loops", body=dict(fields, **body))

    @endpoint
    def resolve_open_loop(self, loop_id: str, status: str, resolution: Optional[str] = None) -> Call[LoopAnswer]:
        """Close a loop for good: "resolved", which needs a `resolution`, or "cancelled"."""
        body = {"status": status, "resolution": resolution}
        return Call("PATCH", path("actions", "loops", loop_id), body=body)

    @endpoint
    def get_open_loops(
        self,
        *,
        status: Optional[str] = None,
        agent_id: Optional[str] = None,
        loop_type: Optional[str] = None,
        priority: Optional[str] = None,
        limit: Optional[int] = None,
        offset: Optional[int] = None,
        **filters: Any,
    ) -> Call[LoopPage]:
        """Return loops, the most urgent first: at most `limit` (50, up to 200)."""
        asked = {
            "status": status,
            "agent_id": agent_id,
            "loop_type": loop_type,
            "priority": priority,
            "limit": limit,
            "offset": offset,
        }
        return Call("GET", "/api/actions/loops", query=dict(filters, **asked))

    @endpoint
    def register_assumption(
        self, action_id: str, assumption: str, *, basis: Optional[str] = None, **fields: Any
    ) -> Call[AssumptionAnswer]:
        """Register something that an action takes for granted; the id for later calls is `["assumption"]["id"]`."""
        body = {"action_id": action_id, "assumption": assumption, "basis": basis}
        return Call("POST", "/api/actions/assumptions", body=dict(fields, **body), moved=_ASSUMPTIONS)

    @endpoint
    def get_assumption(self, assumption_id: str) -> Call[AssumptionAnswer]:
        """Return one assumption with its action's agent, goal, type and status."""
        return Call("GET", path("actions", "assumptions", assumption_id), moved=_ASSUMPTIONS)

    @endpoint
    def validate_assumption(
        self, assumption_id: str, validated: bool, invalidated_reason: Optional[str] = None
    ) -> Call[AssumptionAnswer]:
        """Confirm an assumption, or refute it with `validated=False` and an `invalidated_reason`."""
        body = {"validated": validated, "invalidated_reason": invalidated_reason}
        return Call("PATCH", path("actions", "assumptions", assumption_id), body=body, moved=_ASSUMPTIONS)

    @endpoint
    def get_drift_report(
        self,
        *,
        agent_id: Optional[str] = None,
        action_id: Optional[str] = None,
        validated: Optional[bool] = None,
        stale: Optional[bool] = None,
        limit: Optional[int] = None,
        offset: Optional[int] = None,
        **filters: Any,
    ) -> Call[DriftReport]:
        """Return the assumptions, the invalidated first, each with `invalidated` and a drift score.

        `stale=True` keeps those that nobody confirmed for more than 7 days.
        """
        asked = {
            "drift": True,
            "agent_id": agent_id,
            "action_id": action_id,
            "validated": validated,
            "stale": stale,
            "limit": limit,
            "offset": offset,
        }
        return Call("GET", "/api/actions/assumptions", query=dict(filters, **asked), moved=_ASSUMPTIONS)
