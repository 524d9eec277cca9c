"""Whether advice was taken, and whether it helped."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple


class Sums(NamedTuple):
    """Episodes added up: how many, how many succeeded and failed, and what their figures come to."""

    total: int = 0
    successes: int = 0
    failures: int = 0
    score: float = 0
    timed: int = 0
    duration_ms: float = 0
    priced: int = 0
    cost: float = 0


def telemetry(counts: Mapping[str, int]) -> dict[str, Any]:
    """How often a recommendation was fetched and what became of it, from counts by type of event.

    Without a record of fetches the adoption rate is that among the decisions about it; None without either.
    """
    fetched, applied, overridden = (counts.get(name, 0) for name in ("fetched", "applied", "overridden"))
    base = fetched or applied + overridden
    return {
        "fetched": fetched,
        "applied": applied,
        "overridden": overridden,
        "outcomes": counts.get("outcome", 0),
        "adoption_rate": round(min(1.0, applied / base), 4) if base else None,
    }


def effect(applied: Sums, baseline: Sums) -> dict[str, Any]:
    """`outcomes` with and without the advice, and the `deltas` between them; None for what cannot be known."""
    with_it, without = _means(applied), _means(baseline)
    deltas = {
        "success_lift": _difference(with_it["success_rate"], without["success_rate"]),
        "failure_reduction": _difference(without["failure_rate"], with_it["failure_rate"]),
        "latency_delta_ms": _difference(with_it["avg_duration_ms"], without["avg_duration_ms"]),
        "cost_delta_estimate": _difference(with_it["avg_cost_estimate"], without["avg_cost_estimate"]),
    }
    return {"outcomes": {"applied": with_it, "baseline": without}, "deltas": deltas}


def summary(metrics: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The figures over several recommendations; averages leave out what cannot be known."""
    found = list(metrics)
    return {
        "total_recommendations": len(found),
        "active_recommendations": sum(bool(metric["active"]) for metric in found),
        "avg_adoption_rate": _mean([metric["telemetry"]["adoption_rate"] for metric in found]),
        "avg_success_lift": _mean([metric["deltas"]["success_lift"] for metric in found]),
    }


def _means(sums: Sums) -> dict[str, Any]:
    ended = sums.successes + sums.failures
    return {
        "total": sums.total,
        "success_rate": _share(sums.successes, ended, 4),
        "failure_rate": _share(sums.failures, ended, 4),
        "avg_score": _share(sums.score, sums.total, 2),
        "avg_duration_ms": _share(sums.duration_ms, sums.timed, 2),
        "avg_cost_estimate": _share(sums.cost, sums.priced, 6),
    }


def _share(part: float, whole: int, digits: int) -> float | None:
    return round(part / whole, digits) if whole else None


def _difference(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else round(one - other, 6)


def _mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return round(sum(known) / len(known), 4) if known else None
