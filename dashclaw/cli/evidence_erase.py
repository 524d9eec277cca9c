"""`dashclaw evidence erase`: take what was written about an action out of the record."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from typing import Any

from dashclaw.errors import ConfigurationError

from .arguments import Commands, connection
from .connection import connect
from .output import Output


def add(group: Commands) -> None:
    """Add the command to the group."""
    found = group.command(
        "erase",
        erase,
        "take what was written about an action out of the record; the chain still verifies",
        options=connection(),
        example='dashclaw evidence erase act_122 --reason "Request 4711" --yes --db dashclaw.db',
        listing="dashclaw actions list --status completed",
    )
    found.add_argument("action_id", metavar="ACTION", nargs="?", help="the id of an action that has ended")
    found.add_argument("--decision", metavar="ID", help="instead: a decision that has no action")
    found.add_argument(
        "--event", metavar="ID", type=int, action="append", help="instead: the data of this event; may be repeated"
    )
    found.add_argument("--reason", required=True, metavar="TEXT", help="why; it is recorded, so name nobody in it")
    found.add_argument(
        "--field", metavar="NAME", action="append", help="only this field, for example declared_goal; may be repeated"
    )
    found.add_argument("--yes", action="store_true", help="do not ask")


def erase(options: argparse.Namespace, output: Output) -> int | None:
    """Erase once the person has confirmed it, and print what went; returns 1 when nothing was confirmed."""
    given = {"action_id": options.action_id, "decision_id": options.decision, "event_ids": options.event}
    target = {name: value for name, value in given.items() if value is not None}
    if len(target) != 1:
        raise ConfigurationError("Give exactly one: ACTION, --decision ID or --event ID")
    body = {**target, "reason": options.reason}
    if options.field:
        body["fields"] = options.field
    if not options.yes and not _confirmed(output, target):
        output.say("Nothing was erased.")
        return 1
    with connect(options) as client:
        found = client.request("POST", "/api/evidence/erase", body=body)
    output.result(found, _told(found))
    return None


def _confirmed(output: Output, target: Mapping[str, Any]) -> bool:
    if not sys.stdin.isatty():
        raise ConfigurationError("Erasing cannot be undone: add --yes where nobody can be asked")
    ((name, value),) = target.items()
    what = {"action_id": "the action", "decision_id": "the decision", "event_ids": "the events"}[name]
    output.say(f"This erases the text of {what} {_ids(value)} for good. Type yes to go on:")
    return sys.stdin.readline().strip().lower() == "yes"


def _ids(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _told(found: Mapping[str, Any]) -> str:
    if found["erased"]:
        parts = [_counted(found["events"], "entries"), *(_counted(n, name) for name, n in found["records"].items())]
        lines = [f"Erased the text of {', '.join(parts)}."]
        lines.append(f"The chain says so in the name of {found['by']['name'] or found['by']['id']}.")
    else:
        lines = ["There was nothing left to erase."]
    if found["already_erased"]:
        count = sum(last - first + 1 for first, last in found["already_erased"])
        lines.append(f"Erased before: the text of {_counted(count, 'entries')}.")
    if found["same_body"]:
        lines.append(f"Asked for in the very same words, and not erased: {', '.join(found['same_body'])}")
    for named in found["also_named_in"]:
        lines.append(f"Named in event {named['id']} ({named['event']}), which was not erased: --event {named['id']}")
    return "\n".join(lines)


def _counted(count: int, name: str) -> str:
    one = name[:-3] + "y" if name.endswith("ies") else name[:-1]
    return f"{count} {(one if count == 1 else name).replace('_', ' ')}"
