"""`dashclaw top`: the agents now, again and again."""

from __future__ import annotations

import argparse
import time
from contextlib import closing
from typing import TYPE_CHECKING

from dashclaw._inert import inert

from .arguments import Commands, connection, seconds
from .connection import connect
from .fleet import SORTS, Fleet, gather, ordered
from .fleet_table import COLUMNS, cells, plain, summary
from .listening import Failed, Poller
from .output import Output
from .screen import TICK_SECONDS, colours, opened
from .screen import run as live
from .terminal import interactive

if TYPE_CHECKING:
    from rich.console import RenderableType

_KEYS = {
    "n": "name",
    "r": "running",
    "w": "waiting",
    "d": "decisions",
    "b": "blocked",
    "c": "cost",
    "s": "signals",
    "h": "heard",
}
_STYLES = {"online": "green", "silent": "yellow", "offline": "dim"}
_HELP = (
    "sort: n name  r running  w waiting  d decisions  b blocked  c cost  s signals  h heard, again: backwards   q quit"
)


def add(commands: Commands) -> None:
    """Add the command to the command line."""
    found = commands.command(
        "top",
        run,
        'show the agents with what they do, until interrupted; a full screen needs the extra "cli"',
        options=connection(),
        example="dashclaw top --once --sort cost --db dashclaw.db",
    )
    found.add_argument("--sort", choices=tuple(SORTS), default="decisions", help="by what (decisions)")
    found.add_argument("--interval", type=seconds, default=2.0, metavar="SECONDS", help="from one look to the next (2)")
    found.add_argument("--minutes", type=seconds, default=5.0, metavar="N", help="decisions of the last so many (5)")
    found.add_argument("--once", action="store_true", help="look once and end; so it is without a terminal")


def run(options: argparse.Namespace, output: Output) -> None:
    """Show the agents once, on a screen, or as a JSON line per look."""
    with connect(options) as client:
        if not (options.once or options.json) and interactive():
            colours()
            first = gather(client, options.minutes)
            poller = Poller(lambda: gather(client, options.minutes), options.interval)
            with closing(poller), opened(poller) as screen:
                live(Board(first, options.sort), screen, poller)
            return
        while True:
            fleet = gather(client, options.minutes)
            agents = ordered(fleet.agents, options.sort)
            output.line(fleet._replace(agents=agents).document, plain(fleet, agents))
            if options.once or not options.json:
                return
            time.sleep(options.interval)


class Board:
    """The view of `dashclaw top`; see `screen.View`."""

    def __init__(self, fleet: Fleet, sort: str) -> None:
        self._fleet = fleet
        self._sort = sort
        self._backwards = False
        self._failure = ""

    def hear(self, found: Fleet | Failed) -> None:
        """Take the newest look, or why there is none."""
        if isinstance(found, Failed):
            self._failure = found.message
        else:
            self._fleet, self._failure = found, ""

    def tick(self) -> float | None:
        """The ages grow."""
        return TICK_SECONDS

    def press(self, key: str) -> bool:
        """Sort otherwise, or end."""
        if key in _KEYS:
            self._backwards = not self._backwards if _KEYS[key] == self._sort else False
            self._sort = _KEYS[key]
        return key != "q"

    def draw(self) -> RenderableType:
        """Sums, the agents, the signals, the keys."""
        from rich.layout import Layout
        from rich.text import Text

        head = Text("dashclaw top  ", "bold").append(summary(self._fleet), "not bold")
        if self._failure:
            head = Text(f"no answer, what you see is old: {inert(self._failure)}", "bold red")
        layout = Layout()
        signals = self._signals()
        layout.split_column(
            Layout(head, size=2),
            Layout(self._agents()),
            Layout(Text(signals, no_wrap=True, overflow="ellipsis"), size=signals.count("\n") + 1),
            Layout(Text(_HELP, "reverse"), size=2),
        )
        return layout

    def _agents(self) -> RenderableType:
        from rich.table import Table
        from rich.text import Text

        found = Table(box=None, padding=(0, 1), expand=True)
        for name in COLUMNS:
            marked = f"{name} {'▲' if self._backwards else '▼'}" if _heads(name, self._sort) else name
            number = name not in ("agent", "presence", "signals")
            found.add_column(marked.upper(), justify="right" if number else "left", no_wrap=True, overflow="ellipsis")
        for agent in ordered(self._fleet.agents, self._sort, self._backwards):
            texts = [Text(inert(cell)) for cell in cells(agent, self._fleet.minutes)]
            texts[1].stylize(_STYLES.get(agent.presence, ""))
            texts[4].stylize("bold yellow" if agent.waiting else "")
            texts[-1].stylize("bold red" if agent.red else "yellow" if agent.amber else "")
            found.add_row(*texts)
        return found

    def _signals(self) -> str:
        lines = [f"{row['severity']}: {row['label']}: {row['detail']}" for row in self._fleet.signals[:3]]
        return "\n".join(" ".join(inert(line).split()) for line in lines)


def _heads(column: str, sort: str) -> bool:
    return {"agent": "name", "per min": "decisions", "block": "blocked"}.get(column, column) == sort
