"""Automation snippets: code that is worth keeping, found by name, tag or language."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..inputs import Input, Name, Page, Short
from ..operations import Invocation, Operation
from ..store.journal import snippets_with
from ..store.tables import snippets
from .kinds import Kind
from .loops import filters_of

if TYPE_CHECKING:
    from ..store.engine import Tx

SNIPPETS = Kind("snippet", "sn", snippets, key=("name",), first=("use_count",))


class SnippetPage(Page):
    """Filters of the list: words in the name or description, one tag, the language."""

    search: Name | None = None
    tag: Short | None = None
    language: Short | None = None


class SnippetId(Input):
    """Which snippet."""

    id: Short


def listing(tx: Tx, call: Invocation) -> dict[str, Any]:
    """Snippets of the organisation, the most used first."""
    query: SnippetPage = call.query
    where = snippets_with(query.search, query.tag)
    return SNIPPETS.page(tx, call.caller, query, filters_of(query, ("language",)), where)


def show(tx: Tx, call: Invocation) -> dict[str, Any]:
    """One snippet."""
    return {"snippet": SNIPPETS.wire(SNIPPETS.one(tx, call.caller, call.params["snippet_id"]))}


def use(tx: Tx, call: Invocation) -> dict[str, Any]:
    """Count that a snippet was used."""
    row = SNIPPETS.one(tx, call.caller, call.params["snippet_id"])
    changes = {"use_count": row["use_count"] + 1, "last_used": tx.stamp}
    return {"snippet": SNIPPETS.wire(SNIPPETS.change(tx, call.caller, row, changes, "used"))}


def remove(tx: Tx, call: Invocation) -> dict[str, Any]:
    """Delete a snippet for good."""
    row = SNIPPETS.one(tx, call.caller, call.query.id)
    SNIPPETS.rows.delete(tx, call.caller.org_id, row["id"])
    SNIPPETS.announce(tx, call.caller, "deleted", row)
    return {"deleted": True, "id": row["id"]}


OPERATIONS = (
    SNIPPETS.creating("save_snippet", "/api/snippets", "Save a snippet under its name", "snippets"),
    Operation(
        "get_snippets",
        "GET",
        "/api/snippets",
        listing,
        "Search snippets",
        "snippets",
        query=SnippetPage,
        role="readonly",
    ),
    Operation("get_snippet", "GET", "/api/snippets/{snippet_id}", show, "Show a snippet", "snippets", role="readonly"),
    Operation("use_snippet", "POST", "/api/snippets/{snippet_id}/use", use, "Count a use of a snippet", "snippets"),
    Operation("delete_snippet", "DELETE", "/api/snippets", remove, "Delete a snippet", "snippets", query=SnippetId),
)
