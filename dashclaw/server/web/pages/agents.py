"""Agents: who is there, what each is at, and what became of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dashclaw.runtime.problems import not_found

from ..routes import get

if TYPE_CHECKING:
    from starlette.responses import Response

    from ..desk import Desk

SIZE = 25
HISTORY = 60
SHOWN = 12
DECISIONS = ("allow", "warn", "require_approval", "block")


def listing(desk: Desk) -> Response:
    """The fleet, the last heard first."""
    query = {"search": desk.query.get("search"), "limit": SIZE, "offset": desk.query.get("offset"), "counts": True}
    found = desk.ask("get_agents", query=query)
    return desk.page("agents/list.html", found=found)


def show(desk: Desk) -> Response:
    """One agent: what it does now, what it did, what was decided about it, what it is connected to."""
    agent_id = desk.path["agent_id"]
    own = {"agent_id": agent_id}
    agents = desk.ask("get_agents", query={**own, "counts": True})["agents"]
    if not agents:
        raise not_found("agent", agent_id)
    history = desk.ask("get_actions", query={**own, "limit": HISTORY})["actions"]
    return desk.page(
        "agents/show.html",
        agent=agents[0],
        actions=history[:SHOWN],
        risks=[_column(action) for action in reversed(history)],
        decisions=desk.ask("get_guard_decisions", query={**own, "limit": SHOWN // 2})["decisions"],
        mix={kind: agents[0]["decisions"][kind] for kind in DECISIONS},
        connections=desk.ask("get_connections", query=own)["connections"],
    )


def _column(action: dict[str, Any]) -> dict[str, float]:
    """An action in the picture of risks: its height is the risk, its colour how it went."""
    kinds = {"blocked": "block", "failed": "warn", "pending_approval": "require_approval", "cancelled": "plain"}
    return {kinds.get(action["status"], "allow"): float(action["risk_score"])}


PAGES = (get("/agents", listing), get("/agents/{agent_id}", show))
