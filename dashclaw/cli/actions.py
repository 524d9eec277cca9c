"""`dashclaw actions`: what agents did."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

from .arguments import Commands, connection, whole
from .connection import connect
from .output import Output, age, fields, one_line, table

_SHOWN = (
    "action_id",
    "status",
    "resolution",
    "agent_id",
    "action_type",
    "declared_goal",
    "risk_score",
    "reversible",
    "systems_touched",
    "output_summary",
    "error_message",
    "duration_ms",
    "timestamp_start",
    "timestamp_end",
    "approval",
    "decision_id",
)


def add(commands: Commands) -> None:
    """Add the group to the command line."""
    group = commands.group("actions", "what agents did")
    found = group.command(
        "list",
        list_actions,
        "show the latest actions",
        options=connection(),
        example="dashclaw actions list --status completed --limit 5 --db dashclaw.db",
    )
    found.add_argument("--status", metavar="STATUS", help="only these: running, pending_approval, completed, failed, …")
    found.add_argument("--agent", metavar="ID", help="only of this agent")
    found.add_argument("--type", dest="action_type", metavar="TYPE", help="only of this type")
    found.add_argument("--limit", type=whole(1, 1000), default=20, metavar="N", help="at most so many (20)")
    for name, run, text in (
        ("show", show, "show one action with its loops and assumptions"),
        ("trace", trace, "show what an action hangs together with"),
    ):
        found = group.command(
            name,
            run,
            text,
            options=connection(),
            example=f"dashclaw actions {name} act_123 --db dashclaw.db",
            listing="dashclaw actions list",
        )
        found.add_argument("action_id", metavar="ACTION_ID", help="its id")


def list_actions(options: argparse.Namespace, output: Output) -> None:
    """Print the latest actions."""
    filters = {"status": options.status, "agent_id": options.agent, "action_type": options.action_type}
    given = {name: value for name, value in filters.items() if value is not None}
    with connect(options) as client:
        found = client.get_actions(limit=options.limit, **given)
    output.result(found, actions_table(found["actions"]) + f"\n{found['total']} in total")


def actions_table(actions: Any) -> str:
    """A line per action."""
    rows = [
        (
            row["action_id"],
            row["agent_id"],
            row["action_type"],
            row.get("resolution") or row["status"],
            row["risk_score"],
            row["duration_ms"],
            age(row["timestamp_start"]),
            row["declared_goal"],
        )
        for row in actions
    ]
    return table(("action id", "agent", "type", "state", "risk", "ms", "age", "goal"), rows, "No actions.")


def show(options: argparse.Namespace, output: Output) -> None:
    """Print one action with its loops and assumptions."""
    with connect(options) as client:
        found = client.get_action(options.action_id)
    lines = [fields(found["action"], _SHOWN)]
    lines += [f"loop {row['status']}: {one_line(row['description'])}" for row in found["open_loops"]]
    lines += [f"assumption: {one_line(row['assumption'])}" for row in found["assumptions"]]
    output.result(found, "\n".join(lines))


def trace(options: argparse.Namespace, output: Output) -> None:
    """Print what an action hangs together with."""
    with connect(options) as client:
        found = client.get_action_trace(options.action_id)
    output.result(found, trace_text(found))


def trace_text(found: Mapping[str, Any]) -> str:
    """The action, then each part of its trace that is not empty."""
    parts = found["trace"]
    lines = [fields(found["action"], _SHOWN)]
    for title, name in (("Parents", "parent_chain"), ("Sub-actions", "sub_actions"), ("Related", "related_actions")):
        if parts[name]:
            lines += ["", title, actions_table(parts[name])]
    for indicator in parts["root_cause_indicators"]:
        lines += [
            "",
            f"{indicator['severity']}: {indicator['type']} ({indicator['count']}): {one_line(indicator['detail'])}",
        ]
    return "\n".join(lines)
