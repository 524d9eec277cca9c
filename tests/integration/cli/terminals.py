"""A program in a real pseudo-terminal: keys go in, a screen is read, the window may be resized."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pyte

SECONDS = 30
COMMAND = (sys.executable, "-m", "dashclaw")
# The terminal becomes that of the program's session, so that Ctrl-C and a new size reach it as signals.
_TAKE_TERMINAL = (
    "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execvp(sys.argv[1], sys.argv[1:])"
)


class Program:
    """What runs in the terminal, and what it shows."""

    def __init__(self, ours: int, theirs: int, process: subprocess.Popen[bytes], rows: int, columns: int) -> None:
        self._ours = ours
        self._theirs = theirs
        self.process = process
        self._screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self._screen)
        self.raw = b""
        self.before = termios.tcgetattr(theirs)

    @property
    def shown(self) -> str:
        """The screen as text."""
        return "\n".join(line.rstrip() for line in self._screen.display)

    def _read(self, seconds: float) -> bool:
        ready, _, _ = select.select([self._ours], [], [], max(0.0, seconds))
        if not ready:
            return False
        data = os.read(self._ours, 65536)
        self.raw += data
        self._stream.feed(data)
        return bool(data)

    def until(self, what: str | Callable[[str], Any], *, seconds: float = SECONDS) -> str:
        """Read until the screen shows a text, or a function of the screen is true; returns the screen."""
        holds = (lambda screen: what in screen) if isinstance(what, str) else what
        deadline = time.monotonic() + seconds
        while not holds(self.shown):
            left = deadline - time.monotonic()
            assert left > 0, f"not shown: {what!r}\n{self.shown}"
            self._read(left)
        # A frame may arrive in pieces.
        while self._read(0.05):
            pass
        return self.shown

    def type(self, keys: str) -> None:
        """Type keys."""
        os.write(self._ours, keys.encode())

    def resize(self, rows: int, columns: int) -> None:
        """Give the window another size."""
        self._screen.resize(rows, columns)
        _set_size(self._theirs, rows, columns)

    def ended(self) -> int:
        """The exit code, once the program has ended."""
        deadline = time.monotonic() + SECONDS
        while self.process.poll() is None:
            assert time.monotonic() < deadline, f"still runs\n{self.shown}"
            self._read(0.05)
        while self._read(0):
            pass
        return self.process.returncode

    def restored(self) -> bool:
        """Whether the terminal is as it was: echo and lines, the usual screen, the cursor."""
        usual = self.raw.rfind(b"\x1b[?1049l") >= self.raw.rfind(b"\x1b[?1049h")
        cursor = self.raw.rfind(b"\x1b[?25h") >= self.raw.rfind(b"\x1b[?25l")
        return usual and cursor and termios.tcgetattr(self._theirs) == self.before


def _set_size(terminal: int, rows: int, columns: int) -> None:
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


@contextmanager
def program(
    *words: str, rows: int = 40, columns: int = 120, command: tuple[str, ...] = COMMAND, **environment: str
) -> Iterator[Program]:
    """A program that runs in a terminal until the block ends."""
    ours, theirs = pty.openpty()
    _set_size(theirs, rows, columns)
    known = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "COLUMNS", "LINES")}
    process = subprocess.Popen(
        [sys.executable, "-c", _TAKE_TERMINAL, *command, *words],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        env={**known, "TERM": "xterm-256color", **environment},
    )
    try:
        yield Program(ours, theirs, process, rows, columns)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
        process.wait()
        os.close(ours)
        os.close(theirs)
