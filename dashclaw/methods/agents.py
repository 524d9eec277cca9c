"""Agents: tell the server that one is alive."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Mapping, Optional

from .._call import Call, Caller, endpoint

if TYPE_CHECKING:
    from ..types import HeartbeatAnswer


class AgentMethods(Caller):
    """Methods about agents and their presence."""

    @endpoint
    def heartbeat(
        self,
        status: str = "online",
        current_task_id: Optional[str] = None,
        metadata: Optional[Mapping[str, Any]] = None,
    ) -> Call[HeartbeatAnswer]:
        """Tell the server that this agent is alive, and what it works on."""
        body = {
            "agent_id": self.agent_id,
            "agent_name": self.agent_name,
            "status": status,
            "current_task_id": current_task_id,
            "metadata": metadata,
        }
        return Call("POST", "/api/agents/heartbeat", body=body)
