"""A full screen: what is drawn, the keys, and what comes meanwhile, in one loop."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from dashclaw.errors import MissingExtraError

from .listening import Bell
from .terminal import Terminal

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.live import Live

# Times are shown in seconds.
TICK_SECONDS = 1.0
MISSING = 'A full screen needs the extra "cli" ({} is missing): pip install "dashclaw[cli]"'


class View(Protocol):
    """What a screen shows. `press` returns false to end, `draw` returns something of rich."""

    def press(self, key: str) -> bool:
        """Do what a key asks for."""

    def hear(self, event: Any) -> None:
        """Take in what came: an event of the stream, or an answer."""

    def tick(self) -> float | None:
        """Do what time asks for; returns in how many seconds it may have to be asked again, None to end."""

    def draw(self) -> RenderableType:
        """The whole screen."""


class Screen:
    """The window: `show` draws it anew."""

    def __init__(self, live: Live, terminal: Terminal) -> None:
        self._live = live
        self.terminal = terminal

    def show(self, view: View) -> None:
        """Draw."""
        self._live.update(view.draw(), refresh=True)


def colours() -> Console:
    """A console for lines in colour; raises `MissingExtraError` without rich."""
    try:
        from rich.console import Console
    except ImportError as error:
        raise MissingExtraError(MISSING.format(error.name)) from error
    return Console(highlight=False, emoji=False, markup=False)


@contextmanager
def opened(bell: Bell) -> Iterator[Screen]:
    """Take over the terminal until the block ends; raises `MissingExtraError` without rich."""
    console = colours()
    from rich.live import Live

    with Terminal.opened(bell.ring) as terminal:
        live = Live(console=console, screen=True, auto_refresh=False, redirect_stdout=False, redirect_stderr=False)
        with live:
            yield Screen(live, terminal)


def run(view: View, screen: Screen, bell: Bell) -> None:
    """Let a view live until it ends itself; an interruption passes."""
    while True:
        for event in bell.take():
            view.hear(event)
        seconds = view.tick()
        if seconds is None:
            return
        screen.show(view)
        for key in screen.terminal.wait(bell.wakes, seconds):
            if not view.press(key):
                return
