"""Schedules: what agents are to do and when."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dashclaw.runtime.problems import Problem

from ..routes import get, post

if TYPE_CHECKING:
    from starlette.responses import Response

    from ..desk import Desk

SIZE = 50
FIELDS = ("agent_id", "name", "cron_expression", "timezone", "description")


def listing(desk: Desk, problem: Problem | None = None) -> Response:
    """The schedules, and a form for another one."""
    asked = {"limit": SIZE, "agent_id": desk.query.get("agent_id"), "offset": desk.query.get("offset")}
    found = desk.ask("list_agent_schedules", query=asked)
    status = 200 if problem is None else 422
    return desk.page("schedules/list.html", status=status, found=found, values=_values(desk), problem=problem)


def _values(desk: Desk) -> dict[str, str]:
    return {name: desk.form.get(name, "") for name in FIELDS}


def create(desk: Desk) -> Response:
    """Add a schedule."""
    try:
        desk.ask("create_agent_schedule", body={name: value or None for name, value in _values(desk).items()})
    except Problem as problem:
        if problem.status not in (400, 409, 422):
            raise
        return listing(desk, problem)
    return desk.redirect("/schedules", "The schedule is in force.")


def switch(desk: Desk) -> Response:
    """Pause a schedule or go on with it."""
    enabled = desk.form.get("enabled") == "on"
    desk.ask("update_agent_schedule", params=desk.path, body={"enabled": enabled})
    return desk.redirect("/schedules", "It runs again." if enabled else "It is paused.")


def remove(desk: Desk) -> Response:
    """Remove a schedule."""
    desk.ask("delete_agent_schedule", params=desk.path)
    return desk.redirect("/schedules", "The schedule is gone.")


PAGES = (
    get("/schedules", listing),
    post("/schedules", create),
    post("/schedules/{schedule_id}", switch),
    post("/schedules/{schedule_id}/remove", remove),
)
