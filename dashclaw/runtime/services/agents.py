"""Presence: which agents are alive and what they are at."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import StringConstraints

from ..clock import ago
from ..identity import Caller
from ..inputs import Flag, Input, Name, Page, Short
from ..operations import Invocation, Operation
from ..problems import invalid
from ..store import agents as rows

if TYPE_CHECKING:
    from ..store.engine import Tx

SILENT_MINUTES = 10
Presence = Annotated[str, StringConstraints(max_length=32)]


class Heartbeat(Input):
    """A sign of life."""

    agent_id: Short | None = None
    agent_name: Name | None = None
    status: Presence = "online"
    current_task_id: Short | None = None
    metadata: dict[str, Any] | None = None


class AgentPage(Page):
    """Which agents to list; `counts` adds what each has done, `search` looks in ids and names."""

    agent_id: Short | None = None
    search: Short | None = None
    counts: Flag = False


def touch(tx: Tx, caller: Caller, agent_id: str, agent_name: str | None) -> None:
    """Count an action as a sign of life."""
    if not rows.seen(tx, caller.org_id, agent_id):
        rows.insert(tx, _row(tx, caller, agent_id, {"agent_name": agent_name, "status": "online"}))


def heartbeat(tx: Tx, call: Invocation) -> dict[str, Any]:
    """Remember that the agent is alive and what it says of itself."""
    body: Heartbeat = call.body
    agent_id = body.agent_id or call.caller.agent_id
    if not agent_id:
        raise invalid("agent_id", "is required: name the agent that is alive")
    said = {
        "agent_name": body.agent_name,
        "status": body.status,
        "current_task_id": body.current_task_id,
        "metadata": {**(body.metadata or {}), **body.unknown} or None,
    }
    known = rows.find(tx, call.caller.org_id, agent_id)
    if known is None:
        rows.insert(tx, _row(tx, call.caller, agent_id, said))
    else:
        said["agent_name"] = body.agent_name or known["agent_name"]
        rows.change(tx, call.caller.org_id, agent_id, {**said, "last_heartbeat_at": tx.stamp})
    # An unchanged heartbeat is no news: events of a thousand idle agents would drown the log.
    if known is None or any(known[name] != said[name] for name in ("status", "current_task_id")):
        data = {"agent_id": agent_id, **said, "timestamp": tx.stamp}
        tx.emit(call.caller, "agent.heartbeat", "agent", agent_id, data, agent_id)
    return {"status": "ok", "timestamp": tx.stamp}


def listing(tx: Tx, call: Invocation) -> dict[str, Any]:
    """Agents, the last heard first, each with its presence: its status, or "silent" where it is not heard any more."""
    query: AgentPage = call.query
    org_id = call.caller.org_id
    found, total = rows.page(tx, org_id, query.agent_id, query.search, query.size, query.offset)
    silent = ago(tx.now, minutes=SILENT_MINUTES)
    shown = [{**row, "presence": _presence(row, silent)} for row in found]
    if query.counts:
        counts = rows.counts(tx, org_id, [row["agent_id"] for row in found])
        shown = [{**row, **counts[row["agent_id"]]} for row in shown]
    more = query.offset + len(found) < total
    return {"agents": shown, "total": total, "limit": query.size, "offset": query.offset, "has_more": more}


def _presence(row: Mapping[str, Any], silent: str) -> str:
    status: str = row["status"]
    return "silent" if status != "offline" and row["last_heartbeat_at"] < silent else status


def _row(tx: Tx, caller: Caller, agent_id: str, said: dict[str, Any]) -> dict[str, Any]:
    known = {"org_id": caller.org_id, "agent_id": agent_id, "last_heartbeat_at": tx.stamp, "created_at": tx.stamp}
    return {**said, **known}


OPERATIONS = (
    Operation(
        "heartbeat",
        "POST",
        "/api/agents/heartbeat",
        heartbeat,
        "Say that an agent is alive",
        "agents",
        body=Heartbeat,
        speaker="agent_id",
    ),
    Operation("get_agents", "GET", "/api/agents", listing, "List agents", "agents", query=AgentPage, role="readonly"),
)
