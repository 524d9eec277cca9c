"""Automation snippets: code that is worth keeping."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Optional, Sequence

from .._call import Call, Caller, endpoint, path

if TYPE_CHECKING:
    from ..types import DeletedSnippet, SavedSnippet, SnippetAnswer, SnippetPage


class SnippetMethods(Caller):
    """Methods of the category "Automation Snippets"."""

    @endpoint
    def save_snippet(
        self,
        name: str,
        code: str,
        *,
        language: Optional[str] = None,
        description: Optional[str] = None,
        tags: Optional[Sequence[str]] = None,
        **fields: Any,
    ) -> Call[SavedSnippet]:
        """Save a snippet under a name that is its own in the organisation; `code` is up to 50,000 characters.

        Saving a name again replaces the code; what is left out keeps its value. The id for later calls is
        `["snippet_id"]`.
        """
        body = {
            "agent_id": self.agent_id,
            "name": name,
            "code": code,
            "language": language,
            "description": description,
            "tags": tags,
        }
        return Call("POST", "/api/snippets", body=dict(body, **fields))

    @endpoint
    def get_snippets(
        self,
        *,
        search: Optional[str] = None,
        tag: Optional[str] = None,
        language: Optional[str] = None,
        limit: Optional[int] = None,
        offset: Optional[int] = None,
        **filters: Any,
    ) -> Call[SnippetPage]:
        """Return snippets of the organisation, the most used first: at most `limit` (50, up to 200).

        `search` looks into names and descriptions; `search` and `tag` ignore the case of letters.
        """
        asked = {"search": search, "tag": tag, "language": language, "limit": limit, "offset": offset}
        return Call("GET", "/api/snippets", query=dict(filters, **asked))

    @endpoint
    def get_snippet(self, snippet_id: str) -> Call[SnippetAnswer]:
        """Return one snippet. Raises `NotFoundError`."""
        return Call("GET", path("snippets", snippet_id))

    @endpoint
    def use_snippet(self, snippet_id: str) -> Call[SnippetAnswer]:
        """Count that a snippet was used, and return it. Raises `NotFoundError`."""
        return Call("POST", path("snippets", snippet_id, "use"))

    @endpoint
    def delete_snippet(self, snippet_id: str) -> Call[DeletedSnippet]:
        """Delete a snippet for good. Raises `NotFoundError`."""
        return Call("DELETE", "/api/snippets", query={"id": snippet_id})
