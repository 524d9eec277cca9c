"""The simulation: other policies put to what was recorded, by a job that one watches."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from dashclaw._simulated import Simulated
from dashclaw.runtime.policy_documents import PACKS
from dashclaw.runtime.problems import Problem

from ..policy_form import draft_of
from ..routes import get, post

if TYPE_CHECKING:
    from starlette.responses import Response

    from ..desk import Desk
    from ..jobs import Job

DAYS = (
    ("1d", "Last day"),
    ("7d", "Last 7 days"),
    ("30d", "Last 30 days"),
    ("90d", "Last 90 days"),
    ("365d", "Last year"),
)
SIMULATE = "simulate"
# How many decisions are looked at between two looks at whether it was cancelled.
STEP = 1000
_NAMES = ("pack", "yaml", "agent_id", "since", "alone")
_FRESH = {"pack": "", "yaml": "", "agent_id": "", "since": "30d", "alone": ""}


def show(desk: Desk) -> Response:
    """The form, how far the simulation is, and what the last one found."""
    job = _job(desk)
    return _page(desk, _FRESH if job is None else job.about)


def _page(desk: Desk, values: Mapping[str, str], problem: Problem | None = None) -> Response:
    return desk.page(
        "policies/simulate.html",
        status=200 if problem is None else problem.status,
        values=values,
        problem=problem,
        job=None if problem else _job(desk),
        packs=PACKS,
        days=DAYS,
    )


def _job(desk: Desk) -> Job | None:
    """The newest simulation of the organisation; who may not begin one does not see what it found either."""
    return desk.site.jobs.find(desk.caller.org_id, SIMULATE) if desk.may("admin") else None


def begin(desk: Desk) -> Response:
    """Begin with a pack, a text, or the draft of the editor; what cannot be read is refused at once."""
    given = {**_FRESH, **{name: desk.form.get(name, "").strip() for name in _NAMES if name in desk.form}}
    if desk.form.get("step") == "draft":
        given = {**_FRESH, "yaml": draft_of(desk.form)}
    body = {
        "pack": given["pack"] or None,
        "yaml": given["yaml"] or None,
        "with_current": given["alone"] != "on",
        "since": given["since"],
        "agent_id": given["agent_id"] or None,
        "limit": STEP,
    }
    try:
        first = desk.ask("simulate_policies", body=body)
        desk.site.jobs.start(desk.caller.org_id, SIMULATE, lambda job: _work(desk, job, body, first), about=given)
    except Problem as problem:
        if problem.status == 403:
            raise
        return _page(desk, given, problem)
    return desk.redirect("/policies/simulate")


def _work(desk: Desk, job: Job, body: Mapping[str, Any], first: Mapping[str, Any]) -> dict[str, Any]:
    """Go through all decisions, a part at a time."""
    whole, part = Simulated(), first
    whole.add(first)
    while part["cursor"] is not None:
        job.progress(whole.done, whole.matching)
        part = desk.ask("simulate_policies", body={**body, "cursor": part["cursor"]})
        whole.add(part)
    return whole.document()


def cancel(desk: Desk) -> Response:
    """End a simulation that runs."""
    if (job := _job(desk)) is not None:
        job.cancel()
    return desk.redirect("/policies/simulate")


PAGES = (
    get("/policies/simulate", show),
    post("/policies/simulate", begin),
    post("/policies/simulate/cancel", cancel),
)
