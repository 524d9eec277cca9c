"""Evidence: how far the chain is, its checkpoints, verification while one watches, proofs, and erasure."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from dashclaw.runtime.evidence.verify import verify
from dashclaw.runtime.problems import Problem, invalid

from ..routes import get, post

if TYPE_CHECKING:
    from starlette.responses import Response

    from ..desk import Desk
    from ..jobs import Job

VERIFY = "verify"
EXPORT = "export"
SHOWN = 10
ERASE = "erase"


def show(desk: Desk) -> Response:
    """The state of the chain, and the last verification."""
    return shown(desk)


def shown(desk: Desk, problem: Problem | None = None) -> Response:
    """The page, with what was wrong with the last form."""
    return desk.page(
        "evidence/show.html",
        status=200 if problem is None else problem.status,
        state=desk.ask("get_evidence"),
        checkpoints=desk.ask("list_evidence_checkpoints", query={"limit": SHOWN}),
        job=desk.site.jobs.find(desk.caller.org_id, VERIFY),
        export=desk.site.jobs.find(desk.caller.org_id, EXPORT),
        bundle=desk.site.bundles.find(desk.caller.org_id),
        erased=desk.ask("get_activity_logs", query={"action": "evidence.erased", "limit": SHOWN})["logs"],
        problem=problem,
    )


def check(desk: Desk) -> Response:
    """Begin to verify the chain of the organisation with its rows."""
    _only_admins(desk)
    store, org_id = desk.site.runtime.store, desk.caller.org_id

    def work(job: Job) -> object:
        return verify(store, org_id, progress=job.progress)

    desk.site.jobs.start(org_id, VERIFY, work)
    return desk.redirect("/evidence")


def cancel(desk: Desk) -> Response:
    """End a verification that runs."""
    _only_admins(desk)
    if job := desk.site.jobs.find(desk.caller.org_id, VERIFY):
        job.cancel()
    return desk.redirect("/evidence")


def sign(desk: Desk) -> Response:
    """Sign the chain as it is now."""
    made = desk.ask("make_evidence_checkpoint")["checkpoint"]
    return desk.redirect("/evidence", f"The first {made['size']:,} entries are signed.")


def prove(desk: Desk) -> Response:
    """The proof of one entry, as a file."""
    found = desk.ask("get_evidence_proof", query={"seq": desk.query.get("seq")})["proof"]
    answer = desk.text(json.dumps(found, indent=2), "application/json")
    answer.headers["Content-Disposition"] = 'attachment; filename="proof.json"'
    return answer


def erase(desk: Desk) -> Response:
    """Erase the personal text of an action; the word has to be typed."""
    try:
        if desk.form.get("typed", "").strip() != ERASE:
            raise invalid("typed", f"type {ERASE} to confirm; nothing was erased")
        body = {"action_id": desk.form.get("action_id", "").strip(), "reason": desk.form.get("reason", "").strip()}
        desk.ask("erase_evidence", body=body)
    except Problem as problem:
        if problem.status == 403:
            raise
        return shown(desk, problem)
    return desk.redirect("/evidence", "The text is erased; the chain says by whom and why.")


def _only_admins(desk: Desk) -> None:
    if not desk.may("admin"):
        raise Problem(403, "FORBIDDEN", "Verifying here takes the role admin; the command line can do it as well")


PAGES = (
    get("/evidence", show),
    post("/evidence/verify", check),
    post("/evidence/cancel", cancel),
    post("/evidence/checkpoint", sign),
    get("/evidence/proof", prove),
    post("/evidence/erase", erase),
)
