"""`dashclaw approvals`: see what waits for a person, and decide."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

from .approvals_watch import add_watch
from .arguments import Commands, connection
from .connection import connect
from .output import Output, age, fields, one_line, table

_PAGE = 200
_LISTING = "dashclaw approvals list"
_SHOWN = (
    "action_id",
    "status",
    "agent_id",
    "action_type",
    "declared_goal",
    "risk_score",
    "reversible",
    "systems_touched",
    "reasoning",
    "approval",
    "timestamp_start",
)


def add(commands: Commands) -> None:
    """Add the group to the command line."""
    group = commands.group("approvals", "decide about actions that wait for a person")
    group.command(
        "list",
        list_pending,
        "show what waits",
        options=connection(),
        example="dashclaw approvals list --db dashclaw.db",
    )
    found = group.command(
        "show",
        show,
        "show one action in full",
        options=connection(),
        example="dashclaw approvals show act_123 --db dashclaw.db",
        listing=_LISTING,
    )
    found.add_argument("action_id", metavar="ACTION_ID", help="its id")
    add_watch(group)
    for verb, decision, note in (
        ("approve", "allow", "; exits with 0 also while other people have to approve"),
        ("deny", "deny", ""),
    ):
        found = group.command(
            verb,
            decide,
            f"{verb} an action that waits{note}",
            options=connection(),
            example=f'dashclaw approvals {verb} act_123 --reason "Agreed in the meeting" --db dashclaw.db',
            decision=decision,
            listing=_LISTING,
        )
        found.add_argument("action_id", metavar="ACTION_ID", help="its id")
        found.add_argument("--reason", metavar="TEXT", help="kept with the decision")


def list_pending(options: argparse.Namespace, output: Output) -> None:
    """Print what waits."""
    with connect(options) as client:
        found = client.get_pending_approvals(limit=_PAGE)
    more = found["total"] - len(found["actions"])
    output.result(found, _table(found["actions"]) + (f"\nand {more} more" if more > 0 else ""))


def _table(actions: Any) -> str:
    rows = [
        (
            row["action_id"],
            row["agent_id"],
            row["action_type"],
            row["risk_score"],
            age(row["created_at"]),
            _given(row["approval"]),
            row["declared_goal"],
        )
        for row in actions
    ]
    columns = ("action id", "agent", "type", "risk", "age", "approvals", "goal")
    return table(columns, rows, "Nothing waits for approval.")


def _given(approval: Mapping[str, Any] | None) -> str | None:
    """How many people have approved, of how many; None for a server that does not count them."""
    if not approval or "votes" not in approval:
        return None
    given = sum(vote["decision"] == "allow" for vote in approval["votes"])
    # One person may count for several policies, or may not.
    about = "at least " if len(_open_needs(approval)) > 1 else ""
    return f"{given} of {about}{given + approval['remaining']}"


def _open_needs(approval: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [need for need in approval["required"] if need["given"] < need["approvals_required"]]


def _missing(approval: Mapping[str, Any]) -> str:
    """What is still missing, in words, for each policy that asks."""
    needs = _open_needs(approval)
    parts = []
    for need in needs:
        left = need["approvals_required"] - need["given"]
        policy = f" ({need['policy']})" if len(needs) > 1 else ""
        parts.append(f"{'one' if left == 1 else left} more from: {' or '.join(need['approver_roles'])}{policy}")
    return "; ".join(parts)


def show(options: argparse.Namespace, output: Output) -> None:
    """Print one action."""
    with connect(options) as client:
        found = client.get_action(options.action_id)
    action = found["action"]
    approval = action.get("approval")
    text = fields({**action, "approval": _state(approval)}, _SHOWN)
    if approval and approval.get("votes"):
        text += "\n\n" + _votes(approval["votes"])
    output.result(found, text)


def _state(approval: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """The approval in words; the votes have a table of their own."""
    if not approval or "votes" not in approval:
        return approval
    state = {name: value for name, value in approval.items() if name not in ("required", "remaining", "votes")}
    if approval["status"] == "pending":
        state |= {"approvals": _given(approval), "missing": _missing(approval)}
    return state


def _votes(votes: Any) -> str:
    rows = [
        (
            vote["name"] or vote["by"],
            vote["decision"],
            ", ".join(vote["approver_roles"]),
            vote["at"],
            " ".join(str(part) for name, part in vote["from"].items() if name != "user_agent"),
            vote["how"],
            vote["reason"],
        )
        for vote in votes
    ]
    return table(("who", "said", "roles", "when", "from", "how", "reason"), rows, "")


def decide(options: argparse.Namespace, output: Output) -> None:
    """Approve or deny."""
    with connect(options) as client:
        found = client.approve_action(options.action_id, options.decision, options.reason)
    verb = "Approved" if options.decision == "allow" else "Denied"
    action = found["action"]
    text = f"{verb} {options.action_id}: {one_line(action['declared_goal'])}"
    approval = action.get("approval")
    if approval and "votes" in approval and action["status"] == "pending_approval":
        text += f"\n{_given(approval)} approvals, needs {_missing(approval)}"
    output.result(found, text)
