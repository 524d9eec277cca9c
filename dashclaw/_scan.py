"""What a scan of a text says: the findings with no more of each than its last four characters."""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate
from typing import Any, Dict, List, Sequence

from ._detect import Finding
from ._personal import find_all
from ._redact import mask, summary

# The findings that are told one by one; the counts and categories are of all.
MOST_TOLD = 1000
_SHORTEST_SHOWN = 11


def scan(text: str) -> Dict[str, Any]:
    """Return `{clean, findings_count, critical_count, categories, findings, redacted}` of a text.

    Each finding has `pattern`, `category`, `severity`, `preview`, `position`, `start`, `end` and `line`.
    """
    found = find_all(text)
    return dict(summary(found), findings=_told(text, found[:MOST_TOLD]), redacted=mask(text, found))


def _told(text: str, found: Sequence[Finding]) -> List[Dict[str, Any]]:
    ends = list(accumulate(len(line) for line in text.splitlines(True))) if found else []
    return [
        {
            "pattern": finding.kind.name,
            "category": finding.kind.category,
            "severity": finding.kind.severity,
            "preview": _preview(text[finding.start : finding.end]),
            "position": finding.start,
            "start": finding.start,
            "end": finding.end,
            "line": bisect_right(ends, finding.start) + 1,
        }
        for finding in found
    ]


def _preview(secret: str) -> str:
    # Of a short one the last four characters would give away most.
    return "***" + (secret[-4:] if len(secret) >= _SHORTEST_SHOWN else "")
