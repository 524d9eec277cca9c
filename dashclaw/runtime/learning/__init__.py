"""What is learnt from how actions ended: scores, advice, and whether the advice helped. Pure: no I/O, no clock."""

from __future__ import annotations

from .advice import Advice, Episode, advise
from .effect import Sums, effect, summary, telemetry
from .score import PENDING, Outcome, label_of, rounded, score_of

__all__ = [
    "PENDING",
    "Advice",
    "Episode",
    "Outcome",
    "Sums",
    "advise",
    "effect",
    "label_of",
    "rounded",
    "score_of",
    "summary",
    "telemetry",
]
