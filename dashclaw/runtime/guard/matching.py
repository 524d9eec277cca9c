"""Names against patterns: an exact name or a glob, found through an index instead of one by one."""

from __future__ import annotations

import fnmatch
import re
import unicodedata
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable

T = TypeVar("T")

WILDCARDS = frozenset("*?[")
MEMO_ENTRIES = 2048
MEMO_NAME_LENGTH = 256


def is_glob(pattern: str) -> bool:
    """Tell whether a pattern holds a wildcard (`*`, `?`, `[...]`)."""
    return not WILDCARDS.isdisjoint(pattern)


def fold(text: str) -> str:
    """Return the form in which spellings that mean the same name are equal: width, compatibility forms and case."""
    return text.lower() if text.isascii() else unicodedata.normalize("NFKC", text).casefold()


def any_of(patterns: Iterable[str]) -> re.Pattern[str]:
    """Compile globs into one expression that matches a whole name when any of them does."""
    return re.compile("|".join(fnmatch.translate(pattern) for pattern in patterns))


class GlobIndex(Generic[T]):
    """Find every payload whose pattern covers a name, case-sensitively.

    Exact names, `head*` and `*tail` are dictionary look-ups; the other globs share one compiled expression, so that a
    name which none of them covers costs one match. Answers are remembered for a bounded number of names.
    """

    __slots__ = ("_any_other", "_exact", "_head_lengths", "_heads", "_memo", "_others", "_tail_lengths", "_tails")

    def __init__(self, pairs: Iterable[tuple[str, T]]) -> None:
        self._exact: dict[str, list[T]] = {}
        self._heads: dict[str, list[T]] = {}
        self._tails: dict[str, list[T]] = {}
        others: dict[str, list[T]] = {}
        for pattern, payload in pairs:
            shelf, key = self._place(pattern, others)
            shelf.setdefault(key, []).append(payload)
        self._head_lengths = sorted({len(head) for head in self._heads})
        self._tail_lengths = sorted({len(tail) for tail in self._tails})
        self._others = [(re.compile(fnmatch.translate(pattern)), payloads) for pattern, payloads in others.items()]
        self._any_other = any_of(others) if others else None
        self._memo: dict[str, tuple[T, ...]] = {}

    def find(self, name: str) -> tuple[T, ...]:
        """Return the payloads that cover the name, each once."""
        found = self._memo.get(name)
        if found is None:
            found = tuple(dict.fromkeys(self.search(name)))
            if len(name) <= MEMO_NAME_LENGTH:
                if len(self._memo) >= MEMO_ENTRIES:
                    self._memo.clear()
                self._memo[name] = found
        return found

    def search(self, name: str) -> list[T]:
        """Return the payloads that cover the name, without remembering; one may come more than once."""
        found = list(self._exact.get(name, ()))
        size = len(name)
        for length in self._head_lengths:
            if length > size:
                break
            found += self._heads.get(name[:length], ())
        for length in self._tail_lengths:
            if length > size:
                break
            found += self._tails.get(name[size - length :], ())
        if self._any_other is not None and self._any_other.match(name):
            for pattern, payloads in self._others:
                if pattern.match(name):
                    found += payloads
        return found

    def _place(self, pattern: str, others: dict[str, list[T]]) -> tuple[dict[str, list[T]], str]:
        if not is_glob(pattern):
            return self._exact, pattern
        if pattern[-1] == "*" and not is_glob(pattern[:-1]):
            return self._heads, pattern[:-1]
        if pattern[0] == "*" and not is_glob(pattern[1:]):
            return self._tails, pattern[1:]
        return others, pattern
