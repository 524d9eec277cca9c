"""Answers of the category "Bulk Sync"."""

from __future__ import annotations

from typing import Any, Dict

from .._compat import TypedDict


class SyncAnswer(TypedDict):
    """What a push stored, by section: `{"goals": {"synced": 2, "unchanged": 1, "errors": [...]}}`."""

    sync_id: str
    results: Dict[str, Dict[str, Any]]
    total_synced: int
    total_errors: int
    duration_ms: int
