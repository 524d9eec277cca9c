"""Policies tried out: an action on the test bench, and other policies against what was recorded."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from dashclaw.runtime.policy_documents import PACKS
from dashclaw.runtime.problems import Problem, invalid

from ..routes import get, post

if TYPE_CHECKING:
    from starlette.responses import Response

    from ..desk import Desk

DAYS = (("1d", "Last day"), ("7d", "Last 7 days"), ("30d", "Last 30 days"), ("90d", "Last 90 days"))
MOST = 10_000
_TEXTS = ("action_type", "agent_id", "declared_goal", "tool_name", "target")
_MORE = ("risk_score", "systems", "reversible", "more", "yaml")


def bench(desk: Desk, found: Any = None, problem: Problem | None = None) -> Response:
    """The form of the test bench, and what came of the last try."""
    status = 200 if problem is None else problem.status
    values = {
        name: desk.form.get(name, "") for name in (*_TEXTS, "risk_score", "systems", "reversible", "more", "yaml")
    }
    alone = desk.form.get("alone") == "on"
    return desk.page("policies/test.html", status=status, found=found, problem=problem, values=values, alone=alone)


def attempt(desk: Desk) -> Response:
    """Try the action; nothing is recorded."""
    draft = desk.form.get("yaml", "").strip() or None
    alone = draft is not None and desk.form.get("alone") == "on"
    try:
        body = {"context": _context(desk), "yaml": draft, "with_current": not alone}
        return bench(desk, desk.ask("try_policies", body=body))
    except Problem as problem:
        return bench(desk, problem=problem)


def _context(desk: Desk) -> dict[str, Any]:
    """The action of the form; what the field for JSON says comes last."""
    found: dict[str, Any] = {name: desk.form[name].strip() for name in _TEXTS if desk.form.get(name, "").strip()}
    if risk := desk.form.get("risk_score", "").strip():
        found["risk_score"] = int(risk) if risk.isdecimal() else risk
    if systems := [name.strip() for name in desk.form.get("systems", "").split(",") if name.strip()]:
        found["systems_touched"] = systems
    if desk.form.get("reversible"):
        found["reversible"] = desk.form["reversible"] == "true"
    if more := desk.form.get("more", "").strip():
        try:
            read = json.loads(more)
        except (ValueError, RecursionError) as error:
            raise invalid("more", f"is no JSON: {error}"[:200]) from None
        if not isinstance(read, dict):
            raise invalid("more", "must be a JSON object such as an agent sends it")
        found |= read
    return found


def simulation(desk: Desk, found: Any = None, problem: Problem | None = None) -> Response:
    """The form of the simulation, and what the last one found."""
    values = {name: desk.form.get(name, "") for name in ("pack", "yaml", "agent_id")}
    values["since"] = desk.form.get("since", "7d")
    return desk.page(
        "policies/simulate.html",
        status=200 if problem is None else problem.status,
        found=found,
        problem=problem,
        values=values,
        alone=desk.form.get("alone") == "on",
        packs=PACKS,
        days=DAYS,
        most=MOST,
    )


def simulate(desk: Desk) -> Response:
    """Put a pack or a draft to the newest recorded decisions; nothing is changed."""
    form = desk.form
    body = {
        "pack": form.get("pack") or None,
        "yaml": form.get("yaml", "").strip() or None,
        "with_current": form.get("alone") != "on",
        "since": form.get("since", "7d"),
        "agent_id": form.get("agent_id", "").strip() or None,
        "newest": MOST,
        "limit": MOST,
    }
    try:
        return simulation(desk, desk.ask("simulate_policies", body=body))
    except Problem as problem:
        return simulation(desk, problem=problem)


PAGES = (
    get("/policies/test", bench),
    post("/policies/test", attempt),
    get("/policies/simulate", simulation),
    post("/policies/simulate", simulate),
)
