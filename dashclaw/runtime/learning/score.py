"""The score of an episode: how well an action went, 0 to 100."""

from __future__ import annotations

import math
from typing import NamedTuple

PENDING = "pending"

_START = 50
_BY_STATUS = {"completed": 30, "failed": -35, "cancelled": -20, "pending_approval": -8, "running": -5}
_LABELS = {"completed": "success", "failed": "failure", "cancelled": "failure"}
# What a duration (ms) or a cost (USD) up to a limit earns; beyond the last one the value under None.
_DURATIONS = ((60_000, 6), (300_000, 3), (1_800_000, -4), (None, -10))
_COSTS = ((0.05, 4), (1.0, 1), (5.0, -4), (None, -8))


class Outcome(NamedTuple):
    """What the score of an action depends on; a missing duration, cost or confidence counts neither way."""

    status: str
    risk_score: int
    reversible: bool
    duration_ms: float | None = None
    cost_estimate: float | None = None
    confidence: int | None = None
    invalidated_assumptions: int = 0
    open_loops: int = 0


def score_of(outcome: Outcome) -> int:
    """The score, 0 to 100."""
    found = _START + _BY_STATUS.get(outcome.status, 0) + _for_risk(outcome.risk_score)
    found += 5 if outcome.reversible else -8
    found += _graded(outcome.duration_ms, _DURATIONS) + _graded(outcome.cost_estimate, _COSTS)
    found += _for_confidence(outcome.status, outcome.confidence)
    found -= min(16, 4 * outcome.invalidated_assumptions) + min(10, 2 * outcome.open_loops)
    return max(0, min(100, found))


def label_of(status: str) -> str:
    """`success`, `failure`, or `pending` for what has not ended."""
    return _LABELS.get(status, PENDING)


def rounded(number: float) -> int:
    """The nearest whole number, halves upwards."""
    return math.floor(number + 0.5)


def _for_risk(risk: int) -> int:
    if risk > 60:
        return -min(20, rounded((risk - 60) / 2))
    return 4 if risk <= 30 else 0


def _for_confidence(status: str, confidence: int | None) -> int:
    if confidence is None:
        return 0
    if status == "completed" and confidence >= 70:
        return 4
    return -8 if status == "failed" and confidence >= 80 else 0


def _graded(value: float | None, grades: tuple[tuple[float | None, int], ...]) -> int:
    if value is None:
        return 0
    return next(points for limit, points in grades if limit is None or value <= limit)
