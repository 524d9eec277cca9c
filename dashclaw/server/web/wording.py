"""Values as operators read them."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any
from urllib.parse import urlsplit

from dashclaw.runtime.clock import moment

_STEPS = ((60, "s", 1), (3600, "min", 60), (86400, "h", 3600), (30 * 86400, "d", 86400))
NOTHING = "\N{EN DASH}"


def ago(text: str, now: datetime) -> str:
    """A time as its distance from now: `5 min ago`, `in 2 h`; older than a month as a date."""
    try:
        found = moment(text)
    except ValueError:
        return text
    seconds = (now - found).total_seconds()
    distance = abs(seconds)
    if distance < 5:
        return "now"
    for limit, unit, size in _STEPS:
        if distance < limit:
            spelt = f"{int(distance // size)} {unit}"
            return f"{spelt} ago" if seconds > 0 else f"in {spelt}"
    return found.astimezone(timezone.utc).strftime("%d %b %Y")


def exact(text: str) -> str:
    """A time to the second, in UTC."""
    try:
        return moment(text).astimezone(timezone.utc).strftime("%Y-%m-%d %H:%M:%S UTC")
    except ValueError:
        return text


def number(value: float | None, digits: int = 0) -> str:
    """A number with thousands apart; a dash for none."""
    return NOTHING if value is None else f"{value:,.{digits}f}"


def money(value: float | None) -> str:
    """US dollars, small amounts with more digits."""
    if value is None:
        return NOTHING
    return f"${value:,.2f}" if abs(value) >= 1 or value == 0 else f"${value:.4f}"


def duration(milliseconds: float | None) -> str:
    """A span in its natural unit."""
    if milliseconds is None:
        return NOTHING
    if milliseconds < 1000:
        return f"{milliseconds:.0f} ms"
    seconds = milliseconds / 1000
    if seconds < 120:
        return f"{seconds:.1f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 2 * 86_400 else f"{seconds / 86_400:g} days"


def percent(part: float, whole: float) -> str:
    """A share; a dash for a share of nothing."""
    return f"{100 * part / whole:.0f} %" if whole else NOTHING


def words(name: str) -> str:
    """An identifier as words: `pending_approval` is `pending approval`."""
    return name.replace("_", " ")


def short(name: str, most: int = 18) -> str:
    """An id cut in the middle, so that its kind and its end stay."""
    return name if len(name) <= most else f"{name[: most - 7]}…{name[-6:]}"


def weblink(value: Any) -> str | None:
    """A URL that may stand in a link; None for everything else."""
    if not isinstance(value, str):
        return None
    try:
        parts = urlsplit(value)
    except ValueError:
        return None
    return value if parts.scheme in ("http", "https") and parts.netloc else None
