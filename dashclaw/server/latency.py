"""How long the guard takes to answer, over the last requests of this process."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

# A page of a busy server shows the last seconds, that of a quiet one the last hours.
_KEPT = 2000
# What decides before an action happens.
TIMED = frozenset({"guard", "create_action"})


class Figures(NamedTuple):
    """Milliseconds that half, 95 % and 99 % of the last `answers` took at most; None without any."""

    answers: int
    p50: float | None = None
    p95: float | None = None
    p99: float | None = None


class Latency:
    """The last durations; noting one costs less than a microsecond."""

    def __init__(self) -> None:
        self._seconds: deque[float] = deque(maxlen=_KEPT)

    def note(self, seconds: float) -> None:
        """Take one duration."""
        self._seconds.append(seconds)

    def figures(self) -> Figures:
        """The figures as they are now."""
        ordered = sorted(self._seconds)
        if not ordered:
            return Figures(0)
        return Figures(len(ordered), *(_at(ordered, share) for share in (0.5, 0.95, 0.99)))


def _at(ordered: list[float], share: float) -> float:
    return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1000, 2)
