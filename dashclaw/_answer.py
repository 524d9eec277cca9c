"""Reads answers: a JSON object, or the error that stands for what came instead."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Dict, Mapping, Optional

from ._retry import retry_after
from .errors import ApiError, DashClawError, GuardBlockedError, UnreadableAnswerError, error_for_status

if TYPE_CHECKING:
    from ._transport import Response

_SHOWN = 200


def is_success(status: int) -> bool:
    """Whether a status says that it was done."""
    return 200 <= status < 300


def json_object(response: Response) -> Dict[str, Any]:
    """Return the JSON object of an answer; raises `UnreadableAnswerError` for anything else."""
    try:
        found = json.loads(response.body.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise _unreadable(response, "is not JSON") from error
    if not isinstance(found, dict):
        raise _unreadable(response, f"holds a {type(found).__name__} where an object belongs")
    return found


def decision_in(response: Response) -> Optional[Dict[str, Any]]:
    """Return the guard decision that an answer of any status holds, or None."""
    try:
        found = json_object(response)
    except UnreadableAnswerError:
        return None
    return found if isinstance(found.get("decision"), str) else None


def failure(response: Response) -> DashClawError:
    """Return the error that an answer with another status than 2xx stands for."""
    if 300 <= response.status < 400:
        return _redirect(response)
    try:
        body: Mapping[str, Any] = json_object(response)
    except UnreadableAnswerError:
        body = {}
    message = _text(body.get("error")) or f"The server answered {response.status} without saying why"
    context: Dict[str, Any] = {
        "status": response.status,
        "code": _text(body.get("code")),
        "request_id": _text(body.get("request_id")) or response.headers.get("x-request-id"),
        "retry_after": retry_after(response.headers),
    }
    decision = body.get("decision")
    if response.status == 403 and isinstance(decision, dict):
        return GuardBlockedError(message, decision=decision, action_id=action_id_in(body), **context)
    found: DashClawError = error_for_status(response.status)(message, details=_details(body), **context)
    return found


def action_id_in(body: Mapping[str, Any]) -> Optional[str]:
    """Return the id of the action that an answer is about."""
    action = body.get("action")
    return _text(body.get("action_id")) or (_text(action.get("action_id")) if isinstance(action, dict) else None)


def _details(body: Mapping[str, Any]) -> Any:
    if body.get("details") is not None:
        return body["details"]
    more = {name: value for name, value in body.items() if name not in ("error", "code", "request_id", "details")}
    return more or None


def _redirect(response: Response) -> ApiError:
    to = response.headers.get("location", "elsewhere").partition("?")[0]
    return ApiError(
        f"The server redirects to {to}. Redirects are not followed, they would carry the API key along: "
        "set base_url to the address of the server itself",
        status=response.status,
        code="REDIRECT",
        request_id=response.headers.get("x-request-id"),
    )


def _unreadable(response: Response, what: str) -> UnreadableAnswerError:
    start = response.body[:_SHOWN].decode("utf-8", "replace")
    return UnreadableAnswerError(
        f"The answer {what}: {start!r}" if start else "The answer is empty",
        status=response.status,
        request_id=response.headers.get("x-request-id"),
    )


def _text(value: Any) -> Optional[str]:
    return value if isinstance(value, str) and value else None
