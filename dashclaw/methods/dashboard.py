"""Dashboard data: decisions, goals, content and interactions, as agents report them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Optional

from .._call import Call, Caller, endpoint

if TYPE_CHECKING:
    from ..types import ContentAnswer, DecisionAnswer, GoalAnswer, InteractionAnswer


class DashboardMethods(Caller):
    """Methods of the category "Dashboard Data (Decisions, Goals, Content, Interactions)"."""

    @endpoint
    def record_decision(
        self, decision: str, *, reasoning: Optional[str] = None, confidence: Optional[int] = None, **fields: Any
    ) -> Call[DecisionAnswer]:
        """Record a decision that can be learnt from; it is not a decision of the guard.

        `confidence` is 0..100 (50). More fields: `context`, `outcome` ("pending"), `agent_id` (the client's).
        """
        body = {"agent_id": self.agent_id, "decision": decision, "reasoning": reasoning, "confidence": confidence}
        return Call("POST", "/api/learning", body=dict(body, **fields))

    @endpoint
    def create_goal(
        self, title: str, *, priority: Optional[str] = None, deadline: Any = None, **fields: Any
    ) -> Call[GoalAnswer]:
        """Create a goal.

        `priority` is a word of yours, `deadline` a date or text; `target_date` is another name for it. More fields:
        `category`, `description`, `progress` (0..100), `status` ("active"), `cost_estimate` (USD), `agent_id`.
        """
        # Older servers know the deadline by its other name only.
        body = {
            "agent_id": self.agent_id,
            "title": title,
            "priority": priority,
            "deadline": deadline,
            "target_date": deadline,
        }
        return Call("POST", "/api/goals", body=dict(body, **fields))

    @endpoint
    def record_content(
        self, title: str, *, content_type: Optional[str] = None, body: Optional[str] = None, **fields: Any
    ) -> Call[ContentAnswer]:
        """Record content that was produced; `body` is up to 50,000 characters.

        More fields: `platform`, `status` ("draft"), `url`, `agent_id`.
        """
        sent = {"agent_id": self.agent_id, "title": title, "content_type": content_type, "body": body}
        return Call("POST", "/api/content", body=dict(sent, **fields))

    @endpoint
    def record_interaction(self, summary: str, **fields: Any) -> Call[InteractionAnswer]:
        """Record an exchange with a person or another agent.

        Fields are `contact_name`, `contact_id`, `direction` ("outbound"), `type` ("message"), `platform`, `date`
        (now) and `agent_id`.
        """
        body = {"agent_id": self.agent_id, "summary": summary}
        return Call("POST", "/api/relationships", body=dict(body, **fields))
