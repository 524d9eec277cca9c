"""Identities: the keys with which agents sign, and the pairings in which they ask for one to be trusted."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from dashclaw.runtime.clock import stamp
from dashclaw.runtime.problems import Problem, invalid

from ..routes import get, post

if TYPE_CHECKING:
    from starlette.responses import Response

    from ..desk import Desk

SIZE = 50
HISTORY = 20
ALGORITHMS = ("RSASSA-PKCS1-v1_5", "Ed25519")
# For how long a key goes on signing after another one took its place.
OVERLAPS = (("", "At once"), ("1", "In an hour"), ("24", "In a day"), ("168", "In a week"))
_REFUSALS = (400, 409, 410, 422)
_FIELDS = ("agent_id", "public_key", "algorithm", "not_after", "replace", "old_for")


def listing(desk: Desk, problem: Problem | None = None) -> Response:
    """What waits for a decision, and the keys of the agents."""
    agent_id = desk.query.get("agent_id")
    lately = desk.ask("get_pairings", query={"agent_id": agent_id, "limit": HISTORY})["pairings"]
    shown = {"agent_id": agent_id, "include_replaced": desk.query.get("keys") == "all"}
    return desk.page(
        "identities/list.html",
        status=200 if problem is None else problem.status,
        waiting=desk.ask("get_pairings", query={"status": "pending", "agent_id": agent_id, "limit": SIZE})["pairings"],
        lately=[row for row in lately if row["status"] != "pending"],
        found=desk.ask("get_identities", query={**shown, "limit": SIZE, "offset": desk.query.get("offset")}),
        values={name: desk.form.get(name, "") for name in _FIELDS},
        problem=problem,
        algorithms=ALGORITHMS,
        overlaps=OVERLAPS,
    )


def show(desk: Desk, problem: Problem | None = None) -> Response:
    """One key, and what happened to the keys of its agent."""
    key = desk.ask("get_identity", params=desk.path)["identity"]
    own = {"agent_id": key["agent_id"]}
    return desk.page(
        "identities/show.html",
        status=200 if problem is None else problem.status,
        key=key,
        others=[row for row in _keys(desk, key["agent_id"], every=True) if row["id"] != key["id"]],
        history=desk.ask("get_activity_logs", query={**own, "resource_type": "identity", "limit": HISTORY})["logs"],
        problem=problem,
    )


def register(desk: Desk) -> Response:
    """Trust a key that somebody brought."""
    form = {name: desk.form.get(name, "").strip() for name in _FIELDS}
    given = {name: form[name] or None for name in ("agent_id", "algorithm", "not_after")}
    try:
        made = desk.ask("register_identity", body={**given, "public_key": form["public_key"], **_replacement(desk)})
    except Problem as problem:
        if problem.status not in _REFUSALS:
            raise
        return listing(desk, problem)
    return desk.redirect(f"/identities/{made['identity']['id']}", "The key is trusted.")


def revoke(desk: Desk) -> Response:
    """Let a key verify nothing any more."""
    reason = desk.form.get("reason", "").strip()
    if not reason:
        return show(desk, invalid("reason", "is required: the record keeps why a key was revoked"))
    desk.ask("revoke_identity", params=desk.path, body={"reason": reason})
    return desk.redirect(f"/identities/{desk.path['identity_id']}", "The key verifies nothing from now on.")


def pairing(desk: Desk, problem: Problem | None = None) -> Response:
    """One request: the code to compare, and the decision."""
    found = desk.ask("get_pairing", params=desk.path)["pairing"]
    earlier = [row for row in _keys(desk, found["agent_id"]) if row["fingerprint"] != found["fingerprint"]]
    return desk.page(
        "identities/pairing.html",
        status=200 if problem is None else problem.status,
        pairing=found,
        earlier=earlier,
        problem=problem,
        overlaps=OVERLAPS,
    )


def approve(desk: Desk) -> Response:
    """Trust the key of a request whose code was compared."""
    reason = desk.form.get("reason", "").strip() or None
    body = {"code": desk.form.get("code", "").strip() or None, "reason": reason}
    try:
        if body["code"] is None:
            raise invalid("code", "is required: type the code that the agent shows")
        made = desk.ask("approve_pairing", params=desk.path, body={**body, **_replacement(desk)})
    except Problem as problem:
        if problem.status not in _REFUSALS:
            raise
        return pairing(desk, problem)
    return desk.redirect(f"/identities/{made['identity']['id']}", "The key is trusted.")


def deny(desk: Desk) -> Response:
    """Refuse a request; the agent gets the reason."""
    reason = desk.form.get("reason", "").strip()
    try:
        if not reason:
            raise invalid("reason", "is required: the agent gets it, and the record keeps it")
        desk.ask("deny_pairing", params=desk.path, body={"reason": reason})
    except Problem as problem:
        if problem.status not in _REFUSALS:
            raise
        return pairing(desk, problem)
    return desk.redirect("/identities", "Denied: the key is not trusted.")


def _keys(desk: Desk, agent_id: str, *, every: bool = False) -> list[dict[str, Any]]:
    query = {"agent_id": agent_id, "include_replaced": every}
    found: list[dict[str, Any]] = desk.ask("get_identities", query=query)["identities"]
    return found


def _replacement(desk: Desk) -> dict[str, Any]:
    """Whether the key that the agent has is given up, and until when that one still signs."""
    hours = desk.form.get("old_for", "")
    known = any(hours == value for value, _ in OVERLAPS)
    until = stamp(desk.site.runtime.clock() + timedelta(hours=int(hours))) if hours and known else None
    replace = desk.form.get("replace") == "on"
    return {"replace": replace, "old_valid_until": until if replace else None}


PAGES = (
    get("/identities", listing),
    post("/identities", register),
    get("/identities/{identity_id}", show),
    post("/identities/{identity_id}/revoke", revoke),
    get("/pair/{pairing_id}", pairing),
    post("/pair/{pairing_id}/approve", approve),
    post("/pair/{pairing_id}/deny", deny),
)
