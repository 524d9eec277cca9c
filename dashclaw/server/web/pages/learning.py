"""Learning: advice drawn from past actions and whether it helps, assumptions that age, decisions and goals noted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..routes import get, post

if TYPE_CHECKING:
    from starlette.responses import Response

    from ..desk import Desk

SIZE = 20
SHOWN = 10


def show(desk: Desk) -> Response:
    """All that was learnt, for one agent or for all."""
    own = {"agent_id": desk.query.get("agent_id")}
    every = {**own, "include_inactive": True, "limit": SIZE, "offset": desk.query.get("offset")}
    measured = desk.ask("get_recommendation_metrics", query=every)
    return desk.page(
        "learning/show.html",
        found=desk.ask("get_recommendations", query=every),
        metrics={metric["recommendation_id"]: metric for metric in measured["metrics"]},
        summary=measured["summary"],
        drift=desk.ask("get_drift_report", query={**own, "limit": SHOWN}),
        decisions=desk.ask("get_decisions", query={**own, "limit": SHOWN})["decisions"],
        goals=desk.ask("get_goals", query={**own, "limit": SHOWN})["goals"],
    )


def switch(desk: Desk) -> Response:
    """Give a recommendation to agents, or keep it back."""
    active = desk.form.get("active") == "on"
    params = {"recommendation_id": desk.path["recommendation_id"]}
    desk.ask("set_recommendation_active", params=params, body={"active": active})
    return desk.redirect("/learning", "Agents get it from now on." if active else "Agents do not get it any more.")


def rebuild(desk: Desk) -> Response:
    """Learn again from the actions of the last 30 days."""
    done = desk.ask("rebuild_recommendations", body={})
    return desk.redirect("/learning", f"{done['total']} recommendations from {done['episodes_scanned']} actions.")


def judge(desk: Desk) -> Response:
    """Say whether an assumption holds."""
    holds = desk.form.get("verdict") == "holds"
    body = {"validated": holds, "invalidated_reason": None if holds else desk.form.get("reason") or None}
    desk.ask("validate_assumption", params={"assumption_id": desk.path["assumption_id"]}, body=body)
    return desk.redirect("/learning", "It holds." if holds else "It does not hold; the log says so.")


PAGES = (
    get("/learning", show),
    post("/learning/rebuild", rebuild),
    post("/learning/recommendations/{recommendation_id}", switch),
    post("/learning/assumptions/{assumption_id}", judge),
)
