"""Recommendations before an action: fetch the best one, adapt a copy of the action, and tell what became of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict, List, Mapping, NamedTuple, Optional

from ._call import Call, Caller, Flow
from ._log import logger
from ._record import guard_call
from .errors import DashClawError

if TYPE_CHECKING:
    from .types import AdaptedAction, GuardDecision

PATH = "/api/learning/recommendations"
_RESTRICTIVE = ("block", "require_approval")


class Advised(NamedTuple):
    """An action as it is to be recorded, and the decision about exactly this one where the guard was asked."""

    body: Dict[str, Any]
    decision: Optional[GuardDecision] = None


def recommend(client: Caller, action: Mapping[str, Any]) -> Flow[AdaptedAction]:
    """Return a copy of an action with the hints of the best recommendation for its type applied."""
    adapted: AdaptedAction = {"action": dict(action), "recommendation": None, "adapted_fields": []}
    if not action.get("action_type"):
        return adapted
    asked = {
        "agent_id": action.get("agent_id") or client.agent_id,
        "action_type": action["action_type"],
        "limit": 1,
        "track_events": True,
    }
    found = yield Call("GET", PATH, query=asked)
    best = next(iter(found.get("recommendations") or []), None)
    if best is not None:
        adapted["recommendation"] = best
        changes = changes_for(action, best.get("hints") or {})
        adapted["action"].update(changes)
        adapted["adapted_fields"] = sorted(changes)
    return adapted


def changes_for(action: Mapping[str, Any], hints: Mapping[str, Any]) -> Dict[str, Any]:
    """Return what the hints change: risk at most the cap, confidence at least the floor, reversible where unsaid."""
    changes: Dict[str, Any] = {}
    cap, floor = hints.get("preferred_risk_cap"), hints.get("confidence_floor")
    risk, confidence = action.get("risk_score"), action.get("confidence")
    if cap is not None and (risk is None or risk > cap):
        changes["risk_score"] = cap
    if hints.get("prefer_reversible") and action.get("reversible") is None:
        changes["reversible"] = True
    if floor is not None and (confidence is None or confidence < floor):
        changes["confidence"] = floor
    return changes


def advised(client: Caller, body: Dict[str, Any]) -> Flow[Advised]:
    """Return the action to record: with "enforce" the adapted one, where the recommendation and the guard allow it.

    Whatever fails here leaves the action as it was. The risk that the caller declared is never lowered: advice must
    not change what the guard and people judge.
    """
    if body.get("recommendation_id") is not None:
        return Advised(body)
    try:
        found = yield from recommend(client, body)
    except DashClawError as error:
        logger().debug("No recommendation for %s: %s", body.get("action_type"), error)
        return Advised(body)
    _tell(client, found)
    best = found["recommendation"]
    if best is None:
        return Advised(body)
    changed = {name: found["action"][name] for name in found["adapted_fields"]}
    if body.get("risk_score") is not None:
        changed.pop("risk_score", None)
    applied = dict(body, **changed, recommendation_id=best["id"], recommendation_applied=True)
    decision: Optional[GuardDecision] = None
    reason = _reason_against(client, best["confidence"])
    if reason is None:
        decision = yield from _probe(applied)
        reason = _restriction(decision)
    if reason is None:
        yield from _report(best, "applied", {"adapted_fields": sorted(changed), "confidence": best["confidence"]})
        return Advised(applied, decision)
    yield from _report(best, "overridden", {"reason": reason, "confidence": best["confidence"]})
    kept = {"recommendation_id": best["id"], "recommendation_applied": False, "recommendation_override_reason": reason}
    return Advised(dict(body, **kept))


def _reason_against(client: Caller, confidence: int) -> Optional[str]:
    """Why the recommendation is not applied, before the guard is asked.

    In the mode "warn" it is not asked: its decision would count against rate limits and change nothing.
    """
    least = client.recommendation_confidence_min
    if confidence < least:
        return f"confidence_below_threshold:{confidence}<{least}"
    return None if client.auto_recommend == "enforce" else "warn_mode_no_autoadapt"


def _probe(body: Mapping[str, Any]) -> Flow[Optional[GuardDecision]]:
    """Return what the guard says to the adapted action, None when it cannot be asked."""
    try:
        decision: GuardDecision
        decision = yield guard_call(body)
    except DashClawError as error:
        logger().debug("The guard could not be asked about an adapted action: %s", error)
        return None
    return decision


def _restriction(decision: Optional[GuardDecision]) -> Optional[str]:
    if decision is None:
        return "guard_unavailable"
    verdict = decision["decision"]
    return f"guard_restrictive:{verdict}" if verdict in _RESTRICTIVE else None


def _report(best: Mapping[str, Any], event_type: str, details: Dict[str, Any]) -> Flow[None]:
    """Tell the server what became of a recommendation; a failure to tell changes nothing."""
    body = {
        "recommendation_id": best["id"],
        "agent_id": best.get("agent_id"),
        "event_type": event_type,
        "details": details,
    }
    try:
        yield events_call([body])
    except DashClawError as error:
        logger().debug("The use of a recommendation was not recorded: %s", error)


def events_call(events: List[Mapping[str, Any]]) -> Call[Any]:
    """Return the call that records events; what is None in one is left out, as servers refuse it."""
    bare = [{name: value for name, value in event.items() if value is not None} for event in events]
    return Call("POST", PATH + "/events", body={"events": bare})


def _tell(client: Caller, found: AdaptedAction) -> None:
    if client.recommendation_callback is None:
        return
    try:
        client.recommendation_callback(found)
    except Exception:  # noqa: BLE001 - a callback of the user must not decide about the action
        logger().exception("recommendation_callback failed")
