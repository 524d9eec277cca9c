"""Human in the loop: wait for a person, and decide as one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Optional

from .._approval import await_decision
from .._call import Call, Caller, Flow, endpoint, path
from ..errors import ConfigurationError

if TYPE_CHECKING:
    from ..types import ActionDetail, ActionPage, ApprovalResult

_ANSWERS = ("allow", "deny")


class ApprovalMethods(Caller):
    """Methods of the category "Human-in-the-Loop (HITL) Governance"."""

    @endpoint
    def wait_for_approval(self, action_id: str, timeout: float = 300, interval: float = 5) -> Flow[ActionDetail]:
        """Wait until a person has decided about an action, and return the action with its loops and assumptions.

        `timeout` and `interval` are seconds; the decision is learnt from the event stream at once, and by asking
        every `interval` seconds where there is no stream. Failures on the way do not end the wait. Raises
        `ApprovalDeniedError`, `ApprovalExpiredError` or `ApprovalTimeoutError`.
        """
        return await_decision(self, action_id, timeout, interval)

    @endpoint
    def approve_action(self, action_id: str, decision: str, reasoning: Optional[str] = None) -> Call[ApprovalResult]:
        """Decide about a waiting action as a person: "allow" or "deny".

        Needs an admin's key, and another than the one that created the action. Raises `PermissionDeniedError`,
        `ConflictError` when it does not wait any more, `GoneError` when it expired.
        """
        if decision not in _ANSWERS:
            raise ConfigurationError(f"decision is 'allow' or 'deny', not {decision!r}")
        body = {"decision": decision, "reasoning": reasoning}
        return Call("POST", path("actions", action_id, "approve"), body=body)

    @endpoint
    def get_pending_approvals(self, limit: int = 20, offset: int = 0) -> Call[ActionPage]:
        """Return the actions of the organisation that wait for a person."""
        asked = {"status": "pending_approval", "limit": limit, "offset": offset}
        return Call("GET", "/api/actions", query=asked)
