"""What has become of an action that a person decides about, and the wait for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable, Mapping, Optional

from ._call import Call, Caller, Flow, T, Ticket, Wait, Watch, path
from ._failure import nobody_answered
from ._spans import waiting
from .errors import (
    ApprovalDeniedError,
    ApprovalExpiredError,
    ApprovalTimeoutError,
    ConflictError,
    DashClawError,
    Verdict,
)

if TYPE_CHECKING:
    from .types import ActionDetail

# While events arrive this is only a safety net against servers that forget some.
LIVE_SECONDS = 30.0
_DEFAULT_WAIT = 300.0
_SHORTEST_POLL = 0.05


def fate(action: Mapping[str, Any]) -> str:
    """Return "pending", "approved", "denied", "expired" or "cancelled" for an action's row.

    A server that keeps an `approval` is believed; for an older one the status stands for it.
    """
    status, resolution = action.get("status"), action.get("resolution")
    approval = action.get("approval")
    given = approval.get("status") if isinstance(approval, dict) else None
    if resolution in ("denied", "expired"):
        return str(resolution)
    if given in ("denied", "expired"):
        return str(given)
    if status == "cancelled":
        return "cancelled"
    if given == "approved" or action.get("approved_by"):
        return "approved"
    if given == "pending" or status in ("pending", "pending_approval"):
        return "pending"
    if status in ("running", "completed"):
        return "approved"
    if status == "expired":
        return "expired"
    return "denied" if status in ("failed", "blocked") else "pending"


def refusal(action_id: str, action: Mapping[str, Any]) -> Optional[Verdict]:
    """Return the error that says why the action must not run, or None when it may or still waits."""
    found = fate(action)
    if found == "expired":
        return ApprovalExpiredError(f"Nobody decided about {action_id} in time", action_id=action_id)
    if found == "denied":
        reason = _reason(action) or "no reason was given"
        return ApprovalDeniedError(f"The action {action_id} was denied: {reason}", action_id=action_id)
    if found == "cancelled":
        return ApprovalDeniedError(f"The action {action_id} was cancelled", action_id=action_id)
    return None


def _reason(action: Mapping[str, Any]) -> Optional[str]:
    approval = action.get("approval")
    given = approval.get("reason") if isinstance(approval, dict) else None
    return given or action.get("error_message")


def await_decision(client: Caller, action_id: str, timeout: float, interval: float) -> Flow[ActionDetail]:
    """Wait until a person has decided; the answer is the action as `get_action` shows it, with its id on top."""

    def decided(found: Any) -> Optional[ActionDetail]:
        action = found.get("action") or {}
        refused = refusal(action_id, action)
        if refused is not None:
            raise refused
        if fate(action) != "approved":
            return None
        found.setdefault("action_id", action_id)
        detail: ActionDetail = found
        return detail

    late = ApprovalTimeoutError(
        f"Nobody decided about {action_id} within {timeout:g} seconds; it still waits", action_id=action_id
    )
    ask: Call[Any] = Call("GET", path("actions", action_id))
    return waiting(client, action_id, ask_until(client, action_id, ask, decided, late, timeout, interval))


def ask_until(
    client: Caller,
    topic: str,
    ask: Call[Any],
    decided: Callable[[Any], Optional[T]],
    late: ApprovalTimeoutError,
    timeout: float,
    interval: float,
) -> Flow[T]:
    """Repeat a question, at events about `topic` and every `interval` seconds, until its answer is decided.

    `decided` returns the result, None while nobody has decided, or raises. `late` is raised when the time is over.
    """
    now = client._now
    ends = now() + timeout
    poll = max(interval, _SHORTEST_POLL)
    ticket: Ticket
    ticket = yield Watch(topic)
    trouble: Optional[DashClawError] = None
    try:
        while True:
            try:
                found = yield ask
                trouble = None
            except DashClawError as error:
                if not nobody_answered(error):
                    raise
                trouble = error
            else:
                result = decided(found)
                if result is not None:
                    return result
            left = ends - now()
            if left <= 0:
                raise late from trouble
            yield Wait(ticket, min(poll, left), min(max(poll, LIVE_SECONDS), left))
    finally:
        ticket.close()


def await_release(client: Caller, created: Mapping[str, Any], seconds: Optional[float]) -> Flow[Any]:
    """Wait for the decision about an action just recorded and start it, so that its approval is used up.

    The answer has `action_id`, `action` and `decision` like that of a new action.
    """
    action_id: str = created["action_id"]
    detail = yield from await_decision(client, action_id, seconds or _DEFAULT_WAIT, 5.0)
    action: Any = detail["action"]
    if isinstance(action.get("approval"), dict):
        action = yield from _claim(action_id)
    return dict(created, **dict(detail, action=action, decision=created["decision"]))


def _claim(action_id: str) -> Flow[Any]:
    """Start the approved action; its approval then covers no other request."""
    try:
        started = yield Call("PATCH", path("actions", action_id), body={"status": "running"})
    except ConflictError as error:
        raise ApprovalExpiredError(
            f"The approval of {action_id} was used by an identical request", action_id=action_id
        ) from error
    return started["action"]
