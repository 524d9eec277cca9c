"""`dashclaw approvals`: see what waits for a person, and decide."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any

from dashclaw import DashClaw

from .arguments import Commands, connection, seconds
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
    found = group.command(
        "watch",
        watch,
        "show what waits and what comes to wait, a line each, until interrupted",
        options=connection(),
        example="dashclaw approvals watch --timeout 1 --db dashclaw.db",
    )
    found.add_argument("--timeout", type=seconds, metavar="SECONDS", help="end when nothing came for so long")
    for verb, decision in (("approve", "allow"), ("deny", "deny")):
        found = group.command(
            verb,
            decide,
            f"{verb} an action that waits",
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
            row["declared_goal"],
        )
        for row in actions
    ]
    return table(("action id", "agent", "type", "risk", "age", "goal"), rows, "Nothing waits for approval.")


def show(options: argparse.Namespace, output: Output) -> None:
    """Print one action."""
    with connect(options) as client:
        found = client.get_action(options.action_id)
    output.result(found, fields(found["action"], _SHOWN))


def decide(options: argparse.Namespace, output: Output) -> None:
    """Approve or deny."""
    with connect(options) as client:
        found = client.approve_action(options.action_id, options.decision, options.reason)
    verb = "Approved" if options.decision == "allow" else "Denied"
    output.result(found, f"{verb} {options.action_id}: {one_line(found['action']['declared_goal'])}")


def watch(options: argparse.Namespace, output: Output) -> None:
    """Print each action that comes to wait, until interrupted or the time is over."""
    with connect(options) as client:
        output.say("Watching for actions that wait for a person; Ctrl-C ends it.")
        for action in waiting(client, options.timeout):
            words = ("action_id", "agent_id", "action_type", "declared_goal")
            output.line(action, "  ".join(one_line(action[word]) for word in words))


def waiting(client: DashClaw, timeout: float | None) -> Iterator[Mapping[str, Any]]:
    """What waits, then what comes to wait, each once.

    What waits is asked for again whenever the stream connects, so nothing is missed between the two.
    """
    seen = set()
    for action in chain(_pending(client), _announced(client, timeout)):
        if action["action_id"] not in seen:
            seen.add(action["action_id"])
            yield action


def _pending(client: DashClaw) -> list[Any]:
    return client.get_pending_approvals(limit=_PAGE)["actions"][::-1]


def _announced(client: DashClaw, timeout: float | None) -> Iterator[Mapping[str, Any]]:
    for event in client.events(types=["connected", "action.created"], timeout=timeout):
        if event["event"] == "connected":
            yield from _pending(client)
        elif event["data"].get("status") == "pending_approval":
            yield event["data"]
