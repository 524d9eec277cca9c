"""Behavior guard: ask before acting, and look at what was decided."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict, Mapping, Optional

from .._call import Call, Caller, endpoint
from .._record import guard_call

if TYPE_CHECKING:
    from ..types import DecisionPage, GuardDecision


class GuardMethods(Caller):
    """Methods of the category "Behavior Guard"."""

    @endpoint
    def guard(self, context: Mapping[str, Any], include_signals: bool = False) -> Call[GuardDecision]:
        """Return the decision about something that is about to happen: allow, warn, require_approval or block.

        `context` needs `action_type` and takes `risk_score`, `systems_touched`, `reversible`, `declared_goal`,
        `agent_id` (the client's by default) and more. Every decision is recorded. `include_signals` adds a warning
        for each current signal of the agent. A block is an answer here, not an error.
        """
        body: Dict[str, Any] = dict(context)
        if body.get("agent_id") is None:
            body["agent_id"] = self.agent_id
        return guard_call(body, include_signals)

    @endpoint
    def get_guard_decisions(
        self,
        decision: Optional[str] = None,
        limit: int = 20,
        offset: int = 0,
        agent_id: Optional[str] = None,
    ) -> Call[DecisionPage]:
        """Return the decision history of an agent (the client's by default), newest first; `limit` up to 1,000.

        A client without an agent sees the whole organisation.
        """
        asked = {
            "agent_id": self.agent_id if agent_id is None else agent_id,
            "decision": decision,
            "limit": limit,
            "offset": offset,
        }
        return Call("GET", "/api/guard", query=asked)
