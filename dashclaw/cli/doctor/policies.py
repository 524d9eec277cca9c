"""Policies that cannot be read, can never fire, change nothing, or mean nobody."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dashclaw.errors import DashClawError

from .finding import Finding
from .ground import Patient

_ALL = 200
_MOST_QUESTIONS = 50
_DOUBTS = {"never_fires": "can never fire", "no_effect": "changes nothing", "shadowed": "changes nothing"}


def policies(patient: Patient) -> Iterator[Finding]:
    """Everything about the policies that are switched on."""
    found = patient.ask("/api/policies", limit=_ALL)["policies"]
    active = [row for row in found if row["active"]]
    told = [*_broken(active), *_idle(active), *_unknown_agents(patient, active), *_remote(patient, active)]
    told += _unknown_types(patient, active)
    yield from told
    off = len(found) - len(active)
    if not active:
        why = "The guard allows everything"
        yield Finding(
            "policies", "warning", "none is switched on", why, "dashclaw policies import --pack startup-growth"
        )
    elif not told:
        yield Finding("policies", "ok", f"{len(active)} switched on, {off} off")


def _broken(active: Sequence[Mapping[str, Any]]) -> Iterator[Finding]:
    from dashclaw.runtime.guard import check_policy

    for row in active:
        complaints = check_policy(row["policy_type"], row["rules"], private_hosts=True)
        if complaints:
            why = "A policy that cannot be read stops every action of every agent"
            what = f"{row['name']} cannot be read: {' '.join(complaints)}"
            yield Finding("policies", "error", what, why, f"Correct or switch off {row['id']}")


def _idle(active: Sequence[Mapping[str, Any]]) -> Iterator[Finding]:
    from dashclaw.runtime.guard import Policy, doubts

    read = [
        Policy(row["id"], row["name"], row["policy_type"], row["rules"], tuple(row["agent_ids"] or ()))
        for row in active
    ]
    for doubt in doubts(read):
        why = f"{doubt.why}: who relies on it is not protected by it"
        what = f"{doubt.name} {_DOUBTS[doubt.kind]}"
        yield Finding("policies", "warning", what, why, f"Change or delete {doubt.policy_id}")


def _unknown_agents(patient: Patient, active: Sequence[Mapping[str, Any]]) -> Iterator[Finding]:
    known = {row["agent_id"] for row in patient.ask("/api/agents", limit=_ALL)["agents"]}
    for row in active:
        never = sorted(set(row["agent_ids"] or ()) - known)
        if never and len(known) < _ALL:
            what = f"{row['name']} is for agents that were never seen: {', '.join(never)}"
            why = "A name that is spelt otherwise is another agent, and the policy does not hold for it"
            yield Finding("policies", "warning", what, why, "See dashclaw top --once for the names")


def _unknown_types(patient: Patient, active: Sequence[Mapping[str, Any]]) -> Iterator[Finding]:
    """Exact action types of which no action was ever recorded."""
    named = {
        name: row["name"]
        for row in active
        if isinstance(row["rules"], Mapping)
        for name in row["rules"].get("action_types") or ()
        if isinstance(name, str) and not set(name) & set("*?[")
    }
    for name, policy in list(named.items())[:_MOST_QUESTIONS]:
        try:
            seen = patient.ask("/api/actions", action_type=name, limit=1)["total"]
        except DashClawError:
            return
        if not seen:
            why = "Agents may call it otherwise; patterns such as deploy* are safer"
            what = f"{policy} names {name}, of which no action was recorded yet"
            yield Finding("policies", "note", what, why, "Compare with dashclaw actions list")


def _remote(patient: Patient, active: Sequence[Mapping[str, Any]]) -> Iterator[Finding]:
    """Checks that ask somebody who cannot be asked; how a server is configured is not known from here."""
    if patient.ground.database is None:
        return
    from dashclaw.runtime.guard import why_not_public
    from dashclaw.runtime.settings import Settings

    settings = Settings.from_environment()
    why = "Every action that it is about gets the fallback decision"
    for row in active:
        if row["policy_type"] == "semantic_check" and not settings.semantic_url:
            what = f"{row['name']} asks a model, and no endpoint is configured"
            yield Finding("policies", "warning", what, why, "Set DASHCLAW_SEMANTIC_URL")
        if row["policy_type"] == "webhook_check" and not settings.allow_private_webhooks:
            complaint = why_not_public(str(row["rules"].get("url")))
            if complaint:
                what = f"{row['name']} may not ask its address, which {complaint}"
                yield Finding("policies", "warning", what, why, "Use a public https address")
