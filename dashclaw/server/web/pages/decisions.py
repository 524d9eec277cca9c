"""Decisions: what the guard said, found by anything, each with why and whether it would say so again."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from ..routes import get

if TYPE_CHECKING:
    from starlette.responses import Response

    from ..desk import Desk

SIZE = 25
FILTERS = (
    "search",
    "agent_id",
    "decision",
    "action_type",
    "policy_id",
    "system",
    "risk_min",
    "risk_max",
    "since",
    "until",
    "degraded",
    "offset",
)


def listing(desk: Desk) -> Response:
    """Decisions that fit the filters of the URL, newest first."""
    query = {name: desk.query.get(name) for name in FILTERS}
    found = desk.ask("get_guard_decisions", query={**query, "limit": SIZE})
    return desk.page("decisions/list.html", found=found, policies=_policies(desk))


def _policies(desk: Desk) -> list[tuple[str, str]]:
    """The ids and names of the policies that one may look for."""
    return [(row["id"], row["name"]) for row in desk.ask("get_policies", query={"limit": 200})["policies"]]


def show(desk: Desk) -> Response:
    """One decision: what was asked, what each part of the risk is, which policies said what, and the same again."""
    found = desk.ask("get_guard_decision", params=desk.path)
    names = dict(_policies(desk))
    return desk.page("decisions/show.html", decision=found["decision"], again=found["reevaluated"], names=names)


def download(desk: Desk) -> Response:
    """All that is known of one decision, as a file."""
    found = desk.ask("get_guard_decision", params=desk.path)
    answer = desk.text(json.dumps(found, indent=2, ensure_ascii=False), "application/json")
    answer.headers["Content-Disposition"] = 'attachment; filename="decision.json"'
    return answer


PAGES = (
    get("/decisions", listing),
    get("/decisions/{decision_id}", show),
    get("/decisions/{decision_id}/json", download),
)
