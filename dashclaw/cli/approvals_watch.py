"""`dashclaw approvals watch`: what waits for a person, on a screen that takes decisions or a line each."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from contextlib import closing
from itertools import chain
from typing import TYPE_CHECKING, Any

from dashclaw.errors import MissingExtraError

from .arguments import Commands, connection, seconds, whole
from .connection import connect
from .output import Output, one_line
from .terminal import interactive

if TYPE_CHECKING:
    from dashclaw import DashClaw

_PAGE = 200
_SHOWN = ("action_id", "agent_id", "action_type", "declared_goal")


def add_watch(group: Commands) -> None:
    """Add the command to the group."""
    found = group.command(
        "watch",
        watch,
        "show what waits and what comes to wait, until interrupted; in a terminal, decide about it with single keys",
        options=connection(),
        example="dashclaw approvals watch --timeout 1 --db dashclaw.db",
    )
    found.add_argument("--timeout", type=seconds, metavar="SECONDS", help="end when nothing came for so long")
    found.add_argument("--agent", metavar="ID", help="only of this agent")
    found.add_argument("--type", dest="action_type", metavar="TYPE", help="only of this type")
    found.add_argument("--min-risk", type=whole(0, 100), default=0, metavar="N", help="only of this risk and above")
    found.add_argument("--lines", action="store_true", help="a line each in a terminal too")


def watch(options: argparse.Namespace, output: Output) -> None:
    """Let a person decide, or print each action that comes to wait."""
    with connect(options) as client:
        if not (options.json or options.lines) and interactive():
            try:
                return _decide(client, options)
            except MissingExtraError as missing:
                output.say(f"{missing.message}; a line each until then")
        elif not (options.json or options.lines):
            output.say("This is no terminal, so there are no keys to decide with: dashclaw approvals approve, deny.")
        return _lines(client, options, output)


def _decide(client: DashClaw, options: argparse.Namespace) -> None:
    from .approvals_desk import HEARS, Desk
    from .listening import Listener
    from .screen import opened, run

    desk = Desk(client, lambda action: _wanted(options, action), timeout=options.timeout)
    desk.load()
    with closing(Listener(client, HEARS)) as listener, opened(listener) as screen:
        run(desk, screen, listener)


def _wanted(options: argparse.Namespace, action: Mapping[str, Any]) -> bool:
    return (
        options.agent in (None, action["agent_id"])
        and options.action_type in (None, action["action_type"])
        and (action["risk_score"] or 0) >= options.min_risk
    )


def _lines(client: DashClaw, options: argparse.Namespace, output: Output) -> None:
    output.say("Watching for actions that wait for a person; Ctrl-C ends it.")
    for action in waiting(client, options.timeout):
        if _wanted(options, action):
            output.line(action, "  ".join(one_line(action[word]) for word in _SHOWN))


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
