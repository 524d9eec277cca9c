"""What a person has to know to decide: the queue of what waits, and all that belongs to one action."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from ..action_rows import action_row
from ..inputs import Page, Short
from ..operations import Invocation, Operation
from ..problems import Problem, not_found
from ..store import actions as rows
from ..store import approval_queue as queue
from ..store import decisions, policies
from ..store.approvals import votes_of
from .approvals import refusal
from .outcomes import expire_first

if TYPE_CHECKING:
    from ..store.engine import Tx

# Past decisions are counted over so many of the newest, and so many of these are shown.
LOOKED_AT = 50
SHOWN = 3
# Who asks is counted over so many of those that wait.
COUNTED = 1000
_OF_DECISION = (
    "id",
    "decision",
    "risk_score",
    "risk_breakdown",
    "reasons",
    "warnings",
    "matched_policies",
    "degraded",
    "created_at",
)


class QueuePage(Page):
    """What waits, or what waited. `policy_id` is that of a policy that asked; `status` is of those that are decided."""

    default: ClassVar[int] = 25
    cap: ClassVar[int] = 100

    state: Literal["waiting", "decided"] = "waiting"
    order: Literal["risk", "oldest", "expiring"] = "risk"
    agent_id: Short | None = None
    action_type: Short | None = None
    policy_id: Short | None = None
    status: Literal["approved", "denied", "expired"] | None = None


def listing(tx: Tx, call: Invocation) -> dict[str, Any]:
    """The queue with a dossier for each action, or those decided lately without."""
    query: QueuePage = call.query
    if query.state == "decided":
        return _decided(tx, call.caller.org_id, query)
    org_id = call.caller.org_id
    given = {"agent_id": query.agent_id, "action_type": query.action_type, "policy_id": query.policy_id}
    filters = {name: value for name, value in given.items() if value is not None}
    ids, totals = queue.waiting(tx, org_id, filters, query.order, query.size, query.offset)
    found = _in_order(tx, org_id, ids)
    return {
        "approvals": [_dossier(tx, call, row) for row in found],
        **totals,
        "asking": _asking(tx, org_id),
        "limit": query.size,
        "offset": query.offset,
        "has_more": query.offset + len(found) < totals["total"],
        "at": tx.stamp,
    }


def _decided(tx: Tx, org_id: str, query: QueuePage) -> dict[str, Any]:
    ids, total = queue.decided(tx, org_id, query.status, query.agent_id, query.size, query.offset)
    return {
        "approvals": [{"action": action_row(row)} for row in _in_order(tx, org_id, ids)],
        "total": total,
        "limit": query.size,
        "offset": query.offset,
        "has_more": query.offset + len(ids) < total,
        "at": tx.stamp,
    }


def _in_order(tx: Tx, org_id: str, ids: Sequence[str]) -> list[dict[str, Any]]:
    known = {row["action_id"]: row for row in rows.some(tx, org_id, ids)} if ids else {}
    return [known[action_id] for action_id in ids]


def _asking(tx: Tx, org_id: str) -> dict[str, list[dict[str, Any]]]:
    """Which agents and policies have how much in the queue, most first."""
    agents: Counter[str] = Counter()
    policies_: Counter[str] = Counter()
    names: dict[str, str] = {}
    for row in queue.asked_by(tx, org_id, COUNTED):
        agents[row["agent_id"]] += 1
        names[row["agent_id"]] = row["agent_name"] or row["agent_id"]
        for need in row["approval_needs"] or ():
            if need.get("policy_id"):
                policies_[need["policy_id"]] += 1
                names[need["policy_id"]] = need.get("policy") or need["policy_id"]
    return {
        "agents": [{"agent_id": key, "name": names[key], "waiting": n} for key, n in agents.most_common()],
        "policies": [{"policy_id": key, "name": names[key], "waiting": n} for key, n in policies_.most_common()],
    }


def show(tx: Tx, call: Invocation) -> dict[str, Any]:
    """One action that waits or waited, with its dossier."""
    row = rows.find(tx, call.caller.org_id, call.params["action_id"])
    if row is None:
        raise not_found("action", call.params["action_id"])
    return {**_dossier(tx, call, row), "at": tx.stamp}


def _dossier(tx: Tx, call: Invocation, row: Mapping[str, Any]) -> dict[str, Any]:
    decision = decisions.find(tx, row["org_id"], row["decision_id"]) if row["decision_id"] else None
    action = action_row(row)
    return {
        "action": action,
        "decision": None if decision is None else {name: decision[name] for name in _OF_DECISION},
        "policies": _policies(tx, row["org_id"], action, decision),
        "parent": _parent(tx, row),
        "similar": _similar(tx, row),
        "may": {
            "approve": _may(refusal(tx, call, row, "allow")),
            "deny": _may(refusal(tx, call, row, "deny")),
        },
    }


def _may(problem: Problem | None) -> dict[str, Any]:
    if problem is None:
        return {"allowed": True, "code": None, "reason": None}
    return {"allowed": False, "code": problem.code, "reason": problem.message}


def _policies(
    tx: Tx, org_id: str, action: Mapping[str, Any], decision: Mapping[str, Any] | None
) -> list[dict[str, Any]]:
    """The policies that asked for people, then the others that had something to say."""
    asked = [
        {"policy_id": need["policy_id"], "name": need["policy"], "asked": True}
        for need in (action["approval"] or {}).get("required") or ()
        if need.get("policy_id")
    ]
    shown = {policy["policy_id"] for policy in asked}
    others = [name for name in (decision or {}).get("matched_policies") or () if name not in shown]
    names = policies.names(tx, org_id) if others else {}
    return asked + [{"policy_id": key, "name": names.get(key, key), "asked": False} for key in others]


def _parent(tx: Tx, row: Mapping[str, Any]) -> dict[str, Any] | None:
    """The action that led to this one, in short."""
    found = rows.find(tx, row["org_id"], row["parent_action_id"]) if row["parent_action_id"] else None
    if found is None:
        return None
    shown = ("action_id", "agent_id", "agent_name", "action_type", "declared_goal", "status")
    return {name: found[name] for name in shown}


def _similar(tx: Tx, row: Mapping[str, Any]) -> dict[str, Any]:
    """How people decided about the same agent and type of action before, and how that went."""
    found = [past for past in queue.similar(tx, row, LOOKED_AT + 1) if past["action_id"] != row["action_id"]]
    found = found[:LOOKED_AT]
    newest = found[:SHOWN]
    votes = votes_of(tx, row["org_id"], [past["action_id"] for past in newest]) if newest else {}
    return {
        **_counted(found),
        "newest": [
            {
                "action_id": past["action_id"],
                "declared_goal": past["declared_goal"],
                "risk_score": past["risk_score"],
                "status": past["approval_status"],
                "outcome": past["status"] if past["approval_status"] == "approved" else None,
                "at": past["approval_at"] or past["approval_expires_at"],
                "by": past["decided_by"],
                "name": next((vote["name"] for vote in reversed(votes.get(past["action_id"], ()))), None),
                "reason": past["approval_reason"],
            }
            for past in newest
        ],
    }


def _counted(found: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    how = Counter(row["approval_status"] for row in found)
    went = Counter(row["status"] for row in found if row["approval_status"] == "approved")
    return {
        **{name: how[name] for name in queue.DECIDED},
        **{name: went[name] for name in ("completed", "failed")},
    }


OPERATIONS = (
    Operation(
        "get_approvals",
        "GET",
        "/api/approvals",
        listing,
        "List what waits for a person with all that belongs to it, or what was decided",
        "approvals",
        query=QueuePage,
        role="readonly",
        prepare=expire_first,
        slow=True,
    ),
    Operation(
        "get_approval",
        "GET",
        "/api/approvals/{action_id}",
        show,
        "Show an action with all that a person has to know to decide about it",
        "approvals",
        role="readonly",
        prepare=expire_first,
    ),
)
