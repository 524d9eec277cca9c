"""Sessions: what agents did in one sitting."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..action_rows import action_row
from ..inputs import Page, Short
from ..operations import Invocation, Operation
from ..problems import not_found
from ..store import sessions as rows
from .loops import paging

if TYPE_CHECKING:
    from ..store.engine import Tx


class SessionPage(Page):
    """Which sessions to list."""

    agent_id: Short | None = None


def listing(tx: Tx, call: Invocation) -> dict[str, Any]:
    """Sessions, the last active first, each with how many actions it has and when they began."""
    query: SessionPage = call.query
    found, total = rows.page(tx, call.caller.org_id, query.agent_id, query.size, query.offset)
    return {"sessions": found, **paging(tx, query, len(found), total)}


def show(tx: Tx, call: Invocation) -> dict[str, Any]:
    """The actions of one session, in order."""
    query: Page = call.query
    session_id = call.params["session_id"]
    found, total = rows.actions_of(tx, call.caller.org_id, session_id, query.size, query.offset)
    if not total:
        raise not_found("session", session_id)
    actions = [action_row(row) for row in found]
    return {"session_id": session_id, "actions": actions, **paging(tx, query, len(found), total)}


OPERATIONS = (
    Operation(
        "get_sessions",
        "GET",
        "/api/sessions",
        listing,
        "List sessions",
        "sessions",
        query=SessionPage,
        role="readonly",
        slow=True,
    ),
    Operation(
        "get_session",
        "GET",
        "/api/sessions/{session_id}",
        show,
        "Show the actions of a session",
        "sessions",
        query=Page,
        role="readonly",
    ),
)
