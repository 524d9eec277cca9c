"""Sets of entries as ranges, because what goes together mostly stands together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator


class Spans:
    """Numbers kept as ranges [first, last]."""

    def __init__(self, spans: Iterable[tuple[int, int]] = ()) -> None:
        self._spans: list[tuple[int, int]] = list(spans)

    def add(self, first: int, last: int | None = None) -> None:
        """Add a number or a range; cheap when it comes right after the last one."""
        end = first if last is None else last
        if self._spans and self._spans[-1][1] + 1 == first:
            self._spans[-1] = (self._spans[-1][0], end)
        else:
            self._spans.append((first, end))

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """The ranges in order, none touching the next."""
        merged: list[tuple[int, int]] = []
        for first, last in sorted(self._spans):
            if merged and first <= merged[-1][1] + 1:
                merged[-1] = (merged[-1][0], max(merged[-1][1], last))
            else:
                merged.append((first, last))
        self._spans = merged
        return iter(merged)

    def count(self) -> int:
        """How many numbers."""
        return sum(last - first + 1 for first, last in self)

    def without(self, other: Spans) -> Spans:
        """What is here and not in the other."""
        left = Spans()
        holes = list(other)
        at = 0
        for first, last in self:
            while at < len(holes) and holes[at][1] < first:
                at += 1
            start, hole = first, at
            while hole < len(holes) and holes[hole][0] <= last:
                if start < holes[hole][0]:
                    left.add(start, holes[hole][0] - 1)
                start = holes[hole][1] + 1
                hole += 1
            if start <= last:
                left.add(start, last)
        return left
