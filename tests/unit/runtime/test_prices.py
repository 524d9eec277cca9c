"""What model calls cost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dashclaw import ConfigurationError
from dashclaw.runtime.prices import NANO, load_prices

OURS = load_prices()


def test_a_call_costs_its_tokens_times_the_price_of_the_model() -> None:
    assert OURS.cost("gpt-4o-mini", 1_000_000, 1_000_000).nano == round(0.75 * NANO)
    assert OURS.cost("gpt-4o-mini", 1, 0) == (150, "model")


@pytest.mark.parametrize(
    ("model", "like"),
    [
        ("gpt-4o-2024-08-06", "gpt-4o"),
        ("GPT-4o-mini-2024-07-18", "gpt-4o-mini"),
        ("openai/gpt-4.1", "gpt-4.1"),
        ("us.anthropic.claude-3-5-haiku-20241022-v1:0", "claude-3-5-haiku"),
        ("anthropic/claude-sonnet-4-5@20250929", "claude-sonnet-4-5"),
        ("claude-haiku-9-20990101", "claude-haiku"),
        ("ft:gpt-4o-mini", None),
        ("gpt-5.9", None),
        ("gpt-4ooo", None),
        ("", None),
        ("-", None),
    ],
)
def test_the_longest_beginning_of_the_name_that_has_a_price_is_taken(model: str, like: str | None) -> None:
    assert OURS.find(model) == (None if like is None else OURS.models[like])


def test_a_model_without_a_price_costs_the_dear_default_and_says_so() -> None:
    assert OURS.cost("home-made", 1_000_000, 0) == (15 * NANO, "default")
    assert OURS.default.output >= max(price.output for name, price in OURS.models.items() if name.startswith("claude"))


def test_cached_input_has_its_own_price() -> None:
    price = OURS.models["claude-sonnet-4-5"]
    whole = OURS.cost("claude-sonnet-4-5", 1000, 0)
    cached = OURS.cost("claude-sonnet-4-5", 1000, 0, cached_tokens=400, cache_write_tokens=100)
    expected = 500 * price.input + 400 * price.cached + 100 * price.cache_write
    assert cached.nano == round(expected * 1000)
    assert cached.nano < whole.nano
    beyond = OURS.cost("claude-sonnet-4-5", 10, 0, cached_tokens=99, cache_write_tokens=99)
    assert beyond.nano == round(10 * price.cached * 1000)


def test_the_price_of_a_fraction_of_a_cent_is_exact_in_a_sum() -> None:
    assert sum(OURS.cost("gpt-5-nano", 1, 1).nano for _ in range(10_000)) == 10_000 * 450


def written(folder: Path, content: Any) -> str:
    path = folder / "prices.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return str(path)


def test_a_file_of_the_operator_goes_before_ours(tmp_path: Path) -> None:
    mine = {"models": {"GPT-4o": {"input": 1, "output": 2}, "home-made": {"input": 0, "output": 0.5, "cached": 0}}}
    prices = load_prices(written(tmp_path, mine))
    assert prices.cost("gpt-4o", 1_000_000, 0).nano == NANO
    assert prices.cost("home-made-7b", 9, 2) == (1000, "model")
    assert prices.find("o3") == OURS.find("o3")
    assert prices.default == OURS.default


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "cannot be read"),
        ([], 'needs an object "models"'),
        ({"models": {"m": {"input": 1}}}, '"input" and "output" are needed'),
        ({"models": {"m": {"input": -1, "output": 1}}}, "m: input cannot be read"),
        ({"models": {"m": {"input": True, "output": 1}}}, "m: input cannot be read"),
        ({"models": {"m": {"input": 1, "output": 1, "out": 1}}}, "m: out cannot be read"),
        ('{"models": {"m": {"input": NaN, "output": 1}}}', "m: input cannot be read"),
        ({"models": {}, "default": 5}, "default: "),
    ],
)
def test_a_wrong_file_is_refused_with_what_is_wrong(tmp_path: Path, content: Any, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        load_prices(written(tmp_path, content))


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"DASHCLAW_MODEL_PRICES.*nowhere"):
        load_prices(str(tmp_path / "nowhere.json"))
