"""Spend: what model calls cost, by day, agent and model, and what is left of the budgets."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from ..routes import get

if TYPE_CHECKING:
    from starlette.responses import Response

    from ..desk import Desk

DAYS = ("7", "30", "90", "365")
SHOWN = 10


def show(desk: Desk) -> Response:
    """The totals of a range of days, the budgets, and the latest reports."""
    days = desk.query.get("days") if desk.query.get("days") in DAYS else "30"
    own = {"agent_id": desk.query.get("agent_id"), "model": desk.query.get("model")}
    daily, agents, models = (
        desk.ask("get_token_summary", query={**own, "by": by, "days": days}) for by in ("day", "agent", "model")
    )
    return desk.page(
        "spend/show.html",
        daily=(every := _every_day(daily)),
        costs=[{"accent": row["cost_usd"]} for row in every],
        since=daily["since"],
        total=daily["total"],
        agents=agents["usage"][:SHOWN],
        models=models["usage"][:SHOWN],
        others={"agents": len(agents["usage"]) - SHOWN, "models": len(models["usage"]) - SHOWN},
        budgets=desk.ask("get_budgets")["budgets"],
        reports=desk.ask("get_token_usage", query={**own, "limit": SHOWN})["reports"],
    )


def _every_day(found: dict[str, Any]) -> list[dict[str, Any]]:
    """Each day from the first to the last, those without any use as well."""
    known = {row["day"]: row for row in found["usage"]}
    first, last = date.fromisoformat(found["since"]), date.fromisoformat(found["until"])
    days = [(first + timedelta(days=number)).isoformat() for number in range((last - first).days + 1)]
    nothing = {"reports": 0, "tokens_in": 0, "tokens_out": 0, "cost_usd": 0.0}
    return [{**nothing, **known.get(day, {}), "day": day} for day in days]


PAGES = (get("/spend", show),)
