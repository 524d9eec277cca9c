"""The time of every search grows with the length of the text, whatever the text is made of."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

import pytest

from dashclaw._detect import ANCHORS, find_secrets
from dashclaw._patterns import TOKENS
from dashclaw._personal import find_all
from dashclaw.runtime.injection import HEURISTICS, scan

SIZE = 12_000
PREFIXES = sorted({token.prefix for tokens in TOKENS.values() for token in tokens})
ANCHORS = sorted({anchor for anchor, _ in ANCHORS})
PARTS = {
    **{f"prefix {prefix}": prefix for prefix in PREFIXES[:: max(1, len(PREFIXES) // 40)]},
    **{f"anchor {anchor}": anchor for anchor in ANCHORS},
    **{f"{anchor} and spaces": f"{anchor}{' ' * 40}" for anchor in ANCHORS},
    **{f"{anchor} assigned": f"{anchor}='" for anchor in ANCHORS},
    **{f"{anchor} with a long value": f"{anchor}={'a1' * 300}" for anchor in ANCHORS},
    "begins of keys": "-----BEGIN PRIVATE KEY-----",
    "begins and ends of keys": "-----BEGIN PRIVATE KEY-----a-----END",
    "web token starts": "eyJ",
    "web token parts": "eyJaaaaaaaaa.eyJ",
    "addresses": "a@",
    "at signs": "@",
    "domains": "@a.",
    "long domains": "@" + "a-" * 60,
    "digits": "1",
    "digits in groups": "1 2-3.4(",
    "card numbers": "4111 1111 1111 1111 ",
    "account numbers": "DE89 3704 ",
    "capitals and digits": "AB12",
    "addresses with a colon": "postgres://" + "a:",
    "dots and letters": "a.",
    "one word": "a",
    "dashes": "-",
    "backslashes": "\\n",
    "spaces": " ",
    "quotes": "\"'",
}
WORDS = sorted({word for heuristic in HEURISTICS for word in re.findall(r"[a-z]{4,}", heuristic.pattern.pattern)})


def cost(work: Callable[[str], object], text: str) -> float:
    """The least processor time of three tries, in seconds."""
    taken = []
    for _ in range(3):
        started = time.process_time()
        work(text)
        taken.append(time.process_time() - started)
    return min(taken)


def grows_in_line(work: Callable[[str], object], part: str) -> bool:
    """Whether four times the text takes less than nine times the time: twice takes less than three times."""
    text = part * (SIZE // len(part))
    return any(cost(work, text) < 9 * cost(work, text[: len(text) // 4]) + 0.002 for _ in range(4))


def test_the_measure_notices_what_grows_with_the_square() -> None:
    assert not grows_in_line(re.compile("a+b").search, "a")


@pytest.mark.parametrize("part", PARTS.values(), ids=PARTS)
def test_finding_takes_time_in_line_with_the_length(part: str) -> None:
    assert grows_in_line(find_all, part)


@pytest.mark.parametrize("part", [f"{' '.join(WORDS[n : n + 12])} " for n in range(0, len(WORDS), 12)])
def test_rating_takes_time_in_line_with_the_length(part: str) -> None:
    assert grows_in_line(scan, part)


@pytest.mark.parametrize("gap", [" ", "\n", "\t", "all ", "the of ", ".", "a"])
@pytest.mark.parametrize(
    "start", ["ignore", "forget the", "you are now", "reveal", "send", "decode", "system:", "<!--"]
)
def test_rating_a_phrase_that_never_ends_takes_time_in_line_with_the_length(start: str, gap: str) -> None:
    assert grows_in_line(scan, start + gap * 500)
    assert grows_in_line(scan, start + gap)


def test_a_megabyte_is_scanned_in_passing() -> None:
    line = '2026-01-31T12:00:00Z INFO user=17 path=/api/actions/42 key=value "retry after the token refresh" 200\n'
    text = line * (1_000_000 // len(line))
    # Some 30 ms on a quiet machine.
    assert cost(find_secrets, text) < 0.25
    assert cost(find_all, text) < 0.5
