"""Whether advice was taken and whether it helped."""

from __future__ import annotations

from typing import Any

import pytest

from dashclaw.runtime.learning import Sums, effect, summary, telemetry


@pytest.mark.parametrize(
    ("counts", "rate"),
    [
        ({}, None),
        ({"fetched": 4}, 0.0),
        ({"fetched": 3, "applied": 1}, 0.3333),
        ({"applied": 3, "overridden": 1}, 0.75),
        ({"overridden": 2}, 0.0),
        ({"fetched": 1, "applied": 2}, 1.0),
    ],
)
def test_adoption_is_measured_by_fetches_or_else_by_decisions(counts: dict[str, int], rate: float | None) -> None:
    found = telemetry({**counts, "outcome": 7})
    assert found["adoption_rate"] == rate
    assert found["outcomes"] == 7


def test_lifts_compare_what_ended_with_and_without_the_advice() -> None:
    applied = Sums(total=5, successes=3, failures=1, score=400, timed=4, duration_ms=4000, priced=2, cost=0.5)
    baseline = Sums(total=10, successes=5, failures=5, score=500, timed=10, duration_ms=20_000, priced=10, cost=5)
    found = effect(applied, baseline)
    assert found["outcomes"]["applied"] == {
        "total": 5,
        "success_rate": 0.75,
        "failure_rate": 0.25,
        "avg_score": 80.0,
        "avg_duration_ms": 1000.0,
        "avg_cost_estimate": 0.25,
    }
    assert found["deltas"] == {
        "success_lift": 0.25,
        "failure_reduction": 0.25,
        "latency_delta_ms": -1000.0,
        "cost_delta_estimate": -0.25,
    }


def test_what_cannot_be_compared_has_no_lift() -> None:
    found = effect(Sums(), Sums(total=2, successes=2, score=150))
    assert set(found["deltas"].values()) == {None}
    assert found["outcomes"]["applied"]["success_rate"] is None


def metric(active: bool, rate: float | None, lift: float | None) -> dict[str, Any]:
    return {"active": active, "telemetry": {"adoption_rate": rate}, "deltas": {"success_lift": lift}}


def test_the_summary_averages_what_is_known() -> None:
    found = summary([metric(True, 0.5, 0.2), metric(False, None, None), metric(True, 1.0, 0.1)])
    assert found == {
        "total_recommendations": 3,
        "active_recommendations": 2,
        "avg_adoption_rate": 0.75,
        "avg_success_lift": 0.15,
    }
    assert summary([])["avg_adoption_rate"] is None
