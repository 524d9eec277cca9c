"""A time of its own: it begins on a fixed day, goes on as fast as ours, and may be moved on."""

from __future__ import annotations

import time
from datetime import datetime, timedelta, timezone

BEGIN = datetime(2026, 11, 8, 22, 10, tzinfo=timezone.utc)


class Passing:
    """A clock that starts at `BEGIN`."""

    def __init__(self) -> None:
        self._offset = BEGIN
        self._started = time.monotonic()

    def __call__(self) -> datetime:
        return self._offset + timedelta(seconds=time.monotonic() - self._started)

    def wait(self, seconds: float) -> None:
        """Move on."""
        self._offset += timedelta(seconds=seconds)
