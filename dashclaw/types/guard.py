"""Answers of the category "Behavior Guard", and signals."""

from __future__ import annotations

from typing import Any, Dict, List, Optional

from .._compat import TypedDict
from .vocabulary import GuardVerdict, Severity


class Signal(TypedDict):
    """Something about an agent that deserves a look."""

    type: str
    severity: Severity
    label: str
    detail: str
    help: str
    agent_id: str
    action_id: str
    loop_id: str
    assumption_id: str


class SignalCounts(TypedDict):
    """How many signals there are."""

    red: int
    amber: int
    total: int


class SignalList(TypedDict):
    """The current signals, red first."""

    signals: List[Signal]
    counts: SignalCounts
    lastUpdated: str


class RequiredApproval(TypedDict):
    """So many people, each with one of the roles, asked for by a policy; by the agent itself when there is none."""

    policy_id: Optional[str]
    policy: Optional[str]
    approvals_required: int
    approver_roles: List[str]


class GuardDecision(TypedDict):
    """What the guard says, and why."""

    decision: GuardVerdict
    decision_id: str
    reason: Optional[str]
    reasons: List[str]
    warnings: List[str]
    matched_policies: List[str]
    risk_score: Optional[int]
    risk_breakdown: Dict[str, Any]
    signals: List[Signal]
    degraded: bool
    recorded: bool
    evaluated_at: str
    digest: str
    policy_set: str
    approvals: List[RequiredApproval]


class RecordedDecision(TypedDict):
    """A decision in the history."""

    id: str
    org_id: str
    agent_id: Optional[str]
    action_type: str
    action_id: Optional[str]
    risk_score: Optional[int]
    decision: GuardVerdict
    reason: Optional[str]
    reasons: List[str]
    warnings: List[str]
    matched_policies: List[str]
    context: Dict[str, Any]
    created_at: str
    degraded: bool
    digest: str
    risk_breakdown: Dict[str, Any]
    policy_set: Optional[str]
    facts: Optional[Dict[str, Any]]


class DecisionStats(TypedDict):
    """The decisions of the last 24 hours."""

    total_24h: int
    blocks_24h: int
    warns_24h: int
    approvals_24h: int


class DecisionPage(TypedDict):
    """A page of the decision history, newest first."""

    decisions: List[RecordedDecision]
    total: int
    stats: DecisionStats
    limit: int
    offset: int
    has_more: bool
