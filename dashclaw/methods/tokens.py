"""Token usage and dashboard data: what model calls used, and what an agent reports about its surroundings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict, Iterable, Mapping, Optional, Union

from .._call import Call, Caller, endpoint

if TYPE_CHECKING:
    from ..types import CalendarEventAnswer, ConnectionsAnswer, IdeaAnswer, MemoryAnswer, TokenAnswer

_OTHER_NAMES = {"authType": "auth_type", "planName": "plan_name"}


class TokenMethods(Caller):
    """Methods of the category "Token Usage & Dashboard Data"."""

    @endpoint
    def report_token_usage(
        self,
        tokens_in: int,
        tokens_out: int,
        *,
        model: Optional[str] = None,
        session_id: Optional[str] = None,
        **fields: Any,
    ) -> Call[TokenAnswer]:
        """Report what model calls used.

        The cost is estimated from the price of the `model` unless `cost_usd` says it. `cached_tokens` and
        `cache_write_tokens` are parts of `tokens_in`; `context_used`, `context_max`, `hourly_pct_left`,
        `weekly_pct_left` and `compactions` describe the session. `["today"]` has the agent's totals of the day (UTC).
        """
        body = {
            "agent_id": self.agent_id,
            # Other servers know the session as its key.
            "session_key": session_id,
            **fields,
            "tokens_in": tokens_in,
            "tokens_out": tokens_out,
            "model": model,
            "session_id": session_id,
        }
        return Call("POST", "/api/tokens", body=body)

    @endpoint
    def create_calendar_event(
        self,
        summary: str,
        start_time: Any,
        *,
        end_time: Any = None,
        location: Optional[str] = None,
        description: Optional[str] = None,
        **fields: Any,
    ) -> Call[CalendarEventAnswer]:
        """Create an event of the organisation's calendar; the times are ISO-8601 texts or datetimes, kept as UTC."""
        body = {
            "summary": summary,
            "start_time": start_time,
            "end_time": end_time,
            "location": location,
            "description": description,
        }
        return Call("POST", "/api/calendar", body=dict(fields, **body))

    @endpoint
    def record_idea(
        self, title: str, *, category: Optional[str] = None, body: Optional[str] = None, **fields: Any
    ) -> Call[IdeaAnswer]:
        """Record an idea.

        `score` is 0..100; without it the mean of `fun_factor`, `learning_potential` and `income_potential`, or 50.
        """
        # Other servers know the body as a description.
        sent = {"description": body, **fields, "title": title, "category": category, "body": body}
        return Call("POST", "/api/inspiration", body=sent)

    @endpoint
    def report_connections(self, connections: Iterable[Mapping[str, Any]]) -> Call[ConnectionsAnswer]:
        """Report what this agent is connected to, at most 50 services; a later report of a provider replaces its own.

        Each entry has a `provider`, and may have `auth_type` (api_key, subscription, oauth, pre_configured or
        environment), `plan_name`, `status` (active, inactive or error) and `metadata`. Entries that are wrong are
        named under `errors`, the others kept. Raises `InvalidRequestError` when none can be kept.
        """
        entries = [{_OTHER_NAMES.get(name, name): value for name, value in entry.items()} for entry in connections]
        return Call("POST", "/api/agents/connections", body={"agent_id": self.agent_id, "connections": entries})

    @endpoint
    def report_memory_health(
        self, health: Union[str, Mapping[str, Any]], entities: Any = None, topics: Any = None
    ) -> Call[MemoryAnswer]:
        """Report how this agent's memory is.

        `health` is a word or an object with a `score`; `entities` and `topics` are numbers, or lists of at most 100
        names or objects `{name, type, mentions}`, which take the place of those reported before. One object may hold
        all three.
        """
        body: Dict[str, Any] = {"health": health, "entities": entities, "topics": topics}
        if isinstance(health, Mapping) and "health" in health and entities is None and topics is None:
            body = dict(health)
        return Call("POST", "/api/memory", body={"agent_id": self.agent_id, **body})
