"""`dashclaw watch`: decisions, approvals and signals as they happen."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from itertools import chain
from typing import TYPE_CHECKING

from dashclaw.errors import ConfigurationError

from .arguments import Commands, connection, seconds, whole
from .backlog import Backlog
from .connection import connect
from .happenings import DECISION, DECISIONS, KINDS, Happening, Wanted, names_of, read
from .listening import CONNECTED, DISCONNECTED
from .output import Output, utc_stamp
from .terminal import interactive
from .watch_lines import printer

if TYPE_CHECKING:
    from dashclaw import DashClaw

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def add(commands: Commands) -> None:
    """Add the command to the command line."""
    found = commands.command(
        "watch",
        run,
        "show decisions, approvals and signals as they happen, until interrupted",
        options=connection(),
        example="dashclaw watch --since 1h --decision block --timeout 1 --db dashclaw.db",
    )
    found.add_argument(
        "--only",
        choices=KINDS,
        action="append",
        metavar="KIND",
        help="only decision, approval or signal; may come again",
    )
    found.add_argument("--agent", action="append", metavar="ID", help="only of this agent, or a glob; may come again")
    found.add_argument("--type", action="append", metavar="TYPE", help="only of this action type, or a glob")
    found.add_argument(
        "--decision",
        choices=DECISIONS,
        action="append",
        metavar="DECISION",
        help="only decisions to allow, warn, require_approval or block; may come again",
    )
    found.add_argument("--min-risk", type=whole(0, 100), default=0, metavar="N", help="only of this risk and above")
    begin = found.add_mutually_exclusive_group()
    begin.add_argument(
        "--since", type=moment, metavar="TIME", help="from then on: 10m, 2h, 1d ago, or an ISO-8601 time"
    )
    begin.add_argument(
        "--after", type=whole(0, 2**62), metavar="EVENT_ID", help="go on after this event, as --json told"
    )
    found.add_argument("--timeout", type=seconds, metavar="SECONDS", help="end when nothing came for so long")
    found.add_argument("--screen", action="store_true", help='a full screen, for which the extra "cli" is needed')


def moment(text: str) -> str:
    """An argument type: a time, or how long ago it is."""
    ago = re.fullmatch(r"(\d{1,9})([smhd])", text)
    try:
        if ago:
            found = datetime.now(timezone.utc) - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        else:
            found = datetime.fromisoformat(text.replace("Z", "+00:00"))
            found = found if found.tzinfo else found.astimezone()
        return utc_stamp(found)
    except (ValueError, OverflowError):
        raise argparse.ArgumentTypeError(f"{text!r} is no time: 10m, 2h, 1d, or 2026-01-31T12:00:00Z") from None


def run(options: argparse.Namespace, output: Output) -> None:
    """Tell what happens."""
    kinds = tuple(options.only or ((DECISION,) if options.decision else KINDS))
    wanted = Wanted(
        kinds, tuple(options.agent or ()), tuple(options.type or ()), tuple(options.decision or ()), options.min_risk
    )
    if options.screen and (options.json or not interactive()):
        raise ConfigurationError("--screen needs a terminal, and is not for --json")
    with connect(options) as client:
        past = Backlog(client, since=options.since, after=options.after)
        if options.screen:
            from .watch_screen import follow

            follow(client, wanted, past, options.timeout)
        else:
            _lines(client, wanted, past, options.timeout, output)


def _lines(client: DashClaw, wanted: Wanted, past: Backlog, timeout: float | None, output: Output) -> None:
    show = printer(output)
    output.say("Watching; Ctrl-C ends it.")
    for found in chain(past, _live(client, wanted, past, timeout, output)):
        if wanted.lets(found):
            show(found)


def _live(
    client: DashClaw, wanted: Wanted, past: Backlog, timeout: float | None, output: Output
) -> Iterator[Happening]:
    """What happens from now on, resumed where a connection broke."""
    names = [*names_of(wanted.kinds), CONNECTED, DISCONNECTED]
    lost = False
    for event in client.events(types=names, after=past.cursor, timeout=timeout):
        if event["event"] == DISCONNECTED:
            lost = True
            output.say("connection lost; trying again")
        elif event["event"] == CONNECTED:
            if lost:
                output.say("connected again")
            lost = False
        elif found := read(event, utc_stamp()):
            yield found
