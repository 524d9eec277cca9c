"""The score of an episode, term by term."""

from __future__ import annotations

from typing import Any

import pytest

from dashclaw.runtime.learning import Outcome, label_of, rounded, score_of

# Reversible, of middling risk, with nothing else known.
PLAIN = {"status": "completed", "risk_score": 50, "reversible": True}
BASE = 50 + 30 + 5


def score(**fields: Any) -> int:
    return score_of(Outcome(**{**PLAIN, **fields}))


@pytest.mark.parametrize(
    ("status", "points"),
    [("completed", 30), ("failed", -35), ("cancelled", -20), ("pending_approval", -8), ("running", -5), ("other", 0)],
)
def test_the_status_counts_most(status: str, points: int) -> None:
    assert score(status=status) == 50 + points + 5


@pytest.mark.parametrize(
    ("risk", "points"),
    [(0, 4), (30, 4), (31, 0), (60, 0), (61, -1), (62, -1), (63, -2), (65, -3), (70, -5), (99, -20), (100, -20)],
)
def test_risk_costs_beyond_60_and_pays_up_to_30(risk: int, points: int) -> None:
    assert score(risk_score=risk) == BASE + points


def test_what_cannot_be_undone_costs() -> None:
    assert score(reversible=False) == BASE - 13


@pytest.mark.parametrize(
    ("duration", "points"),
    [(None, 0), (0, 6), (60_000, 6), (60_001, 3), (300_000, 3), (300_001, -4), (1_800_000, -4), (1_800_001, -10)],
)
def test_a_duration_pays_when_short_and_counts_neither_way_when_unknown(duration: int | None, points: int) -> None:
    assert score(duration_ms=duration) == BASE + points


@pytest.mark.parametrize(
    ("cost", "points"), [(None, 0), (0, 4), (0.05, 4), (0.051, 1), (1, 1), (1.01, -4), (5, -4), (5.01, -8)]
)
def test_a_cost_pays_when_low_and_counts_neither_way_when_unknown(cost: float | None, points: int) -> None:
    assert score(cost_estimate=cost) == BASE + points


@pytest.mark.parametrize(
    ("status", "confidence", "points"),
    [
        ("completed", None, 0),
        ("completed", 69, 0),
        ("completed", 70, 4),
        ("failed", 79, 0),
        ("failed", 80, -8),
        ("running", 99, 0),
    ],
)
def test_confidence_is_held_against_the_outcome(status: str, confidence: int | None, points: int) -> None:
    assert score(status=status, confidence=confidence) == score(status=status) + points


@pytest.mark.parametrize(
    ("assumptions", "loops", "points"), [(1, 0, -4), (4, 0, -16), (9, 0, -16), (0, 1, -2), (0, 9, -10)]
)
def test_wrong_assumptions_and_open_loops_cost_up_to_a_limit(assumptions: int, loops: int, points: int) -> None:
    assert score(invalidated_assumptions=assumptions, open_loops=loops) == BASE + points


def test_a_score_stays_between_0_and_100() -> None:
    best = Outcome("completed", 0, True, 1, 0.0, 100)
    worst = Outcome("failed", 100, False, 10**9, 100.0, 100, 9, 9)
    assert (score_of(best), score_of(worst)) == (100, 0)


def test_an_episode_is_a_success_a_failure_or_pending() -> None:
    labels = {
        status: label_of(status) for status in ("completed", "failed", "cancelled", "running", "pending_approval")
    }
    assert labels == {
        "completed": "success",
        "failed": "failure",
        "cancelled": "failure",
        "running": "pending",
        "pending_approval": "pending",
    }


def test_halves_are_rounded_upwards() -> None:
    assert [rounded(number) for number in (0.5, 1.5, 2.5, 2.49, -0.5)] == [1, 2, 3, 2, 0]
