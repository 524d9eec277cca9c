"""Failures as pages, and as messages where htmx asked."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from starlette.responses import Response

from dashclaw.runtime.problems import Problem, unavailable
from dashclaw.runtime.store.engine import StoreError

if TYPE_CHECKING:
    from .desk import Desk

log = logging.getLogger("dashclaw")

TITLES = {
    400: "That cannot be read",
    403: "Not allowed",
    404: "Nothing here",
    405: "Not like this",
    409: "Changed meanwhile",
    410: "Gone",
    413: "Too large",
    422: "Something is missing",
    429: "Too fast",
    500: "The server failed",
    503: "The database does not answer",
}


def trouble(desk: Desk, error: Exception) -> Response:
    """What an operator sees instead: what happened, whether something was changed, and what to do."""
    request_id = desk.request.scope["dashclaw.request_id"]
    problem = error if isinstance(error, Problem) else _unexpected(error, request_id)
    values = {
        "problem": problem,
        "title": TITLES.get(problem.status, "That did not work"),
        "request_id": request_id,
    }
    if desk.from_htmx:
        response = desk.site.rendering.fragment(desk, "_trouble.html", problem.status, values)
        response.headers["HX-Retarget"] = "#toasts"
        response.headers["HX-Reswap"] = "beforeend"
    else:
        response = desk.site.rendering.fragment(desk, "trouble.html", problem.status, values)
    response.headers.update(problem.headers)
    return response


def _unexpected(error: Exception, request_id: str) -> Problem:
    log.error("request %s failed", request_id, exc_info=error)
    if isinstance(error, StoreError):
        return unavailable()
    return Problem(500, "INTERNAL", "The server failed; its log says why")
