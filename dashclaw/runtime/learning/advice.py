"""Advice about one agent and type of action, from its episodes: what the best of them had in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from .score import PENDING, rounded

FEW = 8
_TOP_PERCENT = 35
_SMALLEST_TOP = 3
_MOSTLY = 0.6
_HINTS = (
    "preferred_risk_cap",
    "prefer_reversible",
    "confidence_floor",
    "expected_duration_ms",
    "expected_cost_estimate",
)


class Episode(NamedTuple):
    """What of a scored action the advice depends on."""

    score: int
    label: str
    risk_score: int
    reversible: bool
    confidence: int | None = None
    duration_ms: float | None = None
    cost_estimate: float | None = None


class Advice(NamedTuple):
    """What was learnt; `success_rate` is over the episodes that ended, the other figures over all of them."""

    confidence: int
    sample_size: int
    top_sample_size: int
    success_rate: float
    avg_score: float
    hints: dict[str, Any]
    guidance: list[str]


def advise(episodes: Sequence[Episode]) -> Advice | None:
    """The advice of a group, newest episode first; None when none of them has ended."""
    ended = [episode for episode in episodes if episode.label != PENDING]
    if not ended:
        return None
    size = len(episodes)
    success_rate = sum(episode.label == "success" for episode in ended) / len(ended)
    avg_score = sum(episode.score for episode in episodes) / size
    top = sorted(episodes, key=lambda episode: -episode.score)[: _top_size(size)]
    hints = _hints(top)
    return Advice(
        confidence=_confidence(size, success_rate, avg_score),
        sample_size=size,
        top_sample_size=len(top),
        success_rate=round(success_rate, 4),
        avg_score=round(avg_score, 2),
        hints=hints,
        guidance=_guidance(hints, size, success_rate),
    )


def _top_size(size: int) -> int:
    return max(_SMALLEST_TOP, -(-_TOP_PERCENT * size // 100))


def _confidence(size: int, success_rate: float, avg_score: float) -> int:
    found = rounded(35 + min(25, 2 * size) + 25 * success_rate + 0.4 * (avg_score - 50))
    return max(35, min(95, found))


def _hints(top: Sequence[Episode]) -> dict[str, Any]:
    cap = percentile([episode.risk_score for episode in top], 75)
    floor = percentile([episode.confidence for episode in top if episode.confidence is not None], 25)
    duration = percentile([episode.duration_ms for episode in top if episode.duration_ms is not None], 50)
    cost = percentile([episode.cost_estimate for episode in top if episode.cost_estimate is not None], 50)
    values = (
        None if cap is None else rounded(cap),
        sum(episode.reversible for episode in top) >= _MOSTLY * len(top),
        None if floor is None else rounded(floor),
        None if duration is None else rounded(duration),
        None if cost is None else rounded(cost * 100) / 100,
    )
    return dict(zip(_HINTS, values, strict=True))


def percentile(values: Sequence[float], percent: float) -> float | None:
    """The value below which `percent` of the values lie, interpolated linearly; None for no values."""
    if not values:
        return None
    ordered = sorted(values)
    place = (len(ordered) - 1) * percent / 100
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def _guidance(hints: dict[str, Any], size: int, success_rate: float) -> list[str]:
    cap, reversible, floor, duration, cost = (hints[name] for name in _HINTS)
    lines = [f"The best runs kept the risk at {cap} or below."]
    lines.append(
        "Make it reversible: most of the best runs were." if reversible else "Few of the best runs could be undone."
    )
    if floor is not None:
        lines.append(f"Go ahead with a confidence of {floor} or more.")
    if duration is not None:
        lines.append(f"Expect it to take about {duration} ms.")
    if cost is not None:
        lines.append(f"Expect it to cost about {cost:.2f} USD.")
    if size < FEW:
        lines.append(f"Only {size} runs are known: take this as a hint.")
    if success_rate < 0.5:
        lines.append("More of these runs failed than succeeded: think of another way, or ask a person.")
    return lines
