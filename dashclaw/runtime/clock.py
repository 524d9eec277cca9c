"""Time as the runtime keeps it: aware UTC, written as fixed-width text that sorts."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """The present moment in UTC."""
    return datetime.now(timezone.utc)


def stamp(moment: datetime) -> str:
    """Write a moment as `YYYY-MM-DDTHH:MM:SS.ffffffZ`; equal widths make text order time order."""
    text = moment.astimezone(timezone.utc).isoformat(timespec="microseconds")
    return text[:26] + "Z"


def moment(text: str) -> datetime:
    """Read what `stamp` wrote, or any ISO-8601 text; a text without a zone is UTC."""
    found = datetime.fromisoformat(text.replace("Z", "+00:00") if text.endswith("Z") else text)
    return found if found.tzinfo else found.replace(tzinfo=timezone.utc)


def ago(now: datetime, **parts: float) -> str:
    """The stamp of the moment that lies `timedelta(**parts)` before `now`."""
    return stamp(now - timedelta(**parts))
