"""Tools are rated by their names: what only reads is harmless, and what is not known stays cautious."""

from __future__ import annotations

from pathlib import Path

import pytest

from dashclaw._tool_rules import rate

DATA = Path(__file__).parents[1] / "data" / "tool_ratings.txt"


def ratings() -> list[tuple[str, int, bool]]:
    rows: list[tuple[str, int, bool]] = []
    score, reversible = 0, True
    for line in DATA.read_text().splitlines():
        if line.startswith("  "):
            rows += [(name, score, reversible) for name in line.split()]
        elif line and not line.startswith("#"):
            score, reversible = int(line.split()[0]), line.split()[1] == "reversible"
    return rows


@pytest.mark.parametrize(("name", "score", "reversible"), ratings(), ids=[row[0] for row in ratings()])
def test_a_name_is_rated_as_the_table_says(name: str, score: int, reversible: bool) -> None:
    assert rate(name, {}) == (score, reversible)


def test_the_table_is_long() -> None:
    assert len({name for name, _, _ in ratings()}) > 150


@pytest.mark.parametrize("argument", ["command", "sql", "Script"])
def test_arguments_that_instruct_raise_what_only_reads(argument: str) -> None:
    assert rate("read_rows", {argument: "x"}) == (70, True)
    assert rate("delete_rows", {argument: "x"}) == (85, False)


@pytest.mark.parametrize("name", ["", "___", "and", "mcp__", "a" * 10_000, "get" * 5_000])
def test_any_name_has_a_rating(name: str) -> None:
    assert rate(name, {}) == (50, True)
