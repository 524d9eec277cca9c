"""What was found in a text, and what an answer says about masked secrets."""

from __future__ import annotations

from typing import List, Optional

from .._compat import TypedDict


class SecuritySummary(TypedDict):
    """What was masked in the texts that were sent."""

    clean: bool
    findings_count: int
    critical_count: int
    categories: List[str]


class SecurityFinding(TypedDict):
    """One secret or piece of personal data; `start`, `end` and `position` are in characters, `line` is from 1."""

    pattern: str
    category: str
    severity: str
    preview: str
    position: int
    start: int
    end: int
    line: int


class SecurityScan(TypedDict):
    """What stands in a text; `redacted` and `redacted_text` are the same."""

    clean: bool
    findings_count: int
    critical_count: int
    categories: List[str]
    findings: List[SecurityFinding]
    redacted: str
    redacted_text: str
    destination: Optional[str]
    stored: bool
    finding_id: Optional[str]


class ReportedFinding(SecurityScan):
    """A scan whose findings were stored; `finding_id` is None when the text was clean."""


class PromptFinding(TypedDict):
    """One phrase that tries to take over the model; `matched` is its first 20 characters."""

    pattern: str
    category: str
    severity: str
    matched: str
    position: int


class PromptScan(TypedDict):
    """How dangerous a text is for a model that reads it."""

    clean: bool
    risk_level: str
    recommendation: str
    findings_count: int
    critical_count: int
    categories: List[str]
    findings: List[PromptFinding]
    source: Optional[str]
