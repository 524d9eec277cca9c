"""Answers of the category "Context Manager"."""

from __future__ import annotations

from typing import Any, Dict, List, Optional

from .._compat import TypedDict
from .security import SecuritySummary
from .vocabulary import ContextThreadStatus


class KeyPoint(TypedDict):
    """A key point of a session; `importance` is 1..10."""

    id: str
    org_id: str
    agent_id: Optional[str]
    content: str
    category: str
    importance: int
    session_date: str
    compressed: bool
    metadata: Dict[str, Any]
    created_at: str


class ContextThread(TypedDict):
    """A thread that runs through sessions."""

    id: str
    org_id: str
    agent_id: Optional[str]
    name: str
    summary: Optional[str]
    status: ContextThreadStatus
    metadata: Dict[str, Any]
    created_at: str
    updated_at: str


class ThreadEntry(TypedDict):
    """An entry of a thread."""

    id: str
    org_id: str
    agent_id: Optional[str]
    thread_id: str
    content: str
    entry_type: str
    metadata: Dict[str, Any]
    created_at: str


class PointAnswer(TypedDict):
    """One key point."""

    point: KeyPoint
    point_id: str
    security: SecuritySummary


class ThreadAnswer(TypedDict):
    """One thread."""

    thread: ContextThread
    thread_id: str
    security: SecuritySummary


class EntryAnswer(TypedDict):
    """One entry."""

    entry: ThreadEntry
    entry_id: str
    security: SecuritySummary


class PointPage(TypedDict):
    """A page of key points, the most important first."""

    points: List[KeyPoint]
    total: int
    limit: int
    offset: int
    has_more: bool
    lastUpdated: str


class ThreadPage(TypedDict):
    """A page of threads, the last changed first."""

    threads: List[ContextThread]
    total: int
    limit: int
    offset: int
    has_more: bool
    lastUpdated: str


class ContextSummary(TypedDict):
    """Today's key points and the active threads."""

    points: List[KeyPoint]
    threads: List[ContextThread]
