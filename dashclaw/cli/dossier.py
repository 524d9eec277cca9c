"""What a person has to know to decide about an action: the guard's decision and what became of similar actions."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

from dashclaw.errors import DashClawError

from .output import age, one_line

if TYPE_CHECKING:
    from dashclaw import DashClaw

_PARTS = ("base", "irreversible", "systems", "goal")


class Dossier(NamedTuple):
    """`decision` is None when it cannot be had; `similar` counts past decisions about the agent and type of action."""

    decision: Mapping[str, Any] | None
    similar: Mapping[str, Any] | None


def gather(client: DashClaw, action: Mapping[str, Any]) -> Dossier:
    """Ask for what belongs to an action; what is refused or missing is left out."""
    try:
        found = client.request("GET", f"/api/approvals/{quote(action['action_id'], safe='')}")
    except DashClawError:
        return Dossier(None, None)
    return Dossier(found["decision"], found["similar"])


def risk_text(action: Mapping[str, Any], decision: Mapping[str, Any] | None) -> str:
    """The risk and the parts that it is made of."""
    parts = (decision or {}).get("risk_breakdown") or {}
    told = [f"{name} {parts[name]}" for name in _PARTS if parts.get(name)]
    if parts.get("client") is not None:
        told.append(f"the agent says {parts['client']}")
    return f"{action['risk_score']}" + (f"  ({', '.join(told)})" if told else "")


def policies_text(action: Mapping[str, Any], decision: Mapping[str, Any] | None) -> list[str]:
    """Why the action waits: a line per policy that asked."""
    reasons = [one_line(reason) for reason in (decision or {}).get("reasons") or ()]
    if reasons:
        return reasons
    asked = (action.get("approval") or {}).get("required") or ()
    return [one_line(need["policy"]) for need in asked if need.get("policy")] or ["The agent asked for a person"]


def similar_text(similar: Mapping[str, Any] | None) -> list[str]:
    """How often people said what about the agent's actions of the type, then the newest of these."""
    counts = {name: similar[name] for name in ("approved", "denied", "expired") if similar[name]} if similar else {}
    if similar is None or not counts:
        return ["none of this agent and type was decided before"]
    lines = [", ".join(f"{n} {status}" for status, n in counts.items())]
    for row in similar["newest"]:
        who = row["name"] or row["by"]
        reason = f": {one_line(row['reason'])}" if row["reason"] else ""
        by = f" by {who}" if who else ""
        lines.append(f"{row['status']} {age(row['at'])} ago{by}{reason} — {row['declared_goal']}")
    return [one_line(line) for line in lines]


def time_left(action: Mapping[str, Any], now: datetime | None = None) -> str:
    """How long the action still waits, in minutes and seconds."""
    expires = (action.get("approval") or {}).get("expires_at")
    if not expires:
        return "-"
    left = datetime.fromisoformat(expires.replace("Z", "+00:00")) - (now or datetime.now(timezone.utc))
    seconds = int(left.total_seconds())
    if seconds <= 0:
        return "expired"
    hours, rest = divmod(seconds, 3600)
    minutes, seconds = divmod(rest, 60)
    return f"{hours}h {minutes:02}m" if hours else f"{minutes}m {seconds:02}s"
