"""What the best episodes of a group had in common, in exact numbers."""

from __future__ import annotations

from typing import Any

import pytest

from dashclaw.runtime.learning import Advice, Episode, advise
from dashclaw.runtime.learning.advice import percentile


def episode(score: int = 80, **fields: Any) -> Episode:
    return Episode(**{"score": score, "label": "success", "risk_score": 40, "reversible": True, **fields})


def advice(*episodes: Episode) -> Advice:
    found = advise(episodes)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("values", "percent", "expected"),
    [([], 50, None), ([7], 75, 7), ([10, 20], 50, 15), ([10, 20, 30, 40], 75, 32.5), ([40, 10, 30, 20], 25, 17.5)],
)
def test_percentiles_interpolate_linearly(values: list[float], percent: float, expected: float | None) -> None:
    assert percentile(values, percent) == expected


@pytest.mark.parametrize(("size", "top"), [(2, 2), (5, 3), (8, 3), (9, 4), (20, 7), (100, 35)])
def test_the_top_set_is_the_best_third_and_at_least_three(size: int, top: int) -> None:
    assert advice(*[episode() for _ in range(size)]).top_sample_size == top


def test_hints_come_from_the_top_set_only() -> None:
    best = [
        episode(95, risk_score=10, confidence=90, duration_ms=1000, cost_estimate=0.011),
        episode(94, risk_score=20, confidence=80, duration_ms=2000, cost_estimate=0.024),
        episode(93, risk_score=35, confidence=71, duration_ms=4000, cost_estimate=0.5, reversible=False),
    ]
    rest = [episode(20, label="failure", risk_score=99, confidence=5, duration_ms=10**7, reversible=False)] * 2
    found = advice(*rest, *best)
    assert found.hints == {
        "preferred_risk_cap": 28,  # 27.5, between 20 and 35
        "prefer_reversible": True,
        "confidence_floor": 76,  # 75.5, between 71 and 80
        "expected_duration_ms": 2000,
        "expected_cost_estimate": 0.02,
    }
    assert (found.sample_size, found.top_sample_size, found.success_rate) == (5, 3, 0.6)
    assert found.avg_score == 64.4
    assert found.confidence == round(35 + 10 + 15 + 0.4 * 14.4)


@pytest.mark.parametrize(("reversible", "preferred"), [(2, False), (3, True)])
def test_reversible_is_preferred_from_three_in_five(reversible: int, preferred: bool) -> None:
    episodes = [episode(reversible=number < reversible) for number in range(14)]
    assert advice(*episodes[:5], *[episode(1) for _ in range(9)]).top_sample_size == 5
    assert advice(*episodes[:5], *[episode(1) for _ in range(9)]).hints["prefer_reversible"] is preferred


def test_what_nobody_measured_is_no_hint() -> None:
    hints = advice(*[episode()] * 5).hints
    assert (hints["expected_duration_ms"], hints["expected_cost_estimate"], hints["confidence_floor"]) == (None,) * 3


def test_what_has_not_ended_does_not_count_as_a_failure() -> None:
    found = advice(*[episode()] * 3, episode(label="failure"), *[episode(label="pending")] * 4)
    assert (found.success_rate, found.sample_size) == (0.75, 8)
    assert advise([episode(label="pending")] * 9) is None


def test_rates_have_four_decimals_and_scores_two() -> None:
    found = advice(episode(80), episode(80), episode(81, label="failure"))
    assert (found.success_rate, found.avg_score) == (0.6667, 80.33)


@pytest.mark.parametrize(
    ("size", "label", "score", "confidence"),
    [
        (5, "success", 50, 70),
        (12, "success", 50, 84),
        (13, "success", 50, 85),
        (40, "success", 50, 85),
        (40, "success", 100, 95),
        (5, "failure", 0, 35),
        (5, "failure", 50, 45),
    ],
)
def test_confidence_grows_with_samples_success_and_score(size: int, label: str, score: int, confidence: int) -> None:
    assert advice(*[episode(score, label=label)] * size).confidence == confidence


def test_guidance_follows_the_hints_and_warns_of_few_and_of_failing_runs() -> None:
    whole = {"confidence": 80, "duration_ms": 10, "cost_estimate": 0.1}
    assert len(advice(*[episode(**whole)] * 8).guidance) == 5
    few = advice(*[episode(**whole)] * 7).guidance
    assert len(few) == 6
    assert "Only 7 runs" in few[-1]
    failing = advice(*[episode(**whole, label="failure")] * 5, *[episode(**whole)] * 4).guidance
    assert len(failing) == 6
    assert "failed" in failing[-1]
