"""What a message says of an action that waits or waited, whatever platform shows it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import quote

from dashclaw._inert import inert

from ..clock import moment

WAITS = "pending_approval"
_LONGEST_GOAL = 800
_LONGEST = 200
_MOST_POLICIES = 5
_DONE = {"allow": "Approved", "deny": "Denied"}
_HOW = {
    "slack": "in Slack",
    "discord": "in Discord",
    "telegram": "in Telegram",
    "dashboard": "in the dashboard",
    "link": "by a link",
    "cli": "on the command line",
    "local": "on the command line",
    "api": "through the API",
}


class Card(NamedTuple):
    """A title, the goal as the agent put it, pairs of a name and a text, how it stands, and a link to its page."""

    title: str
    goal: str
    facts: tuple[tuple[str, str], ...]
    state: str | None
    link: str | None


class Buttons(NamedTuple):
    """What the two buttons carry."""

    approve: str
    deny: str


def card_of(dossier: Mapping[str, Any], public_url: str | None) -> Card:
    """The card of an action, as the page of approvals knows it."""
    action = dossier["action"]
    waits = action["status"] == WAITS
    title = "An agent asks for approval" if waits else f"{_word(action)}: {action['action_type']}"
    link = f"{public_url}/approvals/{quote(action['action_id'], safe='')}" if public_url else None
    facts = tuple((name, _short(text, _LONGEST)) for name, text in _facts(dossier, waits) if text)
    state = _last_vote(action) if waits else _outcome(action)
    return Card(_short(title, 140), _short(action["declared_goal"], _LONGEST_GOAL), facts, state, link)


def _facts(dossier: Mapping[str, Any], waits: bool) -> list[tuple[str, str]]:
    action = dossier["action"]
    systems = ", ".join(str(system) for system in action["systems_touched"])
    asked = [policy["name"] for policy in dossier["policies"] if policy["asked"]]
    found = [
        ("Agent", action["agent_name"] or action["agent_id"]),
        ("Action", f"{action['action_type']} on {systems}" if systems else action["action_type"]),
        ("Risk", f"{action['risk_score']} of 100" + ("" if action["reversible"] else ", cannot be undone")),
        ("Stopped by", ", ".join(asked[:_MOST_POLICIES]) or "the agent's own wish"),
    ]
    if waits:
        found.append(("Expires", _left(action["approval"]["expires_at"], dossier["at"])))
        if action["approval"]["remaining"] > 1:
            found.append(("Waits for", f"{action['approval']['remaining']} people"))
    return found


def _left(until: str, now: str) -> str:
    minutes = max(0, int((moment(until) - moment(now)).total_seconds() // 60))
    hours, days = minutes // 60, minutes // 1440
    left = f"{days} days" if days > 1 else f"{hours} h {minutes % 60} min" if hours else f"{minutes} min"
    return f"{_clock(until)}, in {left}"


def _clock(at: str) -> str:
    return f"{at[:10]} {at[11:16]} UTC"


def _word(action: Mapping[str, Any]) -> str:
    status = (action["approval"] or {}).get("status")
    return {"approved": "Approved", "denied": "Denied", "expired": "Expired"}.get(status or "", "Withdrawn")


def _outcome(action: Mapping[str, Any]) -> str:
    approval = action["approval"] or {}
    if approval.get("status") == "expired":
        return f"Nobody decided before {_clock(approval['expires_at'])}; the agent has to ask again."
    if approval.get("status") not in ("approved", "denied"):
        return "The agent withdrew the request."
    if not approval["votes"]:
        return f"{_word(action)} by {approval['by']}, {_clock(approval['at'])}."
    return _told(approval["votes"][-1])


def _last_vote(action: Mapping[str, Any]) -> str | None:
    votes = action["approval"]["votes"]
    return f"{_told(votes[-1])} It waits for {action['approval']['remaining']} more." if votes else None


def _told(vote: Mapping[str, Any]) -> str:
    """Who decided what, where and when."""
    said = f"{_DONE[vote['decision']]} by {vote['name'] or vote['by']} {_HOW.get(vote['how'], '')}".rstrip()
    reason = f" {vote['reason']}" if vote["reason"] and vote["decision"] == "deny" else ""
    return inert(f"{said}, {_clock(vote['at'])}.{_short(reason, 300)}")


def _short(text: str, longest: int) -> str:
    harmless = inert(text)
    return harmless if len(harmless) <= longest else harmless[: longest - 1] + "…"
