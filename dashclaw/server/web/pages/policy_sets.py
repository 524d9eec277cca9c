"""Packs and own files of policies, looked at before they are imported; and who changed which policy when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dashclaw.runtime.policy_documents import PACKS, pack_policies
from dashclaw.runtime.problems import Problem, not_found

from ..policy_words import changes, sentence, shown
from ..routes import get, post

if TYPE_CHECKING:
    from starlette.responses import Response

    from ..desk import Desk

SIZE = 20
# An older version of a policy is looked for so far back.
_BACK = 200
_CHANGED = "policy.updated"


def packs(desk: Desk, found: Any = None, problem: Problem | None = None) -> Response:
    """The packs, a field for an own text, and what an import of it would do."""
    known = [(name, pack_policies(name)) for name in PACKS]
    status = 200 if problem is None else problem.status
    values = {"packs": known, "found": found, "problem": problem, "sentence": sentence}
    return desk.page("policies/packs.html", status=status, **values)


def take(desk: Desk) -> Response:
    """Show what an import would do, or do it."""
    body = {"pack": desk.form.get("pack") or None, "yaml": desk.form.get("yaml", "").strip() or None}
    dry = desk.form.get("step") != "import"
    try:
        found = desk.ask("import_policies", body={**body, "dry_run": dry})
    except Problem as problem:
        return packs(desk, problem=problem)
    if dry:
        return packs(desk, found)
    notice = f"{found['imported']} policies were added, {found['skipped']} were there already."
    return desk.redirect("/policies", notice=notice)


def history(desk: Desk) -> Response:
    """The changes of policies, newest first, each with what it changed."""
    query = {"action": _CHANGED, "limit": _BACK, "offset": desk.query.get("offset")}
    answer = desk.ask("get_activity_logs", query=query)
    logs, total = answer["logs"], answer["pagination"]["total"]
    offset = answer["pagination"]["offset"]
    found = {"total": total, "limit": SIZE, "offset": offset, "has_more": total > offset + SIZE}
    stored = {row["id"]: row for row in desk.ask("get_policies", query={"limit": 200})["policies"]}
    rows = [_entry(log, logs[place + 1 :], stored) for place, log in enumerate(logs[:SIZE])]
    return desk.page("policies/history.html", found=found, rows=rows)


def restore(desk: Desk) -> Response:
    """Make a policy what it was after one of its changes; that is a change of its own."""
    number = desk.path["change"]
    if not number.isdecimal() or len(number) > 18:
        raise not_found("change", number)
    found = desk.ask("get_events", query={"after": int(number) - 1, "limit": 1})["events"]
    policy = found[0]["data"].get("policy") if found and found[0]["event"] == _CHANGED else None
    if not isinstance(policy, dict) or str(found[0]["id"]) != number:
        raise not_found("change", number)
    body = {name: policy[name] for name in ("name", "policy_type", "rules", "active", "agent_ids")}
    if desk.form.get("updated_at"):
        seen = {"if_updated_at": desk.form["updated_at"]}
        desk.ask("update_policy", params={"policy_id": policy["id"]}, body={**body, **seen})
        return desk.redirect(f"/policies/{policy['id']}", notice="It is again what it was then.")
    made = desk.ask("create_policy", body={**(policy.get("metadata") or {}), **body})["policy"]
    return desk.redirect(f"/policies/{made['id']}", notice="It is back, under a new id.")


def _entry(log: Mapping[str, Any], older: Sequence[Mapping[str, Any]], stored: Mapping[str, Any]) -> dict[str, Any]:
    policy = log["details"].get("policy") or {}
    before = next((_policy(one) for one in older if one["resource_id"] == log["resource_id"]), None)
    after = None if log["details"].get("change") == "deleted" else policy
    current = stored.get(log["resource_id"])
    there = current is not None and shown(current) == shown(policy)
    return {
        "number": log["id"].removeprefix("al_"),
        "at": log["created_at"],
        "by": log["actor_name"],
        "change": log["details"].get("change", "changed"),
        "policy_id": log["resource_id"],
        "name": policy.get("name", log["resource_id"]),
        "changes": changes(shown(before), shown(after)),
        "known_before": before is not None,
        "current": current,
        "same": there,
    }


def _policy(log: Mapping[str, Any]) -> Mapping[str, Any] | None:
    return None if log["details"].get("change") == "deleted" else log["details"].get("policy")


PAGES = (
    get("/policies/packs", packs),
    post("/policies/packs", take),
    get("/policies/history", history),
    post("/policies/history/{change}/restore", restore),
)
