"""Records an intent: the extra check before it, the record itself, the wait for a person."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict, Mapping, Optional

from ._answer import action_id_in
from ._approval import await_release, fate
from ._call import Call, Caller, Flow, path
from ._failure import before_body
from ._log import logger
from ._spans import deciding
from .errors import DashClawError, GuardBlockedError, UnreadableAnswerError

if TYPE_CHECKING:
    from .types import CreatedAction, GuardDecision, UpdatedAction

_FINAL = frozenset({"completed", "failed", "cancelled"})


def guard_call(body: Mapping[str, Any], include_signals: bool = False) -> Call[GuardDecision]:
    """Return the call that asks for a decision."""
    asked = {"include_signals": True} if include_signals else None
    return Call("POST", "/api/guard", query=asked, body=body, decides=True, read=_decision, signed=True)


def record(client: Caller, body: Dict[str, Any]) -> Flow[CreatedAction]:
    """Take advice and check first where the client asks for it, then record the action; all share one decision."""
    return deciding(client, body, _recorded(client, body))


def _recorded(client: Caller, body: Dict[str, Any]) -> Flow[CreatedAction]:
    checked: Optional[GuardDecision] = None
    if client.auto_recommend != "off":
        from ._recommend import advised

        body, checked = yield from advised(client, body)
    if client.guard_mode != "off":
        checked = (yield from _check_first(client, body)) if checked is None else _heeded(client, checked, body)
    if checked is not None and checked.get("decision_id"):
        body = dict(body, decision_id=checked["decision_id"])
    created: CreatedAction
    created = yield Call("POST", "/api/actions", body=body, read=_created, signed=True)
    return created


def record_and_wait(client: Caller, body: Dict[str, Any]) -> Flow[CreatedAction]:
    """Record an action and, with `hitl_mode="wait"`, wait for a person where one has to decide."""
    created = yield from record(client, body)
    if client.hitl_mode == "wait" and is_pending(created):
        released: CreatedAction
        released = yield from await_release(client, created, body.get("approval_wait_seconds"))
        return released
    return created


def is_pending(created: Mapping[str, Any]) -> bool:
    """Whether a new action waits for a person."""
    return fate(created["action"]) == "pending"


def outcome_call(action_id: str, fields: Mapping[str, Any], timeout: Optional[float] = None) -> Call[UpdatedAction]:
    """Return the call that records how an action goes on; what ends it is stamped with the time."""
    if fields.get("status") in _FINAL and fields.get("timestamp_end") is None:
        fields = dict(fields, timestamp_end=_utc_now())
    return Call("PATCH", path("actions", action_id), body=fields, timeout=timeout)


def _utc_now() -> str:
    from datetime import datetime, timezone

    return datetime.now(timezone.utc).isoformat()[: -len("+00:00")] + "Z"


def _check_first(client: Caller, body: Mapping[str, Any]) -> Flow[Optional[GuardDecision]]:
    enforced = client.guard_mode == "enforce"
    try:
        decision: GuardDecision
        decision = yield guard_call(body)
    except DashClawError as error:
        refused = before_body(error, client.guard_failure if enforced else "open")
        if refused is error:
            raise
        if refused is not None:
            raise refused from error
        logger().warning("The guard could not be asked before %s: %s", body.get("action_type"), error)
        return None
    return _heeded(client, decision, body)


def _heeded(client: Caller, decision: GuardDecision, body: Mapping[str, Any]) -> GuardDecision:
    _tell(client, decision)
    verdict = decision["decision"]
    if verdict == "block" and client.guard_mode == "enforce":
        raise blocked(decision, None)
    if verdict != "allow":
        logger().warning("The guard says %s to %s: %s", verdict, body.get("action_type"), decision.get("reasons"))
    return decision


def blocked(decision: Mapping[str, Any], action_id: Optional[str]) -> GuardBlockedError:
    """Return the error for a decision that forbids the action."""
    reasons = "; ".join(decision.get("reasons") or []) or "a policy forbids it"
    return GuardBlockedError(f"Blocked: {reasons}", decision=decision, action_id=action_id)


def _tell(client: Caller, decision: GuardDecision) -> None:
    if client.guard_callback is None:
        return
    try:
        client.guard_callback(decision)
    except Exception:  # noqa: BLE001 - a callback of the user must not decide about the action
        logger().exception("guard_callback failed")


def _decision(found: Any) -> Any:
    if not isinstance(found.get("decision"), str):
        raise UnreadableAnswerError("The answer of the guard holds no decision")
    return found


def _created(found: Any) -> Any:
    """Read a new action; what an older server leaves out is filled from what it sends."""
    action = found.get("action")
    action_id = action_id_in(found)
    if not isinstance(action, dict) or action_id is None:
        raise UnreadableAnswerError("The answer to a new action names no action")
    found["action_id"] = action_id
    if not isinstance(found.get("decision"), dict):
        found["decision"] = {"decision": "require_approval" if fate(action) == "pending" else "allow", "reasons": []}
    if found["decision"].get("decision") == "block":
        raise blocked(found["decision"], action_id)
    return found
