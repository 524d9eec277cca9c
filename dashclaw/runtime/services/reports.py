"""What agents report about their surroundings: the calendar, ideas, connections, the state of their memory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, Field, StringConstraints

from ..inputs import Input, Items50, Name, Page, Short, from_text, no_bool, normal_time, read_input
from ..operations import Answer, Invocation, Operation
from ..problems import Problem, invalid
from ..store import memory
from ..store.tables import calendar_events, connections, ideas, memory_snapshots
from .kinds import AgentPage, Kind, stamped
from .loops import answer_with_warnings

if TYPE_CHECKING:
    from ..identity import Caller
    from ..store.engine import Tx

AuthType = Literal["api_key", "subscription", "oauth", "pre_configured", "environment"]
Label = Annotated[str, StringConstraints(min_length=1, max_length=128)]
Mentions = Annotated[int, Field(ge=0, le=2**31 - 1), BeforeValidator(no_bool)]
LONGEST_METADATA = 10_000
MOST_ITEMS = 100


class Connection(Input):
    """A connection of an agent to a service."""

    agent_id: Short
    provider: Label
    auth_type: AuthType = "api_key"
    plan_name: Name | None = None
    status: Literal["active", "inactive", "error"] = "active"


class ConnectionsInput(Input):
    """What an agent is connected to; each entry names a `provider`."""

    agent_id: Short | None = None
    connections: Annotated[Items50, Field(min_length=1)]


class MemoryInput(Input):
    """How an agent's memory is: a word or an object, and its entities and topics as lists or as numbers."""

    agent_id: Short | None = None
    health: Any
    entities: Any = None
    topics: Any = None


class Item(Input):
    """Something that a memory is about."""

    name: Annotated[Name, Field(min_length=1)]
    type: Short = "other"
    mentions: Mentions = 1


class ConnectionPage(AgentPage):
    """Filters of the list of connections."""

    provider: Short | None = None
    status: Short | None = None


def _times(_: Tx, given: Mapping[str, Any], __: Mapping[str, Any] | None) -> dict[str, Any]:
    start, end = (normal_time(name, given.get(name)) for name in ("start_time", "end_time"))
    if start is not None and end is not None and end < start:
        raise invalid("end_time", "must not lie before start_time")
    return {"start_time": start, "end_time": end}


def _idea(tx: Tx, given: Mapping[str, Any], _: Mapping[str, Any] | None) -> dict[str, Any]:
    parts = [
        number
        for name in ("fun_factor", "learning_potential", "income_potential")
        if (number := given.get(name)) is not None
    ]
    score = given.get("score")
    if score is None:
        score = round(sum(parts) / len(parts), 2) if parts else 50.0
    return {"score": score, "captured_at": given.get("captured_at") or tx.stamp}


CALENDAR = Kind("event", "cal", calendar_events, resource="calendar_event", fill=_times)
IDEAS = Kind("idea", "idea", ideas, fill=_idea)
CONNECTIONS = Kind("connection", "conn", connections, key=("agent_id", "provider"), fill=stamped("reported_at"))
MEMORY = Kind("snapshot", "mem", memory_snapshots, resource="memory_report")


def report_connections(tx: Tx, call: Invocation) -> Answer:
    """Store connections, one per agent and provider; wrong entries are named and the others kept, with status 207."""
    body: ConnectionsInput = call.body
    agent_id = _agent(body.agent_id, call.caller)
    kept: list[dict[str, Any]] = []
    errors: list[dict[str, Any]] = []
    for entry in body.connections:
        try:
            kept.append(save_connection(tx, call.caller, agent_id, entry))
        except Problem as problem:
            provider = entry.get("provider") if isinstance(entry, Mapping) else None
            errors.append({"provider": provider, "error": "; ".join(problem.details) or problem.message})
    if not kept:
        raise Problem(400, "VALIDATION_FAILED", "Validation failed", details=[error["error"] for error in errors])
    answer: dict[str, Any] = {"connections": kept, "created": len(kept)}
    if errors:
        answer["errors"] = errors
    return Answer(answer_with_warnings(answer, body), 207 if errors else 200)


def save_connection(tx: Tx, caller: Caller, agent_id: str, entry: Any) -> dict[str, Any]:
    """Store one connection; raises `Problem` 400 for an entry that is wrong."""
    if not agent_id:
        raise invalid("agent_id", "is required: name the agent that reports")
    if not isinstance(entry, Mapping):
        raise invalid("connections", "must be objects with a provider")
    extra = _metadata(entry.get("metadata"))
    given = {name: value for name, value in entry.items() if name != "metadata"}
    body = read_input(Connection, {**given, "agent_id": agent_id})
    _keep(body, extra)
    found: dict[str, Any] = CONNECTIONS.save(tx, caller, body)["connection"]
    return found


