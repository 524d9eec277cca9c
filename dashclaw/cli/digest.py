"""`dashclaw digest`: what happened on a day."""

from __future__ import annotations

import argparse

from .arguments import Commands, connection
from .connection import connect
from .output import Output, table


def add(commands: Commands) -> None:
    """Add the command to the command line."""
    found = commands.command(
        "digest",
        show,
        "show what happened on a day",
        options=connection(),
        example="dashclaw digest --agent researcher --db dashclaw.db",
    )
    found.add_argument("date", metavar="DATE", nargs="?", help="a day such as 2026-01-31 (UTC); without it, today")
    found.add_argument("--agent", metavar="ID", help="only what this agent did")


def show(options: argparse.Namespace, output: Output) -> None:
    """Print the counts of the day and what its newest actions were."""
    with connect(options) as client:
        found = client.request("GET", "/api/digest", query={"date": options.date, "agent_id": options.agent})
    parts = found["digest"]
    kinds = [(name, part["total"]) for name, part in parts.items() if part.get("total")]
    text = [f"{found['date']}: {found['summary']['total_activities']} activities", ""]
    text.append(table(("kind", "count"), kinds, "Nothing happened."))
    tokens = parts["tokens"]
    if tokens["reports"]:
        used = tokens["tokens_in"] + tokens["tokens_out"]
        text += ["", f"{used:,} tokens in {tokens['reports']:,} reports, {tokens['cost_usd']:.4f} USD"]
    rows = [
        (row["timestamp_start"][11:19], row["agent_id"], row["action_type"], row["status"], row["declared_goal"])
        for row in parts["actions"]["items"]
    ]
    if rows:
        text += ["", table(("time", "agent", "action", "status", "goal"), rows, "")]
    output.result(found, "\n".join(text))
