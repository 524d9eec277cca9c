"""Approvals: what waits for a person, with all that it takes to decide, one by one or several at once."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from dashclaw.runtime.problems import Problem, invalid

from ..address import site_url
from ..request_view import request_of
from ..routes import get, post

if TYPE_CHECKING:
    from starlette.responses import Response

    from ..desk import Desk

SIZE = 20
SEVERAL = 100
LATELY = 4
FILTERS = ("agent_id", "policy_id", "action_type")
ORDERS = {"risk": "Highest risk", "oldest": "Waits longest", "expiring": "Soonest to expire"}
SHORTCUTS = [("a", "Approve what is looked at"), ("d", "Deny it, with a reason"), ("Enter", "Confirm")]
DONE = {"allow": "Approved", "deny": "Denied"}
# What the parts of a risk mean, in the order in which they add up.
RISK_PARTS = (
    ("base", "kind of action"),
    ("irreversible", "cannot be undone"),
    ("systems", "systems"),
    ("goal", "words of the goal"),
)


class Part(NamedTuple):
    """A part of a risk in its picture: how wide, and where it begins."""

    name: str
    label: str
    points: int
    left: int


def listing(desk: Desk) -> Response:
    """What waits; with `tab=history` what was decided."""
    if desk.query.get("tab") == "history":
        return _history(desk)
    order = desk.query.get("order") if desk.query.get("order") in ORDERS else "risk"
    filters = {name: desk.query.get(name) for name in FILTERS}
    found = desk.ask(
        "get_approvals", query={**filters, "order": order, "limit": SIZE, "offset": desk.query.get("offset")}
    )
    lately = desk.ask("get_approvals", query={"state": "decided", "limit": LATELY})
    return desk.page(
        "approvals/list.html",
        found=found,
        filtered={name: value for name, value in filters.items() if value},
        order=order,
        orders=ORDERS,
        lately=[entry["action"] for entry in lately["approvals"]],
        request_of=request_of,
        risk_parts=risk_parts,
        stops=stops,
        who=who,
        shortcuts=SHORTCUTS,
    )


def _history(desk: Desk) -> Response:
    query = {"status": desk.query.get("status"), "agent_id": desk.query.get("agent_id")}
    found = desk.ask(
        "get_approvals", query={"state": "decided", **query, "limit": SIZE, "offset": desk.query.get("offset")}
    )
    return desk.page("approvals/history.html", found=found, who=who)


def show(desk: Desk) -> Response:
    """One action in full."""
    return _shown(desk, desk.path["action_id"])


def make_link(desk: Desk) -> Response:
    """Make a link with which one person decides about this action, and show it, this once."""
    action_id = desk.path["action_id"]
    hours = desk.form.get("hours", "1")
    seconds = int(hours) * 3600 if hours.isdecimal() and len(hours) < 4 else None
    try:
        body = {"person": desk.form.get("person", "").strip(), "expires_seconds": seconds}
        made = desk.ask("create_decision_link", params={"action_id": action_id}, body=body)["link"]
    except Problem as problem:
        if problem.status not in (400, 403, 409, 410, 422):
            raise
        return _shown(desk, action_id, status=problem.status, problem=problem)
    return desk.page("approvals/link.html", made=made, url=f"{site_url(desk)}{made['path']}")


def _shown(desk: Desk, action_id: str, *, status: int = 200, problem: Problem | None = None) -> Response:
    found = desk.ask("get_approval", params={"action_id": action_id})
    return desk.page(
        "approvals/show.html",
        status=status,
        found=found,
        problem=problem,
        request_of=request_of,
        risk_parts=risk_parts,
        stops=stops,
        who=who,
        people=_people(desk) if found["action"]["status"] == "pending_approval" else [],
        shortcuts=SHORTCUTS,
    )


def _people(desk: Desk) -> list[dict[str, Any]]:
    """For whom an administrator can make a link."""
    if not desk.may("admin"):
        return []
    found = desk.ask("get_people", query={"disabled": False})["people"]
    return [person for person in found if person["role"] != "readonly"]


def decide(desk: Desk) -> Response:
    """Decide about one action as it was seen; a refusal shows what it is now."""
    action_id, decision = desk.form.get("action_id", ""), desk.form.get("decision", "")
    try:
        action = _decided(desk, action_id, decision, desk.form.get("seen", ""), desk.form.get("reason", "").strip())
    except Problem as problem:
        if problem.status not in (400, 403, 409, 410, 422):
            raise
        if desk.from_htmx:
            return _refused(desk, action_id, problem)
        return _shown(desk, action_id, status=problem.status, problem=problem)
    text = f"{DONE[decision]}: {action['declared_goal']}"
    if action["status"] == "pending_approval":
        text += f"; it waits for {action['approval']['remaining']} more"
    if not desk.from_htmx:
        return desk.redirect("/approvals", text)
    response = desk.nothing()
    told = {"toast": {"text": text, "kind": "good"}, "decided": {"action_id": action_id}}
    response.headers["HX-Trigger"] = json.dumps(told)
    return response


def _decided(desk: Desk, action_id: str, decision: str, seen: str, reason: str) -> dict[str, Any]:
    if decision not in DONE:
        raise invalid("decision", "is allow or deny")
    if decision == "deny" and not reason:
        raise Problem(422, "REASON_REQUIRED", "Say why: the agent gets the reason, and the record keeps it")
    if not seen:
        raise Problem(422, "SEEN_REQUIRED", "The form does not say which state of the action was shown")
    body = {"decision": decision, "reasoning": reason or None, "if_updated_at": seen}
    answer = desk.ask("approve_action", params={"action_id": action_id}, body=body)
    action: dict[str, Any] = answer["action"]
    return action


def _refused(desk: Desk, action_id: str, problem: Problem) -> Response:
    found = desk.ask("get_approval", params={"action_id": action_id})
    return desk.site.rendering.fragment(
        desk, "approvals/_refused.html", problem.status, {"problem": problem, "action": found["action"], "who": who}
    )


def review(desk: Desk) -> Response:
    """Everything in the queue that one filter matches, to decide about it at once."""
    filters = {name: desk.query[name] for name in FILTERS if name in desk.query}
    if not filters:
        return desk.redirect("/approvals")
    found = desk.ask("get_approvals", query={**filters, "order": "risk", "limit": SEVERAL})
    return desk.page("approvals/review.html", found=found, filters=filters, problem=None, reason="", who=who)


def decide_several(desk: Desk) -> Response:
    """Decide about each action that was chosen, as it was seen; what is refused is named."""
    decision, reason = desk.form.get("decision", ""), desk.form.get("reason", "").strip()
    chosen = [
        (desk.form[f"action-{number}"], desk.form[f"seen-{number}"], desk.form.get(f"goal-{number}", ""))
        for number in range(SEVERAL)
        if f"pick-{number}" in desk.form and f"action-{number}" in desk.form and f"seen-{number}" in desk.form
    ]
    results = [_one_of_several(desk, *one, decision, reason) for one in chosen]
    refused = sum(result["problem"] is not None for result in results)
    return desk.page(
        "approvals/results.html",
        status=409 if refused and refused == len(results) else 200,
        results=results,
        refused=refused,
        word=DONE.get(decision, "Decided"),
    )


def _one_of_several(desk: Desk, action_id: str, seen: str, goal: str, decision: str, reason: str) -> dict[str, Any]:
    try:
        action = _decided(desk, action_id, decision, seen, reason)
    except Problem as problem:
        return {"action_id": action_id, "goal": goal, "problem": problem, "action": None}
    return {"action_id": action_id, "goal": action["declared_goal"], "problem": None, "action": action}


def who(action: Mapping[str, Any]) -> str | None:
    """The person who had the last word about an action; None when nobody had."""
    approval = action["approval"] or {}
    votes = approval.get("votes") or ()
    return (votes[-1]["name"] or votes[-1]["by"]) if votes else approval.get("by")


def risk_parts(decision: Mapping[str, Any] | None) -> list[Part]:
    """What a risk is made of, one part after the other."""
    known = (decision or {}).get("risk_breakdown") or {}
    parts: list[Part] = []
    left = 0
    for name, label in RISK_PARTS:
        points = int(known.get(name) or 0)
        if points:
            parts.append(Part(name, label, points, left))
            left += points
    return parts


def stops(one: Mapping[str, Any]) -> list[tuple[Mapping[str, Any] | None, str]]:
    """What stopped an action: each policy that asked with its own reason, then the other reasons."""
    reasons = list((one["decision"] or {}).get("reasons") or ())
    told: list[tuple[Mapping[str, Any] | None, str]] = []
    for policy in one["policies"]:
        if policy["asked"]:
            own = next((reason for reason in reasons if reason.startswith(f"{policy['name']}: ")), "")
            told.append((policy, own.removeprefix(f"{policy['name']}: ")))
            reasons = [reason for reason in reasons if reason != own]
    return told + [(None, reason) for reason in reasons]


PAGES = (
    get("/approvals", listing),
    post("/approvals", decide),
    get("/approvals/{action_id}", show),
    post("/approvals/{action_id}/link", make_link),
    get("/approvals/several/review", review),
    post("/approvals/several/review", decide_several),
)
