"""Pages for those who are not signed in: their forms are bound to an id that the browser gets with the page."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from starlette.responses import Response

    from dashclaw.runtime.problems import Problem

    from .desk import Desk


def stranger_page(desk: Desk, template: str, problem: Problem | None = None, **values: Any) -> Response:
    """A page with `visitor_token` for its forms, and with what was wrong with the last attempt."""
    status = 200 if problem is None else problem.status
    visitor = desk.site.cookies.visitor(desk.request) or secrets.token_urlsafe(16)
    token = desk.site.visitor_token(visitor) if desk.session is None else desk.site.form_token(desk)
    response = desk.page(template, status=status, problem=problem, visitor_token=token, **values)
    if problem is not None:
        response.headers.update(problem.headers)
    if desk.session is None:
        desk.site.cookies.set_visitor(desk.request, response, visitor)
    return response
