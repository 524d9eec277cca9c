"""Settings: the organisation with its kill switch, its API keys, and what is kept for how long."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from dashclaw.runtime.problems import Problem, invalid
from dashclaw.runtime.settings import variable

from ..routes import get, post

if TYPE_CHECKING:
    from starlette.responses import Response

    from ..desk import Desk

_SIZE = 50


class Choice(NamedTuple):
    """A setting of the organisation that has a few values."""

    name: str
    label: str
    hint: str
    options: tuple[tuple[str, str], ...]


CHOICES = (
    Choice(
        "self_approval",
        "An agent may approve its own actions",
        "Also whoever holds the same key or is the same person.",
        (("false", "No"), ("true", "Yes")),
    ),
    Choice(
        "guard_degradation",
        "When a rule or a remote check cannot be had",
        "The decision that the guard makes instead.",
        (("block", "Block"), ("require_approval", "Ask a person"), ("warn", "Warn and allow")),
    ),
    Choice(
        "signatures",
        "Signatures of agents",
        "Required refuses what an agent sends unsigned.",
        (("off", "Not checked"), ("optional", "Checked where they are"), ("required", "Required")),
    ),
    Choice(
        "signature_form",
        "Form of signatures",
        "Strict takes only signatures with a time and a nonce, so that none can be sent twice.",
        (("compatible", "Compatible"), ("strict", "Strict")),
    ),
)
_KEPT = (
    ("decision_days", "Decisions", "Those that an action rests on stay."),
    ("event_days", "Events", "Those of actions that run or wait stay, and so does every entry of the chain."),
    ("delivery_days", "Deliveries", "Settled deliveries of webhooks and messages about tasks."),
)


def organisation(desk: Desk, problem: Problem | None = None) -> Response:
    """The settings of the organisation, and the kill switch."""
    if not desk.may("admin"):
        return desk.redirect("/account")
    [org] = desk.ask("get_org")["organizations"]
    status = 200 if problem is None else problem.status
    values = {"org": org, "now": _in_force(desk, org), "choices": CHOICES, "problem": problem}
    return desk.page("settings/organisation.html", status=status, **values)


def change_organisation(desk: Desk) -> Response:
    """Change what differs from what is in force."""
    [org] = desk.ask("get_org")["organizations"]
    now = _in_force(desk, org)
    wanted = {name: desk.form[name].strip() for name in (*now, "name") if name in desk.form}
    changed = {name: value for name, value in wanted.items() if value != str({**now, "name": org["name"]}[name])}
    try:
        if changed:
            _change(desk, org, changed)
    except Problem as problem:
        return organisation(desk, problem)
    return desk.redirect("/settings", notice="The settings are in force." if changed else "Nothing was different.")


def kill_switch(desk: Desk) -> Response:
    """Stop everything or go on; the name of the organisation has to be typed."""
    [org] = desk.ask("get_org")["organizations"]
    on = desk.form.get("kill_switch") == "true"
    try:
        if desk.form.get("typed", "").strip() != org["slug"]:
            raise invalid("typed", f"type {org['slug']} to confirm; nothing was changed")
        _change(desk, org, {"kill_switch": on})
    except Problem as problem:
        return organisation(desk, problem)
    notice = "The kill switch is on: every action is blocked." if on else "The kill switch is off: policies decide."
    return desk.redirect("/settings", notice=notice)


def _change(desk: Desk, org: dict[str, Any], values: dict[str, Any]) -> None:
    body = {**values, "if_updated_at": desk.form.get("updated_at")}
    if "approval_seconds" in values and str(values["approval_seconds"]).isdecimal():
        body["approval_seconds"] = int(values["approval_seconds"])
    desk.ask("update_org", params={"org_id": org["id"]}, body=body)


def _in_force(desk: Desk, org: dict[str, Any]) -> dict[str, Any]:
    """The settings as they work: what the organisation says, else what the engine says."""
    engine, own = desk.site.runtime.settings, org["settings"]
    return {
        "self_approval": "true" if own.get("self_approval") else "false",
        "guard_degradation": own.get("guard_degradation", engine.guard_degradation),
        "approval_seconds": own.get("approval_seconds", engine.approval_seconds),
        "signatures": own.get("signatures", "optional"),
        "signature_form": own.get("signature_form", "compatible"),
    }


def keys(desk: Desk, problem: Problem | None = None) -> Response:
    """The API keys, and a form for another one."""
    query = {"limit": _SIZE, "offset": desk.query.get("offset")}
    found = desk.ask("get_org_keys", params=_org(desk), query=query)
    return desk.page(
        "settings/keys.html", status=200 if problem is None else problem.status, found=found, problem=problem
    )


def create_key(desk: Desk) -> Response:
    """Make a key and show it, this once."""
    form = desk.form
    body = {
        "label": form.get("label", "").strip() or None,
        "role": form.get("role"),
        "operator": form.get("operator", "").strip() or None,
        "approver_roles": roles_in(form.get("approver_roles", "")),
    }
    try:
        made = desk.ask("create_key", params=_org(desk), body=body)
    except Problem as problem:
        return keys(desk, problem)
    return desk.page("settings/key_made.html", key=made["api_key"])


def revoke_key(desk: Desk) -> Response:
    """Revoke a key; sessions that began with it end."""
    try:
        found = desk.ask("revoke_key", params={**_org(desk), "key_id": desk.path["key_id"]})
    except Problem as problem:
        return keys(desk, problem)
    label = found["key"]["label"] or found["key"]["key_prefix"] + "…"
    return desk.redirect("/settings/keys", notice=f"Revoked {label}.")


def retention(desk: Desk) -> Response:
    """What is kept for how long; the environment of the server says so."""
    engine = desk.site.runtime.settings
    kept = [(label, getattr(engine, name), hint, variable(name)) for name, label, hint in _KEPT]
    return desk.page("settings/retention.html", kept=kept)


def roles_in(text: str) -> list[str]:
    """The roles of an approver as a person writes them: with commas or spaces between."""
    return text.replace(",", " ").split()


def _org(desk: Desk) -> dict[str, str]:
    return {"org_id": desk.caller.org_id}


PAGES = (
    get("/settings", organisation),
    post("/settings", change_organisation),
    post("/settings/kill-switch", kill_switch),
    get("/settings/keys", keys),
    post("/settings/keys", create_key),
    post("/settings/keys/{key_id}/revoke", revoke_key),
    get("/settings/retention", retention),
)
