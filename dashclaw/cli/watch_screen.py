"""`dashclaw watch --screen`: the newest happenings on a full screen."""

from __future__ import annotations

import time
from collections import Counter, deque
from contextlib import closing
from typing import TYPE_CHECKING

from .happenings import DECISION, Happening, Wanted, names_of, read
from .listening import CONNECTED, DISCONNECTED, Listener
from .output import utc_stamp
from .screen import TICK_SECONDS, colours, opened, run
from .watch_lines import line, style

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType, RenderResult

    from dashclaw import DashClaw
    from dashclaw.types import ServerEvent

    from .backlog import Backlog

_KEPT = 500


def follow(client: DashClaw, wanted: Wanted, past: Backlog, timeout: float | None) -> None:
    """Show what happens until the person leaves; raises `MissingExtraError` without rich."""
    colours()
    board = Board(wanted, timeout)
    for found in past:
        board.add(found)
    listener = Listener(client, names_of(wanted.kinds), past.cursor)
    with closing(listener), opened(listener) as screen:
        run(board, screen, listener)


class Board:
    """The newest happenings, and how often which decision was made; see `screen.View`."""

    def __init__(self, wanted: Wanted, timeout: float | None) -> None:
        self._wanted = wanted
        self._timeout = timeout
        self._found: deque[Happening] = deque(maxlen=_KEPT)
        self._frozen: list[Happening] | None = None
        self._mix: Counter[str] = Counter()
        self._connected = True
        self._heard = time.monotonic()

    def add(self, found: Happening) -> None:
        """Take a happening, if it is wanted."""
        if self._wanted.lets(found):
            self._found.append(found)
            if found.kind == DECISION:
                self._mix[found.state] += 1

    def hear(self, event: ServerEvent) -> None:
        """Take what came."""
        self._heard = time.monotonic()
        if event["event"] in (CONNECTED, DISCONNECTED):
            self._connected = event["event"] == CONNECTED
        elif found := read(event, utc_stamp()):
            self.add(found)

    def tick(self) -> float | None:
        """End after the silence that was asked for."""
        silent = self._timeout is not None and time.monotonic() - self._heard >= self._timeout
        return None if silent else TICK_SECONDS

    def press(self, key: str) -> bool:
        """`p` stops and goes on, `c` clears, `q` ends."""
        if key == "p":
            self._frozen = None if self._frozen is not None else list(self._found)
        elif key == "c":
            self._found.clear()
            self._mix.clear()
        return key != "q"

    def draw(self) -> RenderableType:
        """Counts above, the newest below as many as fit, then the keys."""
        from rich.layout import Layout
        from rich.text import Text

        head = Text("dashclaw watch  ", "bold")
        for state, count in self._mix.most_common():
            head.append(f"{state} {count}  ", style(state))
        if not self._connected:
            head.append("no connection: trying again", "bold red")
        keys = Text("p go on   " if self._frozen is not None else "p pause   ", "reverse").append("c clear   q quit")
        layout = Layout()
        layout.split_column(
            Layout(head, size=1), Layout(_Tail(self._frozen or list(self._found))), Layout(keys, size=1)
        )
        return layout


class _Tail:
    """The last lines, as many as there is room for."""

    def __init__(self, found: list[Happening]) -> None:
        self._found = found

    def __rich_console__(self, _: Console, options: ConsoleOptions) -> RenderResult:
        from rich.text import Text

        room = options.height or len(self._found)
        for found in self._found[-room:]:
            text = Text(line(found), no_wrap=True, overflow="ellipsis")
            text.highlight_words([found.state], style(found.state))
            yield text
