"""Threads that send to other machines, counted by whom they send for, and how long to wait after a failure."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable

FIRST_PAUSE, PAUSE_FACTOR, LONGEST_PAUSE = 10.0, 3.0, 4 * 3600.0
GRACE_SECONDS = 2.0


def pause_after(failures: int, luck: float, first: float = FIRST_PAUSE, longest: float = LONGEST_PAUSE) -> float:
    """Seconds until the next attempt: 10, 30, 90 … up to 4 hours, less up to a quarter by luck (0..1)."""
    return min(longest, first * PAUSE_FACTOR ** min(failures - 1, 12)) * (1 - luck / 4)


class Senders:
    """Starts each piece of work in a thread of its own; `finished` is called whenever one is done."""

    def __init__(self, name: str, finished: Callable[[], None]) -> None:
        self._name = name
        self._finished = finished
        self._changed = threading.Condition()
        self._busy: Counter[str] = Counter()
        self.closed = False

    def busy(self) -> Counter[str]:
        """How many threads work for whom."""
        with self._changed:
            return Counter(self._busy)

    def start(self, whom: str, work: Callable[[], None]) -> None:
        """Begin, unless it is closed."""
        with self._changed:
            if self.closed:
                return
            self._busy[whom] += 1
        threading.Thread(target=self._run, args=(whom, work), name=self._name, daemon=True).start()

    def settle(self, seconds: float) -> bool:
        """Wait until nothing is being sent; false when that takes longer."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._busy, seconds)

    def close(self) -> None:
        """Start nothing more, and give what is being sent two seconds."""
        with self._changed:
            self.closed = True
        self.settle(GRACE_SECONDS)

    def _run(self, whom: str, work: Callable[[], None]) -> None:
        try:
            work()
        finally:
            with self._changed:
                self._busy -= Counter({whom: 1})
                self._changed.notify_all()
            self._finished()