def _keep(body: Input, more: Mapping[str, Any]) -> None:
    """Let a record keep values in its metadata, also those that are named like a field."""
    if body.model_extra is not None:
        body.model_extra.update(more)


def _metadata(value: Any) -> dict[str, Any]:
    try:
        found = from_text(value)
    except ValueError as error:
        raise invalid("metadata", str(error)) from None
    if found is None:
        return {}
    if not isinstance(found, dict) or len(str(found)) > LONGEST_METADATA:
        raise invalid("metadata", f"must be an object of at most {LONGEST_METADATA:,} characters")
    return found


def _agent(given: str | None, caller: Caller) -> str:
    agent_id = given or caller.agent_id
    if not agent_id:
        raise invalid("agent_id", "is required: name the agent that reports")
    return agent_id


def report_memory(tx: Tx, call: Invocation) -> dict[str, Any]:
    """Store how an agent's memory is; its entities and topics take the place of those it reported before."""
    body: MemoryInput = call.body
    agent_id = body.agent_id or call.caller.agent_id
    counts: dict[str, int | None] = {}
    for kind, field in (("entity", "entities"), ("topic", "topics")):
        listed, counts[field] = _items(field, getattr(body, field))
        if listed is not None:
            memory.replace(tx, call.caller.org_id, agent_id or "", kind, listed)
    given = {**_health(body.health), "agent_id": agent_id}
    given |= {f"{field}_count": number for field, number in counts.items()}
    known = read_input(MEMORY.body, given)
    _keep(known, body.unknown)
    answer = MEMORY.add(tx, call.caller, known)
    told = {f"{field}_count": number or 0 for field, number in counts.items()}
    return answer_with_warnings({"snapshot": answer["snapshot"], "security": answer["security"], **told}, body)


def _health(value: Any) -> dict[str, Any]:
    if isinstance(value, str) and value.strip() and not value.lstrip().startswith("{"):
        return {"health": value}
    try:
        found = from_text(value)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise invalid("health", 'must be a word such as "healthy", or an object with a score')
    # Both names of the score are known.
    rest = {name: item for name, item in found.items() if name != "health_score"}
    return {"score": found["health_score"], **rest} if "health_score" in found else rest


def _items(field: str, value: Any) -> tuple[list[dict[str, Any]] | None, int | None]:
    """The items of a list, or a number alone."""
    if value is None:
        return None, None
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**31:
        return None, value
    if not isinstance(value, list) or len(value) > MOST_ITEMS:
        raise invalid(field, f"must be a number, or a list of at most {MOST_ITEMS}")
    named = [{"name": item} if isinstance(item, str) else item for item in value]
    if not all(isinstance(item, dict) for item in named):
        raise invalid(field, "must hold names, or objects with a name")
    try:
        found = [read_input(Item, item) for item in named]
    except Problem as problem:
        raise invalid(field, "; ".join(problem.details)) from None
    return [{"name": item.name, "type": item.type, "mentions": item.mentions} for item in found], len(found)


def show_memory(tx: Tx, call: Invocation) -> dict[str, Any]:
    """The newest report of an agent's memory, and what it is about."""
    query: AgentPage = call.query
    agent_id = query.agent_id or call.caller.agent_id
    newest = AgentPage(limit=1, agent_id=agent_id)
    found = MEMORY.page(tx, call.caller, newest, filters={} if agent_id is None else {"agent_id": agent_id})
    row = next(iter(found["snapshots"]), None)
    about = memory.items(tx, call.caller.org_id, (row or {}).get("agent_id") or "")
    return {"snapshot": row, "entities": about["entity"], "topics": about["topic"]}


OPERATIONS = (
    CALENDAR.creating("create_calendar_event", "/api/calendar", "Create a calendar event", "reports"),
    CALENDAR.listing("get_calendar_events", "/api/calendar", "List calendar events", "reports", Page),
    IDEAS.creating("record_idea", "/api/inspiration", "Record an idea", "reports"),
    IDEAS.listing("get_ideas", "/api/inspiration", "List ideas", "reports"),
    Operation(
        "report_connections",
        "POST",
        "/api/agents/connections",
        report_connections,
        "Report connections to services",
        "reports",
        body=ConnectionsInput,
    ),
    CONNECTIONS.listing("get_connections", "/api/agents/connections", "List connections", "reports", ConnectionPage),
    Operation(
        "report_memory_health",
        "POST",
        "/api/memory",
        report_memory,
        "Report how an agent's memory is",
        "reports",
        body=MemoryInput,
        status=201,
    ),
    Operation(
        "get_memory_health",
        "GET",
        "/api/memory",
        show_memory,
        "Show the newest report of an agent's memory",
        "reports",
        query=AgentPage,
        role="readonly",
    ),
)
