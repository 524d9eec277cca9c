"""A terminal that gives single keys, and is put back as it was however that ends."""

from __future__ import annotations

import codecs
import os
import re
import select
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

# What a terminal sends for the keys that are no letters.
_SEQUENCE = re.compile(r"\x1b(?:\[[0-9;?]*[ -/]*[@-~]|O[@-~])|\x1b(?:\[[0-9;?]*$|O$)?|.", re.DOTALL)
_NAMES = {
    "\x1b": "escape",
    "\r": "enter",
    "\n": "enter",
    "\x7f": "backspace",
    "\b": "backspace",
    "\x15": "clear",
    "\x1b[A": "up",
    "\x1bOA": "up",
    "\x1b[B": "down",
    "\x1bOB": "down",
}
_DUMB = ("", "dumb", "unknown")
_ENDS = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))


def interactive() -> bool:
    """Whether a person sits at both ends, at a terminal that can be drawn on."""
    if os.environ.get("TERM", "") in _DUMB or not (sys.stdin.isatty() and sys.stdout.isatty()):
        return False
    try:
        import termios  # noqa: F401
    except ImportError:  # Windows
        return False
    return True


class Keys:
    """Turns what a terminal sends into keys: a letter for a letter, else a name such as `enter` or `up`."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("ignore")

    def feed(self, data: bytes) -> list[str]:
        """The keys in what was read; those without a meaning are left out."""
        found = (_NAMES.get(key, key) for key in _SEQUENCE.findall(self._decoder.decode(data)))
        return [key for key in found if key in _NAMES.values() or key.isprintable()]


class Terminal:
    """The keys of the terminal at stdin, until the block of `opened` ends."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._keys = Keys()

    @classmethod
    @contextmanager
    def opened(cls, on_resize: Callable[[], Any]) -> Iterator[Terminal]:
        """Take keys without waiting for Enter. Ctrl-C still interrupts; a request to end the process ends the block.

        `on_resize` is called from a signal handler.
        """
        import termios

        fd = sys.stdin.fileno()
        before = termios.tcgetattr(fd)
        handlers = {number: signal.signal(number, _leave) for number in _ENDS}
        handlers[signal.SIGWINCH] = signal.signal(signal.SIGWINCH, lambda *_: on_resize())
        try:
            termios.tcsetattr(fd, termios.TCSAFLUSH, _single_keys(before))
            yield cls(fd)
        finally:
            # What was typed and not read was meant for this program, not for the shell.
            termios.tcsetattr(fd, termios.TCSAFLUSH, before)
            for number, handler in handlers.items():
                signal.signal(number, handler)

    def wait(self, wakes: int, seconds: float) -> list[str]:
        """The keys that come within some seconds; ends early, maybe with none, when `wakes` is readable."""
        ready, _, _ = select.select([self._fd, wakes], [], [], max(0.0, seconds))
        if self._fd not in ready:
            return []
        data = os.read(self._fd, 4096)
        if not data:
            raise EOFError("The terminal is gone")
        return self._keys.feed(data)


def _single_keys(before: list[Any]) -> list[Any]:
    import termios

    after = [*before[:6], list(before[6])]
    after[3] &= ~(termios.ICANON | termios.ECHO)
    after[6][termios.VMIN], after[6][termios.VTIME] = 1, 0
    # A stopped program would leave its screen behind.
    after[6][termios.VSUSP] = b"\x00"
    return after


def _leave(number: int, _: object) -> None:
    sys.exit(128 + number)
