"""Policies against the controls of a framework: what they cover, what is missing, what to do. No I/O but data files."""

from __future__ import annotations

from .frameworks import FRAMEWORKS, Control, Framework, load
from .gaps import analyse
from .mapping import Coverage, coverage_of, map_controls, risk_level
from .pages import report_page

__all__ = [
    "FRAMEWORKS",
    "Control",
    "Coverage",
    "Framework",
    "analyse",
    "coverage_of",
    "load",
    "map_controls",
    "report_page",
    "risk_level",
]
