"""Policies: what is in force and what it does, and the editor, whose changes hold from the next decision on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dashclaw.runtime.guard import POLICY_TYPES, check_policy
from dashclaw.runtime.problems import Problem

from ..policy_form import MARK, SEEN, SEEN_TYPE, begun_anew, entries, typed
from ..policy_form import values as field_values
from ..policy_words import Complaint, changes, example, kinds, placed, read_rules, sentence, shown, written
from ..routes import get, post

if TYPE_CHECKING:
    from starlette.responses import Response

    from ..desk import Desk

SIZE = 50
_NEW: Mapping[str, Any] = {"id": None, "active": True, "updated_at": ""}


def listing(desk: Desk) -> Response:
    """The policies, how often each fired, and those that can never make a difference."""
    query = {name: desk.query.get(name) for name in ("active", "policy_type", "offset")}
    activity = desk.ask("get_policy_activity")
    return desk.page(
        "policies/list.html",
        found=desk.ask("get_policies", query={**query, "limit": SIZE}),
        fired=activity["fired"],
        complete=activity["complete"],
        doubts={doubt["policy_id"]: doubt["why"] for doubt in activity["doubts"]},
        types=[(name, name.replace("_", " ")) for name in POLICY_TYPES],
        sentence=sentence,
    )


def show(desk: Desk) -> Response:
    """One policy, and the decisions in which it fired last."""
    policy = _policy(desk)
    activity = desk.ask("get_policy_activity")
    last = desk.ask("get_guard_decisions", query={"policy_id": policy["id"], "limit": 5})
    return desk.page(
        "policies/show.html",
        policy=policy,
        says=sentence(policy["policy_type"], policy["rules"]),
        rules=written(policy["rules"]),
        fired=activity["fired"].get(policy["id"], {"last_24h": 0, "last_30d": 0}),
        doubt=next((doubt["why"] for doubt in activity["doubts"] if doubt["policy_id"] == policy["id"]), None),
        decisions=last["decisions"],
    )


def new(desk: Desk) -> Response:
    """An empty form, or one with the example of a type."""
    policy_type = desk.query.get("type", "require_approval")
    values = {"name": "", "policy_type": policy_type, "rules": example(policy_type), "agent_ids": ""}
    return _form(desk, _NEW, {**values, "active": "on"})


def edit(desk: Desk) -> Response:
    """The form with what is stored."""
    policy = _policy(desk)
    return _form(desk, policy, _values(policy))


def check(desk: Desk) -> Response:
    """What is wrong with the form as it is, else what would change; nothing is stored."""
    policy = _seen(desk)
    given = _given(desk)
    text = begun_anew(desk.form, given["rules"])
    fresh = _fresh(desk, text != given["rules"]) if desk.from_htmx else ()
    given["rules"] = text
    return _form(desk, policy, given, verdict=_verdict(desk, policy, given), fresh=fresh)


def _fresh(desk: Desk, anew: bool) -> tuple[str, ...]:
    """The parts of the form that are drawn again: never the one in which somebody types."""
    if anew:
        return ("seen", "fields", "rules")
    return ("seen", "rules" if desk.request.headers.get("hx-trigger") == "fields" else "fields")


def create(desk: Desk) -> Response:
    """Store a new policy."""
    given = _given(desk)
    rules, complaints = _rules(desk, given)
    if complaints:
        return _form(desk, _NEW, given, 422, verdict=_refused(complaints))
    try:
        made = desk.ask("create_policy", body=_body(given, rules))["policy"]
    except Problem as problem:
        return _form(desk, _NEW, given, problem.status, problem, _verdict(desk, _NEW, given))
    notice = "The policy is in force." if made["active"] else "The policy is kept, and off."
    return desk.redirect(f"/policies/{made['id']}", notice=notice)


def save(desk: Desk) -> Response:
    """Change a policy, unless somebody else changed it meanwhile."""
    policy = _policy(desk)
    given = _given(desk)
    rules, complaints = _rules(desk, given)
    seen = {**policy, "updated_at": desk.form.get("updated_at", "")}
    if complaints:
        return _form(desk, seen, given, 422, verdict=_refused(complaints))
    try:
        _change(desk, {**_body(given, rules), "if_updated_at": seen["updated_at"]})
    except Problem as problem:
        return _form(desk, seen, given, problem.status, problem, _verdict(desk, policy, given))
    return desk.redirect(f"/policies/{policy['id']}", notice="Changed: it holds from the next decision on.")


def switch(desk: Desk) -> Response:
    """Turn a policy on or off."""
    on = desk.form.get("active") == "on"
    _change(desk, {"active": on, "if_updated_at": desk.form.get("updated_at")})
    back = "/policies" if desk.form.get("back") == "list" else f"/policies/{desk.path['policy_id']}"
    return desk.redirect(back, notice="The policy is in force." if on else "The policy is off.")


def delete(desk: Desk) -> Response:
    """Delete a policy; the record keeps what it was."""
    desk.ask("delete_policy", params=_params(desk))
    return desk.redirect("/policies", notice="Deleted. It can be put back from the history of the policies.")


def _form(
    desk: Desk,
    policy: Mapping[str, Any],
    values: Mapping[str, str],
    status: int = 200,
    problem: Problem | None = None,
    verdict: Mapping[str, Any] | None = None,
    fresh: Sequence[str] = (),
) -> Response:
    if not desk.may("admin"):
        raise Problem(403, "FORBIDDEN", "Only an administrator changes policies")
    return desk.page(
        "policies/edit.html",
        status=status,
        policy=policy,
        values=values,
        problem=problem,
        verdict=verdict,
        fresh=fresh,
        fields=_fields(values),
        kinds=kinds(),
    )


def _fields(given: Mapping[str, str]) -> dict[str, Any]:
    """The rules as fields, and what they were drawn from; no fields for a text that cannot be read."""
    rules, complaints = read_rules(given["rules"])
    drawn = field_values(given["policy_type"], rules)
    return {
        "mark": MARK,
        "entries": [] if complaints else entries(given["policy_type"]),
        "values": drawn,
        "given": [key for key, value in drawn.items() if value],
        "seen": {SEEN: given["rules"], SEEN_TYPE: given["policy_type"]},
    }


def _rules(desk: Desk, given: Mapping[str, str]) -> tuple[Any, list[Complaint]]:
    wrong = typed(desk.form)[1]
    return (None, [Complaint(wrong, None)]) if wrong else read_rules(given["rules"])


def _verdict(desk: Desk, policy: Mapping[str, Any], given: Mapping[str, str]) -> dict[str, Any]:
    rules, complaints = _rules(desk, given)
    if not complaints:
        private = desk.site.runtime.settings.allow_private_webhooks
        complaints = placed(given["rules"], check_policy(given["policy_type"], rules, private_hosts=private))
    if complaints:
        return _refused(complaints)
    before = shown(None if policy["id"] is None else policy)
    after = shown(_body(given, rules))
    return {"complaints": [], "says": sentence(given["policy_type"], rules), "changes": changes(before, after)}


def _refused(complaints: list[Complaint]) -> dict[str, Any]:
    return {"complaints": complaints, "says": "", "changes": []}


def _given(desk: Desk) -> dict[str, str]:
    names = ("name", "policy_type", "agent_ids", "active")
    given = {name: desk.form.get(name, "").strip() for name in names}
    return {**given, "rules": typed(desk.form)[0]}


def _values(policy: Mapping[str, Any]) -> dict[str, str]:
    return {
        "name": policy["name"],
        "policy_type": policy["policy_type"],
        "rules": written(policy["rules"]),
        "agent_ids": ", ".join(policy["agent_ids"] or ()),
        "active": "on" if policy["active"] else "",
    }


def _body(given: Mapping[str, str], rules: Any) -> dict[str, Any]:
    return {
        "name": given["name"],
        "policy_type": given["policy_type"],
        "rules": rules,
        "active": given["active"] == "on",
        "agent_ids": [name.strip() for name in given["agent_ids"].split(",") if name.strip()],
    }


def _seen(desk: Desk) -> Mapping[str, Any]:
    """The policy that the form is about, as it was when the form was opened."""
    policy_id = desk.form.get("policy_id")
    if not policy_id:
        return _NEW
    found = desk.ask("get_policy", params={"policy_id": policy_id})["policy"]
    return {**found, "updated_at": desk.form.get("updated_at", "")}


def _policy(desk: Desk) -> dict[str, Any]:
    found: dict[str, Any] = desk.ask("get_policy", params=_params(desk))["policy"]
    return found


def _change(desk: Desk, body: Mapping[str, Any]) -> None:
    desk.ask("update_policy", params=_params(desk), body=body)


def _params(desk: Desk) -> dict[str, str]:
    return {"policy_id": desk.path["policy_id"]}


PAGES = (
    get("/policies", listing),
    get("/policies/new", new),
    post("/policies/new", create),
    post("/policies/check", check),
    get("/policies/{policy_id}", show),
    get("/policies/{policy_id}/edit", edit),
    post("/policies/{policy_id}/edit", save),
    post("/policies/{policy_id}/switch", switch),
    post("/policies/{policy_id}/delete", delete),
)
