"""The bundle for an auditor: written by a job, downloaded once."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from starlette.responses import StreamingResponse

from dashclaw._filename import disposition
from dashclaw.errors import ConfigurationError, MissingExtraError
from dashclaw.runtime.evidence.checkpoints import anchors_path
from dashclaw.runtime.evidence.export import export_to
from dashclaw.runtime.evidence.keys import EvidenceKey, key_path, load_key
from dashclaw.runtime.inputs import normal_time
from dashclaw.runtime.problems import Problem, not_found

from ..routes import post
from .evidence import EXPORT, shown

if TYPE_CHECKING:
    from starlette.responses import Response

    from dashclaw.runtime.runtime import Runtime

    from ..desk import Desk
    from ..jobs import Job


def begin(desk: Desk) -> Response:
    """Begin to write a bundle of a span of time, or of everything."""
    _only_admins(desk)
    site, org_id = desk.site, desk.caller.org_id
    try:
        since, until = (normal_time(name, desk.form.get(name, "").strip() or None) for name in ("since", "until"))
        key = _key(site.runtime)
    except Problem as problem:
        return shown(desk, problem)
    store = site.runtime.store
    anchors = anchors_path(key_path(store.url, site.runtime.settings))

    def work(job: Job) -> None:
        with ExitStack() as stack:
            file = stack.enter_context(site.bundles.new_file())
            manifest = export_to(
                store, org_id, file, key=key, anchors=anchors, since=since, until=until, progress=job.progress
            )
            stack.pop_all()
            site.bundles.keep(org_id, file, manifest)

    site.jobs.start(org_id, EXPORT, work)
    return desk.redirect("/evidence")


def cancel(desk: Desk) -> Response:
    """End an export that runs."""
    _only_admins(desk)
    if job := desk.site.jobs.find(desk.caller.org_id, EXPORT):
        job.cancel()
    return desk.redirect("/evidence")


def download(desk: Desk) -> Response:
    """The bundle; it is not kept any longer."""
    _only_admins(desk)
    bundle = desk.site.bundles.take(desk.caller.org_id)
    if bundle is None:
        raise not_found("bundle", "that waits")
    headers = {"Content-Disposition": disposition(bundle.name), "Content-Length": str(bundle.size)}
    return StreamingResponse(bundle.pieces(), headers=headers, media_type="application/zip")


def _key(runtime: Runtime) -> EvidenceKey:
    try:
        return load_key(key_path(runtime.store.url, runtime.settings))
    except MissingExtraError as error:
        raise Problem(501, "SIGNATURES_UNAVAILABLE", error.message) from None
    except ConfigurationError as error:
        raise Problem(503, "EVIDENCE_KEY_UNAVAILABLE", error.message) from error


def _only_admins(desk: Desk) -> None:
    if not desk.may("admin"):
        raise Problem(403, "FORBIDDEN", "The whole record takes the role admin")


PAGES = (
    post("/evidence/export", begin),
    post("/evidence/export/cancel", cancel),
    post("/evidence/export/download", download),
)
