"""Sessions: what agents did in one sitting, and what they left for the next."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..routes import get

if TYPE_CHECKING:
    from starlette.responses import Response

    from ..desk import Desk

SIZE = 25
WHOLE = 100
SHOWN = 10
_KINDS = {"blocked": "block", "failed": "warn", "pending_approval": "require_approval", "cancelled": "plain"}


def listing(desk: Desk) -> Response:
    """Sessions, the last active first, and the newest handoffs."""
    own = {"agent_id": desk.query.get("agent_id")}
    return desk.page(
        "sessions/list.html",
        found=desk.ask("get_sessions", query={**own, "limit": SIZE, "offset": desk.query.get("offset")}),
        handoffs=desk.ask("get_handoffs", query={**own, "limit": SHOWN})["handoffs"],
    )


def show(desk: Desk) -> Response:
    """One session: its actions in order, with their risks as a picture."""
    found = desk.ask("get_session", params=desk.path, query={"limit": WHOLE, "offset": desk.query.get("offset")})
    return desk.page("sessions/show.html", found=found, risks=[_column(action) for action in found["actions"]])


def _column(action: dict[str, Any]) -> dict[str, float]:
    return {_KINDS.get(action["status"], "allow"): float(action["risk_score"])}


PAGES = (get("/sessions", listing), get("/sessions/{session_id}", show))
