"""The context manager: key points of a session, and threads that run through several."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Optional

from .._call import Call, Caller, Flow, endpoint, path

if TYPE_CHECKING:
    from ..types import (
        ContextSummary,
        EntryAnswer,
        PointAnswer,
        PointPage,
        ThreadAnswer,
        ThreadPage,
    )

_ALL_POINTS = 200
_ALL_THREADS = 100


class ContextMethods(Caller):
    """Methods of the category "Context Manager"."""

    @endpoint
    def capture_key_point(
        self, content: str, *, category: Optional[str] = None, session_date: Any = None, **fields: Any
    ) -> Call[PointAnswer]:
        """Keep a key point of the session.

        `category` is a word such as decision, task, insight, question, constraint or general (the default),
        `session_date` today in UTC unless given. More fields: `importance` (1..10, 5), `agent_id`.
        """
        body = {"agent_id": self.agent_id, "content": content, "category": category, "session_date": session_date}
        return Call("POST", "/api/context/points", body=dict(body, **fields))

    @endpoint
    def get_key_points(
        self,
        *,
        category: Optional[str] = None,
        session_date: Any = None,
        agent_id: Optional[str] = None,
        limit: Optional[int] = None,
        offset: Optional[int] = None,
        **filters: Any,
    ) -> Call[PointPage]:
        """Return key points of this agent, or of another by `agent_id`: at most `limit` (50, up to 200).

        The most important come first, then the newest.
        """
        asked = {
            "agent_id": self.agent_id if agent_id is None else agent_id,
            "category": category,
            "session_date": session_date,
            "limit": limit,
            "offset": offset,
        }
        return Call("GET", "/api/context/points", query=dict(filters, **asked))

    @endpoint
    def create_thread(self, name: str, *, summary: Optional[str] = None, **fields: Any) -> Call[ThreadAnswer]:
        """Open a context thread; the id for later calls is `["thread_id"]`.

        A name that this agent has used before gives the old thread, open again.
        """
        body = {"agent_id": self.agent_id, "name": name, "summary": summary}
        return Call("POST", "/api/context/threads", body=dict(body, **fields))

    @endpoint
    def add_thread_entry(self, thread_id: str, content: str, entry_type: str = "note") -> Call[EntryAnswer]:
        """Add an entry to a thread. Raises `ConflictError` for a closed one, `NotFoundError`."""
        body = {"agent_id": self.agent_id, "content": content, "entry_type": entry_type}
        return Call("POST", path("context", "threads", thread_id, "entries"), body=body)

    @endpoint
    def close_thread(self, thread_id: str, summary: Optional[str] = None) -> Call[ThreadAnswer]:
        """Close a thread, which may be repeated; without a `summary` it keeps its own. Raises `NotFoundError`."""
        body = {"status": "closed", "summary": summary or None}
        return Call("PATCH", path("context", "threads", thread_id), body=body)

    @endpoint
    def get_threads(
        self,
        status: Optional[str] = None,
        limit: Optional[int] = None,
        *,
        agent_id: Optional[str] = None,
        offset: Optional[int] = None,
    ) -> Call[ThreadPage]:
        """Return threads of this agent, or of another by `agent_id`: at most `limit` (20, up to 100).

        `status` is "active" or "closed". The last changed come first.
        """
        return _threads(self.agent_id if agent_id is None else agent_id, status, limit, offset)

    @endpoint
    def get_context_summary(self) -> Flow[ContextSummary]:
        """Return today's `points` (up to 200) and the active `threads` (up to 100); the day is the server's, in UTC."""
        threads: ThreadPage
        threads = yield _threads(self.agent_id, "active", _ALL_THREADS, None)
        today = (threads.get("lastUpdated") or _utc_now())[: len("2026-01-31")]
        asked = {"agent_id": self.agent_id, "session_date": today, "limit": _ALL_POINTS}
        points: PointPage
        points = yield Call("GET", "/api/context/points", query=asked)
        return {"points": points["points"], "threads": threads["threads"]}


def _threads(
    agent_id: Optional[str], status: Optional[str], limit: Optional[int], offset: Optional[int]
) -> Call[ThreadPage]:
    asked = {"agent_id": agent_id, "status": status, "limit": limit, "offset": offset}
    return Call("GET", "/api/context/threads", query=asked)


def _utc_now() -> str:
    from time import gmtime, strftime

    return strftime("%Y-%m-%dT%H:%M:%SZ", gmtime())
