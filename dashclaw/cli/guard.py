"""`dashclaw guard`: ask what the guard would say."""

from __future__ import annotations

import argparse
from typing import Any

from .arguments import Commands, connection, whole
from .connection import connect
from .output import Output, one_line

EXIT_CODES = {"allow": 0, "warn": 0, "require_approval": 3, "block": 4}


def add(commands: Commands) -> None:
    """Add the command to the command line."""
    found = commands.command(
        "guard",
        ask,
        "ask what the guard says about an action; the exit code tells it as well",
        options=connection(),
        example='dashclaw guard deploy --risk 85 --goal "Ship it" --db dashclaw.db',
    )
    found.add_argument("action_type", metavar="ACTION_TYPE", help="what would be done, for example deploy")
    found.add_argument("--risk", type=whole(0, 100), metavar="0..100", help="the risk score the agent claims")
    found.add_argument("--goal", metavar="TEXT", help="what it is for")
    found.add_argument("--agent", metavar="ID", help="who would do it")
    found.add_argument("--system", metavar="NAME", action="append", help="a system it touches; may be repeated")
    found.add_argument("--irreversible", action="store_true", help="it cannot be undone")


def ask(options: argparse.Namespace, output: Output) -> int:
    """Print the decision with its reasons; the exit code tells it as well."""
    context: dict[str, Any] = {"action_type": options.action_type}
    given = {"risk_score": options.risk, "declared_goal": options.goal, "agent_id": options.agent}
    context |= {name: value for name, value in given.items() if value is not None}
    if options.system:
        context["systems_touched"] = options.system
    if options.irreversible:
        context["reversible"] = False
    with connect(options) as client:
        found = client.guard(context)
    lines = [f"{found['decision']}  (risk {found.get('risk_score')})"]
    lines += [f"  {one_line(reason)}" for reason in [*found.get("reasons", []), *found.get("warnings", [])]]
    output.result(found, "\n".join(lines))
    return EXIT_CODES.get(found["decision"], 4)
