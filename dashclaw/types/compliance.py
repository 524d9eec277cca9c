"""Answers of the category "Compliance Engine"."""

from __future__ import annotations

from typing import Any, Dict, List, Optional

from .._compat import TypedDict


class Framework(TypedDict):
    """A framework that policies can be mapped to."""

    id: str
    name: str
    version: str
    description: str
    control_count: int


class FrameworkList(TypedDict):
    """The frameworks."""

    frameworks: List[Framework]
    total: int


class MatchedPolicy(TypedDict):
    """A policy that counts towards a control: full or partial, and why."""

    policy_id: str
    policy_description: str
    mapping_coverage: str
    rationale: str


class Control(TypedDict):
    """A control with its status (covered, partial or gap); `id` is `control_id`, `name` is `title`."""

    id: str
    control_id: str
    name: str
    title: str
    category: str
    description: str
    agent_relevance: str
    status: str
    covered: bool
    matched_policies: List[MatchedPolicy]
    evidence: str
    gap_recommendations: List[str]


class ComplianceSummary(TypedDict):
    """How many controls have each status."""

    total_controls: int
    covered: int
    partial: int
    gaps: int
    coverage_percentage: int


class GapSummary(TypedDict):
    """How many controls have each status, how grave the gaps are, and what closing them takes."""

    total_controls: int
    covered: int
    partial: int
    gaps: int
    coverage_percentage: int
    critical_gaps: int
    high_gaps: int
    total_remediation_items: int
    estimated_total_effort: str


class ComplianceMap(TypedDict):
    """The controls of a framework with the policies in force."""

    framework: str
    framework_id: str
    framework_version: str
    project: str
    generated_at: str
    summary: ComplianceSummary
    coverage_pct: int
    risk_level: str
    controls: List[Control]


class SuggestedPolicy(TypedDict):
    """A policy as `create_policy` takes it."""

    name: str
    policy_type: str
    rules: Dict[str, Any]


class RemediationItem(TypedDict):
    """An open control and what would close it; `coverage_gain` in points of a hundred."""

    priority: int
    control_id: str
    title: str
    status: str
    agent_relevance: str
    recommendations: List[str]
    estimated_effort: str
    coverage_gain: float
    suggested_policies: List[SuggestedPolicy]


class RemediationStep(TypedDict):
    """The next policy to add, the controls that it closes, and the coverage with it."""

    step: int
    policy: SuggestedPolicy
    closes: List[str]
    coverage_gain: float
    coverage_after: int


class RiskAssessment(TypedDict):
    """What the gaps mean: LOW, MEDIUM, HIGH or CRITICAL."""

    overall_risk: str
    narrative: str
    immediate_actions: List[str]


class GapAnalysis(TypedDict):
    """What is missing, in order of effect."""

    framework: str
    framework_id: str
    framework_version: str
    project: str
    generated_at: str
    analysis_date: str
    coverage_pct: int
    summary: GapSummary
    remediation_plan: List[RemediationItem]
    quick_wins: List[RemediationItem]
    steps: List[RemediationStep]
    risk_assessment: RiskAssessment


class ComplianceReport(TypedDict):
    """A report: `report` as text, `document` as values; no snapshot for a read-only key."""

    report: str
    format: str
    generated_at: str
    document: Dict[str, Any]
    snapshot_id: Optional[str]


class ComplianceEvidence(TypedDict):
    """What was decided and recorded in a window."""

    guard_decisions_total: int
    guard_decisions_allowed: int
    guard_decisions_warned: int
    guard_decisions_blocked: int
    approval_requests: int
    approvals: Dict[str, int]
    action_records_total: int
    breakdown: List[Dict[str, Any]]
    action_breakdown: List[Dict[str, Any]]
    policies: List[Dict[str, Any]]
    examples: List[Dict[str, Any]]


class EvidenceEntry(TypedDict):
    """An entry of the evidence chain: `hash` is its link, in hex."""

    seq: int
    event_id: int
    event: str
    hash: str


class CheckpointSummary(TypedDict):
    """What the last signed checkpoint states."""

    size: int
    root: str
    at: str


class EvidenceEntries(TypedDict):
    """The entries that evidence rests on, `total` of them: those from `first_seq` to `last_seq`; the newest 100 listed.

    `unlinked` events have no entry yet.
    """

    entries: List[EvidenceEntry]
    total: int
    first_seq: Optional[int]
    last_seq: Optional[int]
    checkpoint: Optional[CheckpointSummary]
    unlinked: int


class EvidenceAnswer(TypedDict):
    """Evidence of the last `window_days`; `controls` when a framework was named."""

    window: str
    window_days: int
    evidence: ComplianceEvidence
    entries: EvidenceEntries
    generated_at: str
    framework: Optional[str]
    controls: Optional[List[Dict[str, Any]]]
