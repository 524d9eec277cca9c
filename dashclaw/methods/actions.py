"""Action recording: what an agent is about to do, how it ended, and what it hangs together with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict, Optional, Sequence

from .._call import Call, Caller, Flow, endpoint, path
from .._record import outcome_call, record_and_wait

if TYPE_CHECKING:
    from ..types import ActionDetail, ActionPage, ActionTrace, CreatedAction, SignalList, UpdatedAction


class ActionMethods(Caller):
    """Methods of the category "Action Recording"."""

    @endpoint
    def create_action(
        self,
        action_type: str,
        declared_goal: str,
        *,
        risk_score: Optional[int] = None,
        systems_touched: Optional[Sequence[str]] = None,
        reversible: Optional[bool] = None,
        **fields: Any,
    ) -> Flow[CreatedAction]:
        """Record a new action; the guard decides about it first.

        `risk_score` and `confidence` are 0..100, `approval_wait_seconds` 5..86400. An action that needs approval
        comes back with the status "pending_approval", or, with `hitl_mode="wait"`, once a person allowed it. Raises
        `GuardBlockedError`; when waiting `ApprovalDeniedError`, `ApprovalExpiredError` and `ApprovalTimeoutError`;
        with `guard_mode="enforce"` `GuardUnavailableError`.
        """
        body: Dict[str, Any] = {
            "agent_id": self.agent_id,
            "agent_name": self.agent_name,
            "swarm_id": self.swarm_id,
            "action_type": action_type,
            "declared_goal": declared_goal,
            "risk_score": risk_score,
            "systems_touched": systems_touched,
            "reversible": reversible,
        }
        body.update(fields)
        return record_and_wait(self, body)

    @endpoint
    def update_outcome(self, action_id: str, status: Optional[str] = None, **fields: Any) -> Call[UpdatedAction]:
        """Record how an action goes on: "completed", "failed" or "cancelled" end it, once.

        Fields are `output_summary`, `side_effects`, `artifacts_created`, `error_message`, `duration_ms`,
        `cost_estimate` (USD), `tokens_in`, `tokens_out`, `model`. Without a status only the fields change. Raises
        `ConflictError` for an action that ended already or waits for a person.
        """
        return outcome_call(action_id, dict(fields, status=status))

    @endpoint
    def get_actions(
        self,
        *,
        status: Optional[str] = None,
        agent_id: Optional[str] = None,
        swarm_id: Optional[str] = None,
        action_type: Optional[str] = None,
        risk_min: Optional[int] = None,
        limit: Optional[int] = None,
        offset: Optional[int] = None,
        **filters: Any,
    ) -> Call[ActionPage]:
        """Return actions of the whole organisation, newest first: at most `limit` (50, up to 200)."""
        asked = {
            "status": status,
            "agent_id": agent_id,
            "swarm_id": swarm_id,
            "action_type": action_type,
            "risk_min": risk_min,
            "limit": limit,
            "offset": offset,
        }
        return Call("GET", "/api/actions", query=dict(filters, **asked))

    @endpoint
    def get_action(self, action_id: str) -> Call[ActionDetail]:
        """Return one action with its loops and assumptions."""
        return Call("GET", path("actions", action_id))

    @endpoint
    def get_action_trace(self, action_id: str) -> Call[ActionTrace]:
        """Return an action with its ancestors, descendants, related actions and hints at causes."""
        return Call("GET", path("actions", action_id, "trace"))

    @endpoint
    def get_signals(self, agent_id: Optional[str] = None) -> Call[SignalList]:
        """Return what deserves a look right now, red before amber; of one agent or of all."""
        return Call(
            "GET",
            "/api/actions/signals",
            query={"agent_id": agent_id},
            moved=("/api/actions/signals", "/api/signals"),
        )
