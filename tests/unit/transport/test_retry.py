"""The retry policy: a table of decisions, without a clock."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashclaw import ConfigurationError, DashClaw, RetryPolicy
from dashclaw._retry import Outcome, check_retry, retry_after
from dashclaw.testing import FakeTransport

NOW = 1_772_366_400.0  # Sun, 01 Mar 2026 12:00:00 GMT
LEAST = RetryPolicy(attempts=20, jitter=lambda: 0.0, now=lambda: NOW)
MOST = LEAST._replace(jitter=lambda: 1.0)


def test_pauses_double_up_to_the_cap_with_half_of_them_left_to_chance() -> None:
    assert [MOST.delay(Outcome(n, 503), repeatable=True) for n in range(1, 9)] == [0.25, 0.5, 1, 2, 4, 8, 8, 8]
    assert [LEAST.delay(Outcome(n, 503), repeatable=True) for n in range(1, 4)] == [0.125, 0.25, 0.5]


@given(st.integers(1, 100), st.floats(0, 1, exclude_max=True))
def test_a_pause_is_never_longer_than_the_cap(attempt: int, chance: float) -> None:
    pause = RetryPolicy(attempts=101, cap=3.0, jitter=lambda: chance).delay(Outcome(attempt), repeatable=True)
    assert pause is not None and 0.125 <= pause <= 3.0


def test_the_usual_jitter_spreads() -> None:
    pauses = {RetryPolicy().delay(Outcome(1), repeatable=True) for _ in range(50)}
    assert len(pauses) > 40


@pytest.mark.parametrize("attempts", [1, 2, 3, 7])
def test_the_last_attempt_is_the_last(attempts: int) -> None:
    policy = RetryPolicy(attempts=attempts)
    assert policy.delay(Outcome(attempts, 503), repeatable=True) is None
    assert policy.delay(Outcome(attempts, sent=False), repeatable=True) is None
    if attempts > 1:
        assert policy.delay(Outcome(attempts - 1, 503), repeatable=True) is not None


@pytest.mark.parametrize("status", range(100, 600))
def test_only_passing_refusals_are_repeated_and_only_what_may_be(status: int) -> None:
    passing = status in {429, 502, 503, 504}
    assert (LEAST.delay(Outcome(1, status), repeatable=True) is not None) == passing
    assert LEAST.delay(Outcome(1, status), repeatable=False) is None


def test_what_was_not_sent_is_always_repeated_and_what_has_no_answer_only_when_repeatable() -> None:
    assert LEAST.delay(Outcome(1, sent=False), repeatable=False) == 0.125
    assert LEAST.delay(Outcome(1, sent=True), repeatable=True) == 0.125
    assert LEAST.delay(Outcome(1, sent=True), repeatable=False) is None


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0.0),
        ("7", 7.0),
        ("1.5", 1.5),
        (" 3 ", 3.0),
        ("-5", 0.0),
        ("Sun, 01 Mar 2026 12:00:30 GMT", 30.0),
        ("Sunday, 01-Mar-26 12:00:30 GMT", 30.0),
        ("Sun, 01 Mar 2026 11:00:00 GMT", 0.0),
        ("Sun, 01 Mar 2026 13:00:30 +0100", 30.0),
        ("soon", None),
        ("", None),
        ("nan", None),
        ("inf", None),
        ("1e999", None),
        ("Sun, 99 Mar 2026 12:00:30 GMT", None),
        ("Sun, 01 Mar 99999999999999999999 12:00:30 GMT", None),
    ],
)
def test_a_hint_is_seconds_or_a_date(text: str, seconds: float | None) -> None:
    assert retry_after({"retry-after": text}, lambda: NOW) == seconds


@given(st.text(max_size=60))
def test_no_hint_breaks_the_reader(text: str) -> None:
    found = retry_after({"retry-after": text}, lambda: NOW)
    assert found is None or 0 <= found < float("inf")


def test_a_hint_replaces_the_pause_and_a_long_one_ends_the_call() -> None:
    def after(hint: str, status: int = 429) -> float | None:
        return LEAST.delay(Outcome(1, status, True, {"retry-after": hint}), repeatable=True)

    assert after("0") == 0.0
    assert after("60", 503) == 60.0
    assert after("61") is None
    assert after("Sun, 01 Mar 2026 12:00:10 GMT") == 10.0
    assert after("Mon, 02 Mar 2026 12:00:00 GMT") is None
    assert after("soon") == 0.125


def test_a_hint_does_not_make_another_status_worth_repeating() -> None:
    headers = {"retry-after": "1"}
    assert LEAST.delay(Outcome(1, 400, True, headers), repeatable=True) is None
    assert LEAST.delay(Outcome(20, 503, True, headers), repeatable=True) is None
    assert LEAST.delay(Outcome(1, 503, True, headers), repeatable=False) is None


@pytest.mark.parametrize(
    "wrong",
    [{"attempts": 0}, {"attempts": -1}, {"base": -0.1}, {"cap": -1.0}, {"longest_hint": -1.0}, {"base": float("nan")}],
)
def test_a_policy_that_makes_no_sense_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigurationError, match="RetryPolicy"):
        check_retry(RetryPolicy(**wrong))  # type: ignore[arg-type]


def test_a_client_refuses_what_is_no_policy() -> None:
    with pytest.raises(ConfigurationError, match="RetryPolicy"):
        DashClaw(transport=FakeTransport(), retry=3)  # type: ignore[arg-type]
