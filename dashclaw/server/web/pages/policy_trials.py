"""The test bench: what the guard would decide about an action, with a draft or without."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from dashclaw.runtime.problems import Problem, invalid

from ..policy_form import draft_of
from ..routes import get, post

if TYPE_CHECKING:
    from starlette.responses import Response

    from ..desk import Desk

_TEXTS = ("action_type", "agent_id", "declared_goal", "tool_name", "target")
_MORE = ("risk_score", "systems", "reversible", "more", "yaml")


def bench(desk: Desk, found: Any = None, problem: Problem | None = None, draft: str = "") -> Response:
    """The form of the test bench, and what came of the last try."""
    status = 200 if problem is None else problem.status
    values = {
        name: desk.form.get(name, "") for name in (*_TEXTS, "risk_score", "systems", "reversible", "more", "yaml")
    }
    values["yaml"] = draft or values["yaml"]
    alone = desk.form.get("alone") == "on"
    return desk.page("policies/test.html", status=status, found=found, problem=problem, values=values, alone=alone)


def attempt(desk: Desk) -> Response:
    """Try the action; nothing is recorded."""
    if desk.form.get("step") == "draft":
        return bench(desk, draft=draft_of(desk.form))
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


PAGES = (
    get("/policies/test", bench),
    post("/policies/test", attempt),
)
