"""Answers of the category "Policy Testing"."""

from __future__ import annotations

from typing import Any, Dict, List, Optional

from .._compat import TypedDict


class PolicyTestResult(TypedDict):
    """How one test of one policy ended; `generated` tells tests that nobody wrote."""

    policy: str
    policy_id: str
    test: str
    passed: bool
    reason: str
    generated: bool
    expected: Optional[Dict[str, Any]]
    actual: Optional[Dict[str, Any]]
    conflict: Optional[Dict[str, Any]]


class PolicyTestReport(TypedDict):
    """How the tests of all active policies ended; `total` and `passed` count tests."""

    total_policies: int
    total_tests: int
    total: int
    passed: int
    failed: int
    success: bool
    results: List[PolicyTestResult]
    details: List[Dict[str, Any]]
    conflicts: int
    run_id: str
    generated_at: str
    warnings: List[str]


class ProofReport(TypedDict):
    """The policies in force: `report` as text, `document` as values."""

    report: str
    format: str
    generated_at: str
    document: Dict[str, Any]


class ImportedPolicy(TypedDict):
    """A policy that was imported, or would be: then without an id."""

    id: Optional[str]
    name: str
    policy_type: str
    rules: Dict[str, Any]
    active: bool
    agent_ids: List[str]
    metadata: Dict[str, Any]


class ImportedPolicies(TypedDict):
    """What an import did: how many were stored, and which names existed already."""

    imported: int
    skipped: int
    skipped_policies: List[str]
    errors: List[str]
    warnings: List[str]
    policies: List[ImportedPolicy]
    preview: Optional[Dict[str, Any]]
    dry_run: bool
    source: str
