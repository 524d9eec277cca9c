"""Every failure as the one error shape."""

from __future__ import annotations

import logging
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route

from dashclaw._json import compact
from dashclaw.runtime.problems import Problem, unavailable
from dashclaw.runtime.store.engine import StoreError

log = logging.getLogger("dashclaw")


def json_response(body: Any, status: int, headers: dict[str, str] | None = None) -> Response:
    """JSON as this server spells it."""
    return Response(compact(body).encode(), status, headers, "application/json")


def problem_response(problem: Problem, request_id: str | None) -> Response:
    """A refusal of the runtime."""
    return json_response(problem.body(request_id), problem.status, problem.headers)


def unexpected(error: Exception, request_id: str | None) -> Response:
    """A fault of ours or of the database: logged with the request's id, told without internals."""
    log.error("request %s failed", request_id, exc_info=error)
    if isinstance(error, StoreError):
        return problem_response(unavailable(), request_id)
    return problem_response(Problem(500, "INTERNAL", "The server failed; its log says why"), request_id)


async def not_routed(request: Request, error: Exception) -> Response:
    """A path or verb that no route takes."""
    status = getattr(error, "status_code", 404)
    if status == 405:
        allowed = ", ".join(sorted(_verbs(request)))
        headers = {"Allow": allowed}
        problem = Problem(405, "METHOD_NOT_ALLOWED", f"{request.url.path} takes {allowed}", headers=headers)
    else:
        problem = Problem(404, "NOT_OFFERED", f"This server does not offer {request.url.path}")
    return problem_response(problem, request.scope.get("dashclaw.request_id"))


def _verbs(request: Request) -> set[str]:
    routes = [route for route in request.app.routes if isinstance(route, Route)]
    return {
        verb for route in routes if route.matches(request.scope)[0] is not Match.NONE for verb in route.methods or ()
    }
