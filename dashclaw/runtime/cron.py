"""When a cron expression of five fields comes true, in a time zone. Pure: the present is an argument."""

from __future__ import annotations

from datetime import datetime, timezone, tzinfo
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

_FIELDS = 5


class CronError(ValueError):
    """An expression or a time zone cannot be used; the text says why."""


def zone_of(name: str) -> tzinfo:
    """The time zone of an IANA name; raises `CronError` for an unknown one."""
    if name.upper() == "UTC":
        return timezone.utc
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise CronError(f"{name!r} is not a known time zone; use one such as Europe/Berlin or UTC") from error


def next_after(expression: str, zone: tzinfo, now: datetime) -> datetime:
    """The first moment after `now`, in UTC; raises `CronError` when the expression is wrong or never comes true.

    A time of day that daylight saving skips comes right after the gap, and one that comes twice counts once; what runs
    every so many minutes or hours keeps doing so.
    """
    times = _times(expression, zone, now, back=False)
    while True:
        found = _one(times, expression)
        # In the second pass of a repeated hour the first one may be named again.
        if found > now:
            return found


def last_until(expression: str, zone: tzinfo, now: datetime) -> datetime:
    """The last moment until and including `now`, in UTC; raises `CronError` as `next_after` does."""
    # Backwards, a whole second counts as past only with a part of the next one.
    times = _times(expression, zone, now.replace(microsecond=1), back=True)
    found = _one(times, expression)
    while found > now:
        found = _one(times, expression)
    while (later := next_after(expression, zone, found)) <= now:
        found = later
    return found


def _times(expression: str, zone: tzinfo, now: datetime, *, back: bool) -> CronSim:
    if len(expression.split()) != _FIELDS:
        raise CronError(f"{expression!r} does not have the five fields minute, hour, day, month and weekday")
    try:
        return CronSim(expression, now.astimezone(zone), reverse=back)
    except CronSimError as error:
        raise CronError(f"{expression!r} cannot be used: {str(error).lower()}") from error


def _one(times: CronSim, expression: str) -> datetime:
    try:
        return next(times).astimezone(timezone.utc)
    except (StopIteration, OverflowError) as error:
        raise CronError(f"{expression!r} never comes true") from error
