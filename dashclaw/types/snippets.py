"""Answers of the category "Automation Snippets"."""

from __future__ import annotations

from typing import Any, Dict, List, Optional

from .._compat import TypedDict
from .security import SecuritySummary


class Snippet(TypedDict):
    """Code that is worth keeping."""

    id: str
    org_id: str
    agent_id: Optional[str]
    name: str
    code: str
    description: Optional[str]
    language: Optional[str]
    tags: Optional[List[str]]
    use_count: int
    last_used: Optional[str]
    metadata: Dict[str, Any]
    created_at: str
    updated_at: str


class SnippetAnswer(TypedDict):
    """One snippet."""

    snippet: Snippet


class SavedSnippet(TypedDict):
    """A snippet as it was saved."""

    snippet: Snippet
    snippet_id: str
    security: SecuritySummary


class DeletedSnippet(TypedDict):
    """Which snippet was deleted."""

    deleted: bool
    id: str


class SnippetPage(TypedDict):
    """A page of snippets, the most used first."""

    snippets: List[Snippet]
    total: int
    limit: int
    offset: int
    has_more: bool
    lastUpdated: str
