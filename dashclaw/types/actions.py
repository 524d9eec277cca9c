"""Answers of the categories "Action Recording" and "Human-in-the-Loop"."""

from __future__ import annotations

from typing import Any, Dict, List, Optional

from .._compat import TypedDict
from .guard import GuardDecision, RequiredApproval
from .loops import Assumption, Loop
from .security import SecuritySummary
from .vocabulary import ActionStatus, ApprovalAnswer, ApprovalStatus, Resolution, Role


class ApprovalNeed(RequiredApproval):
    """What was asked for, and how many people have approved who count for it."""

    given: int


# One key is a word of the language.
ApprovalVote = TypedDict(
    "ApprovalVote",
    {
        "by": str,
        "name": Optional[str],
        "actor_type": str,
        "role": Role,
        "approver_roles": List[str],
        "self": bool,
        "decision": ApprovalAnswer,
        "at": str,
        "from": Dict[str, str],
        "how": str,
        "reason": Optional[str],
        "digest": Optional[str],
    },
)


class Approval(TypedDict):
    """What people decided about an action."""

    status: ApprovalStatus
    by: Optional[str]
    at: Optional[str]
    reason: Optional[str]
    expires_at: Optional[str]
    self_approved: bool
    used_at: Optional[str]
    required: List[ApprovalNeed]
    remaining: int
    votes: List[ApprovalVote]


class Action(TypedDict):
    """A recorded action."""

    id: str
    org_id: str
    action_id: str
    agent_id: str
    agent_name: Optional[str]
    swarm_id: Optional[str]
    parent_action_id: Optional[str]
    action_type: str
    declared_goal: str
    reasoning: Optional[str]
    authorization_scope: Optional[str]
    trigger: Optional[str]
    systems_touched: List[str]
    input_summary: Optional[str]
    status: ActionStatus
    resolution: Optional[Resolution]
    approval: Optional[Approval]
    approved_by: Optional[str]
    reversible: bool
    risk_score: int
    confidence: int
    recommendation_id: Optional[str]
    recommendation_applied: bool
    recommendation_override_reason: Optional[str]
    output_summary: Optional[str]
    side_effects: List[Any]
    artifacts_created: List[Any]
    error_message: Optional[str]
    timestamp_start: str
    timestamp_end: Optional[str]
    duration_ms: Optional[int]
    cost_estimate: Optional[float]
    tokens_in: Optional[int]
    tokens_out: Optional[int]
    model: Optional[str]
    metadata: Dict[str, Any]
    signature: Optional[str]
    verified: bool
    created_at: str
    decision_id: Optional[str]
    session_id: Optional[str]
    idempotency_key: Optional[str]
    approval_expires_at: Optional[str]
    created_by: Optional[str]
    updated_at: str


class CreatedAction(TypedDict):
    """The answer to `create_action`: the record and the decision about it."""

    action: Action
    action_id: str
    decision: GuardDecision
    security: SecuritySummary
    warnings: List[str]


class UpdatedAction(TypedDict):
    """The answer to `update_outcome`."""

    action: Action
    action_id: str
    security: SecuritySummary
    warnings: List[str]


class ActionDetail(TypedDict):
    """One action with its loops and assumptions."""

    action: Action
    action_id: str
    open_loops: List[Loop]
    assumptions: List[Assumption]


class ActionStats(TypedDict):
    """Totals over a whole filter."""

    total: int
    completed: int
    failed: int
    running: int
    high_risk: int
    avg_risk: float
    total_cost: float
    pending_approval: int


class ActionPage(TypedDict):
    """A page of actions, newest first."""

    actions: List[Action]
    total: int
    stats: ActionStats
    limit: int
    offset: int
    has_more: bool
    lastUpdated: str


class TraceAssumptions(TypedDict):
    """The assumptions of an action, counted."""

    total: int
    validated: int
    invalidated: int
    unvalidated: int
    items: List[Assumption]


class TraceLoops(TypedDict):
    """The loops of an action, counted."""

    total: int
    open: int
    resolved: int
    cancelled: int
    items: List[Loop]


class RootCause(TypedDict):
    """A hint at why an action went wrong."""

    type: str
    severity: str
    count: int
    detail: str


class Trace(TypedDict):
    """What an action hangs together with."""

    assumptions: TraceAssumptions
    loops: TraceLoops
    parent_chain: List[Action]
    sub_actions: List[Action]
    related_actions: List[Action]
    root_cause_indicators: List[RootCause]


class ActionTrace(TypedDict):
    """The answer to `get_action_trace`."""

    action: Action
    trace: Trace


class ApprovalResult(TypedDict):
    """The answer to `approve_action`."""

    success: bool
    action: Action
    action_id: str
    security: SecuritySummary
