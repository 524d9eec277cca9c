"""How often somebody may try to sign in."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable

from dashclaw.runtime.problems import Problem

MOST = 10
WINDOW_SECONDS = 300.0
_MOST_KNOWN = 10_000


class Attempts:
    """Failures per name (an address, an e-mail) in a window; after so many of them the name waits until it ends."""

    def __init__(
        self, most: int = MOST, seconds: float = WINDOW_SECONDS, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._most = most
        self._seconds = seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._failed: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def check(self, *names: str) -> None:
        """Raise `Problem` 429 when one of the names failed too often."""
        now = self._clock()
        for name in names:
            begun, count = self._failed.get(name, (now, 0))
            if count >= self._most and now - begun < self._seconds:
                wait = max(1, round(self._seconds - (now - begun)))
                text = f"Too many attempts to sign in failed. Try again in {_spelt(wait)}."
                raise Problem(429, "TOO_MANY_ATTEMPTS", text, headers={"Retry-After": str(wait)})

    def failed(self, *names: str) -> None:
        """Count a failure."""
        now = self._clock()
        with self._lock:
            for name in names:
                begun, count = self._failed.get(name, (now, 0))
                if now - begun >= self._seconds:
                    begun, count = now, 0
                self._failed[name] = (begun, count + 1)
                self._failed.move_to_end(name)
            while len(self._failed) > _MOST_KNOWN:
                self._failed.popitem(last=False)

    def succeeded(self, *names: str) -> None:
        """Forget the failures of those who are in now."""
        with self._lock:
            for name in names:
                self._failed.pop(name, None)


def _spelt(seconds: int) -> str:
    return f"{seconds} seconds" if seconds < 90 else f"{round(seconds / 60)} minutes"
