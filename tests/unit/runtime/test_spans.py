"""Ranges of entries against Python's sets."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest

from dashclaw.runtime.evidence.spans import Spans


def members(spans: Spans) -> set[int]:
    return {number for first, last in spans for number in range(first, last + 1)}


def some(chance: random.Random) -> tuple[Spans, set[int]]:
    """Random numbers and ranges, in order or not, overlapping or not."""
    spans, numbers = Spans(), set()
    ranges = []
    for _ in range(chance.randint(0, 12)):
        first = chance.randint(1, 60)
        ranges.append((first, first + chance.choice((0, 0, 1, 5, 20))))
    for first, last in sorted(ranges) if chance.random() < 0.5 else ranges:
        if first == last and chance.random() < 0.5:
            spans.add(first)
        else:
            spans.add(first, last)
        numbers |= set(range(first, last + 1))
    return spans, numbers


@pytest.mark.parametrize("seed", range(300))
def test_ranges_are_sets(seed: int) -> None:
    chance = random.Random(seed)
    (one, left), (two, right) = some(chance), some(chance)
    difference = one.without(two)
    assert members(one) == left
    assert one.count() == len(left)
    assert members(difference) == left - right
    assert members(two) == right, "the other is as it was"
    for spans in (one, two, difference):
        assert all(last + 1 < first for (_, last), (first, _) in pairwise(spans)), "sorted, none touching the next"
    one.add(100, 120)
    one.add(101)
    assert members(one) == left | set(range(100, 121)), "after being read they still grow"


def test_what_stands_together_takes_one_range() -> None:
    spans = Spans([(1, 3)])
    for number in range(4, 10_000):
        spans.add(number)
    assert list(spans) == [(1, 9_999)]
