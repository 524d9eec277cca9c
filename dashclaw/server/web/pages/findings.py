"""Findings: secrets and personal data that scans found and kept; what kind stood where, never the text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..routes import get

if TYPE_CHECKING:
    from starlette.responses import Response

    from ..desk import Desk

SIZE = 50
FILTERS = ("agent_id", "destination", "offset")


def listing(desk: Desk) -> Response:
    """Findings that fit the filters of the URL, newest first."""
    query = {name: desk.query.get(name) for name in FILTERS}
    return desk.page("findings/list.html", found=desk.ask("get_security_findings", query={**query, "limit": SIZE}))


def show(desk: Desk) -> Response:
    """One finding: each kind of text that was found, and where it stood."""
    return desk.page("findings/show.html", finding=desk.ask("get_security_finding", params=desk.path)["finding"])


PAGES = (get("/findings", listing), get("/findings/{finding_id}", show))
