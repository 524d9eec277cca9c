"""When schedules come due."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashclaw.runtime.cron import CronError, last_until, next_after, zone_of

UTC = timezone.utc
BERLIN = "Europe/Berlin"


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("expression", "zone", "now", "following"),
    [
        ("0 */6 * * *", "UTC", "2026-03-01 12:00:00", "2026-03-01 18:00"),
        ("0 */6 * * *", "UTC", "2026-03-01 11:59:59", "2026-03-01 12:00"),
        ("0 9 * * MON-FRI", "UTC", "2026-03-06 10:00", "2026-03-09 09:00"),
        ("0 9 * * *", "Europe/Berlin", "2026-01-15 07:59", "2026-01-15 08:00"),
        ("0 9 * * *", "Europe/Berlin", "2026-07-15 07:01", "2026-07-16 07:00"),
        ("30 9 * * *", "Asia/Kolkata", "2026-07-15 03:59", "2026-07-15 04:00"),
        ("0 0 29 2 *", "UTC", "2026-03-01 00:00", "2028-02-29 00:00"),
        # Clocks go forward in Berlin: 02:30 does not exist on 29 March.
        ("30 2 * * *", BERLIN, "2026-03-28 12:00", "2026-03-29 01:00"),
        ("30 2 * * *", BERLIN, "2026-03-29 01:00", "2026-03-30 00:30"),
        ("*/30 * * * *", BERLIN, "2026-03-29 00:30", "2026-03-29 01:00"),
        # Clocks go back: 02:30 comes twice on 25 October and counts once; every half hour stays every half hour.
        ("30 2 * * *", BERLIN, "2026-10-25 00:00", "2026-10-25 00:30"),
        ("30 2 * * *", BERLIN, "2026-10-25 00:30", "2026-10-26 01:30"),
        ("30 2 * * *", BERLIN, "2026-10-25 01:15", "2026-10-26 01:30"),
        ("*/30 * * * *", BERLIN, "2026-10-25 00:30", "2026-10-25 01:00"),
    ],
)
def test_the_next_time(expression: str, zone: str, now: str, following: str) -> None:
    assert next_after(expression, zone_of(zone), at(now)) == at(following)


@pytest.mark.parametrize(
    ("expression", "zone", "now", "last"),
    [
        ("0 */6 * * *", "UTC", "2026-03-01 12:00:00", "2026-03-01 12:00"),
        ("0 */6 * * *", "UTC", "2026-03-01 11:59:59", "2026-03-01 06:00"),
        ("30 2 * * *", BERLIN, "2026-10-25 01:15", "2026-10-25 00:30"),
        ("30 2 * * *", BERLIN, "2026-03-29 01:15", "2026-03-29 01:00"),
        ("* * * * *", "UTC", "2026-03-01 12:00:59", "2026-03-01 12:00"),
    ],
)
def test_the_last_time(expression: str, zone: str, now: str, last: str) -> None:
    assert last_until(expression, zone_of(zone), at(now)) == at(last)


def test_a_year_of_half_hours_has_no_gap_and_no_repetition() -> None:
    zone, moment = zone_of(BERLIN), at("2026-01-01 00:00")
    for _ in range(365 * 48):
        following = next_after("*/30 * * * *", zone, moment)
        assert following - moment == timedelta(minutes=30)
        moment = following


@pytest.mark.parametrize(
    "expression",
    ["", "* * * *", "0 0 * * * *", "@hourly", "60 * * * *", "* 24 * * *", "0 0 30 2 *", "*/0 * * * *", "a * * * *"],
)
def test_an_expression_that_cannot_be_used_is_refused_with_the_reason(expression: str) -> None:
    with pytest.raises(CronError, match=r"five fields|cannot be used: bad|never comes true"):
        next_after(expression, UTC, at("2026-03-01 12:00"))


@pytest.mark.parametrize("name", ["Mars/Olympus", "", "../../etc/passwd", "/etc/passwd", "America", "\x00", "é" * 200])
def test_an_unknown_time_zone_is_refused(name: str) -> None:
    with pytest.raises(CronError, match="is not a known time zone"):
        zone_of(name)


@given(st.lists(st.text("0123456789*/,-#LWMON", max_size=6), min_size=5, max_size=5).map(" ".join))
def test_any_text_has_a_next_time_or_is_refused(expression: str) -> None:
    try:
        found = next_after(expression, zone_of(BERLIN), at("2026-03-01 12:00"))
    except CronError:
        return
    assert last_until(expression, zone_of(BERLIN), found) == found
