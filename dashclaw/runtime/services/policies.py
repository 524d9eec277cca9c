"""Policies: list, add, change, remove. A change takes effect at once, in every process."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator, Field

from ..guard import check_policy
from ..identity import Caller
from ..inputs import Flag, Input, Name, Page, Short, from_text
from ..operations import Invocation, Operation
from ..problems import Problem, check_unchanged, conflict, not_found
from ..store import orgs
from ..store import policies as rows

if TYPE_CHECKING:
    from ..store.engine import Tx

LONGEST_RULES = 4000


Rules = Annotated[dict[str, Any], BeforeValidator(from_text)]
Agents = Annotated[list[Short], Field(max_length=100)]


class PolicyInput(Input):
    """A new policy."""

    name: Annotated[Name, Field(min_length=1)]
    policy_type: Short
    rules: Rules
    active: Flag = True
    agent_ids: Agents | None = None


class PolicyChange(Input):
    """What of a policy can change.

    `if_updated_at` is the `updated_at` that was seen: a change of anything newer is refused.
    """

    name: Annotated[Name, Field(min_length=1)] | None = None
    policy_type: Short | None = None
    rules: Rules | None = None
    active: Flag | None = None
    agent_ids: Agents | None = None
    if_updated_at: Short | None = None


class PolicyPage(Page):
    """Filters of the list of policies."""

    active: Flag | None = None
    policy_type: Short | None = None


def add_policy(tx: Tx, caller: Caller, given: dict[str, Any], private_hosts: bool = False) -> dict[str, Any]:
    """Check and store a policy; raises `Problem` 400 or 409."""
    _check(given["policy_type"], given["rules"], private_hosts)
    if rows.named(tx, caller.org_id, given["name"]) is not None:
        raise conflict(f"A policy named {given['name']!r} exists already")
    row = {
        "id": "gp_" + os.urandom(12).hex(),
        "org_id": caller.org_id,
        "name": given["name"],
        "policy_type": given["policy_type"],
        "rules": given["rules"],
        "active": given.get("active", True),
        "agent_ids": list(given.get("agent_ids") or []),
        "metadata": given.get("metadata"),
        "created_by": caller.actor_id,
        "created_at": tx.stamp,
        "updated_at": tx.stamp,
    }
    rows.insert(tx, row)
    _announce(tx, caller, "created", row)
    return row


def complaints(policy_type: str, rules: Any, private_hosts: bool) -> list[str]:
    """Why a policy cannot be stored, one sentence each; an empty list when it can."""
    problems = check_policy(policy_type, rules, private_hosts=private_hosts)
    if len(json.dumps(rules)) > LONGEST_RULES:
        problems = [*problems, f"rules are longer than {LONGEST_RULES} characters of JSON"]
    return problems


def _check(policy_type: str, rules: Any, private_hosts: bool) -> None:
    problems = complaints(policy_type, rules, private_hosts)
    if problems:
        fields = [{"field": "rules", "message": sentence} for sentence in problems]
        raise Problem(400, "VALIDATION_FAILED", "Validation failed", details=problems, fields=fields)


def _announce(tx: Tx, caller: Caller, change: str, row: dict[str, Any]) -> None:
    orgs.bump_policies(tx, caller.org_id)
    tx.emit(caller, "policy.updated", "policy", row["id"], {"change": change, "policy": row})


def listing(tx: Tx, call: Invocation) -> dict[str, Any]:
    """Policies by name."""
    query: PolicyPage = call.query
    filters: dict[str, Any] = {}
    if query.active is not None:
        filters["active"] = int(query.active)
    if query.policy_type is not None:
        filters["policy_type"] = query.policy_type
    found, total = rows.page(tx, call.caller.org_id, filters, query.size, query.offset)
    more = query.offset + len(found) < total
    return {"policies": found, "total": total, "limit": query.size, "offset": query.offset, "has_more": more}


def show(tx: Tx, call: Invocation) -> dict[str, Any]:
    """One policy."""
    return {"policy": _found(tx, call)}


def create(tx: Tx, call: Invocation) -> dict[str, Any]:
    """Add a policy."""
    given = {**call.body.given(), "metadata": call.body.unknown or None}
    row = add_policy(tx, call.caller, given, call.runtime.settings.allow_private_webhooks)
    return {"policy": row, "warnings": call.body.warnings()} if call.body.unknown else {"policy": row}


def change(tx: Tx, call: Invocation) -> dict[str, Any]:
    """Change a policy."""
    row = _found(tx, call)
    given = call.body.given()
    check_unchanged(row, given.pop("if_updated_at", None), "policy")
    after = {**row, **given, "updated_at": tx.stamp}
    _check(after["policy_type"], after["rules"], call.runtime.settings.allow_private_webhooks)
    if rows.named(tx, call.caller.org_id, after["name"]) not in (None, row["id"]):
        raise conflict(f"A policy named {after['name']!r} exists already")
    rows.change(tx, row["id"], {**given, "updated_at": tx.stamp})
    _announce(tx, call.caller, "updated", after)
    return {"policy": after}


def remove(tx: Tx, call: Invocation) -> dict[str, Any]:
    """Remove a policy."""
    row = _found(tx, call)
    rows.remove(tx, row["id"])
    _announce(tx, call.caller, "deleted", row)
    return {"success": True, "policy": row}


def _found(tx: Tx, call: Invocation) -> dict[str, Any]:
    row = rows.find(tx, call.caller.org_id, call.params["policy_id"])
    if row is None:
        raise not_found("policy", call.params["policy_id"])
    return row


OPERATIONS = (
    Operation(
        "get_policies", "GET", "/api/policies", listing, "List policies", "policies", query=PolicyPage, role="readonly"
    ),
    Operation(
        "create_policy",
        "POST",
        "/api/policies",
        create,
        "Add a policy",
        "policies",
        body=PolicyInput,
        status=201,
        role="admin",
    ),
    Operation("get_policy", "GET", "/api/policies/{policy_id}", show, "Show a policy", "policies", role="readonly"),
    Operation(
        "update_policy",
        "PATCH",
        "/api/policies/{policy_id}",
        change,
        "Change a policy",
        "policies",
        body=PolicyChange,
        role="admin",
    ),
    Operation(
        "delete_policy", "DELETE", "/api/policies/{policy_id}", remove, "Remove a policy", "policies", role="admin"
    ),
)
