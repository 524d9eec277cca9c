"""The guard: policies and an action in, a decision with its reasons out. Standard library only, no I/O, no clock."""

from __future__ import annotations

from .approvals import ADMIN_ROLE, MAX_APPROVER_ROLES, ApprovalNeed, is_approver_role
from .budgets import BudgetNeed
from .compile import Broken, Needs, PolicySet, RateLimitNeed, RemoteNeed, compile_policies
from .decide import Decision, decide, preliminary
from .facts import Facts, RemoteAnswer
from .policy import DECISIONS, POLICY_TYPES, SEVERITY, Policy, PolicyType, check_policy
from .reach import Doubt, doubts
from .remote_url import is_public_address, why_not_public
from .risk import score_risk
from .starter import STARTER_POLICIES

__all__ = [
    "ADMIN_ROLE",
    "DECISIONS",
    "MAX_APPROVER_ROLES",
    "POLICY_TYPES",
    "SEVERITY",
    "STARTER_POLICIES",
    "ApprovalNeed",
    "Broken",
    "BudgetNeed",
    "Decision",
    "Doubt",
    "Facts",
    "Needs",
    "Policy",
    "PolicySet",
    "PolicyType",
    "RateLimitNeed",
    "RemoteAnswer",
    "RemoteNeed",
    "check_policy",
    "compile_policies",
    "decide",
    "doubts",
    "is_approver_role",
    "is_public_address",
    "preliminary",
    "score_risk",
    "why_not_public",
]
