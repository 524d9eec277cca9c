"""What model calls cost: list prices by model, which an operator's file may change.

Amounts are whole nano-dollars (a billionth of a US dollar), so that sums are exact.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from dashclaw.errors import ConfigurationError

OURS = Path(__file__).parent / "data" / "model_prices.json"
NANO = 1_000_000_000
_PER_MILLION = NANO // 1_000_000
_DEAREST = 1_000_000
# "us.anthropic.claude-…" and "openai/gpt-…": who serves a model is no part of its name.
_PROVIDER = re.compile(r"^(?:.*/)?(?:[a-z][a-z-]*\.)*(?=[a-z])")
_BOUNDARY = re.compile(r"[-:@]")


class Price(NamedTuple):
    """US dollars per million tokens; `cached` and `cache_write` are for input read from and written to a cache."""

    input: float
    output: float
    cached: float
    cache_write: float


class Cost(NamedTuple):
    """Nano-dollars, and where they come from: the model's price, the default one, or the reporter."""

    nano: int
    source: str


class Prices:
    """Prices by the beginning of a model's name: the longest that ends at a hyphen, colon, at sign or the end wins."""

    def __init__(self, models: Mapping[str, Price], default: Price) -> None:
        self.models = dict(sorted(models.items()))
        self.default = default

    def find(self, model: str) -> Price | None:
        """The price of a model, whoever serves it and whatever date its name ends with; None when it has none."""
        name = _PROVIDER.sub("", model.strip().lower(), count=1)
        ends = [len(name), *(found.start() for found in reversed(list(_BOUNDARY.finditer(name))))]
        return next((self.models[name[:end]] for end in ends if name[:end] in self.models), None)

    def cost(
        self, model: str, tokens_in: int, tokens_out: int, *, cached_tokens: int = 0, cache_write_tokens: int = 0
    ) -> Cost:
        """What a call costs. Cached tokens are part of `tokens_in`; an unknown model has the dear default price."""
        known = self.find(model)
        price = known or self.default
        cached = min(cached_tokens, tokens_in)
        written = min(cache_write_tokens, tokens_in - cached)
        dollars = (
            (tokens_in - cached - written) * price.input
            + cached * price.cached
            + written * price.cache_write
            + tokens_out * price.output
        )
        return Cost(round(dollars * _PER_MILLION), "default" if known is None else "model")


@lru_cache(maxsize=8)
def load_prices(path: str | None = None) -> Prices:
    """Our prices, with those of the operator's file in place of ours; raises `ConfigurationError` for a wrong file."""
    models, default = _read(OURS)
    if path is not None:
        more, other = _read(Path(path).expanduser())
        models, default = {**models, **more}, other or default
    assert default is not None
    return Prices(models, default)


def dollars(nano: int) -> float:
    """Nano-dollars as US dollars."""
    return nano / NANO


def nano_dollars(amount: float) -> int:
    """US dollars as nano-dollars."""
    return round(amount * NANO)


def _read(path: Path) -> tuple[dict[str, Price], Price | None]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"DASHCLAW_MODEL_PRICES: {path} cannot be read: {error}") from error
    models = found.get("models") if isinstance(found, dict) else None
    if not isinstance(models, dict):
        raise ConfigurationError(f'DASHCLAW_MODEL_PRICES: {path} needs an object "models"')
    default = found.get("default")
    return (
        {name.lower(): _price(path, name, value) for name, value in models.items()},
        None if default is None else _price(path, "default", default),
    )


def _price(path: Path, name: str, value: Any) -> Price:
    given: dict[str, Any] = value if isinstance(value, dict) else {}
    wrong = [key for key in given if key not in Price._fields or not _is_price(given[key])]
    if wrong or not {"input", "output"} <= set(given):
        problem = f"{', '.join(wrong)} cannot be read" if wrong else '"input" and "output" are needed'
        raise ConfigurationError(f"DASHCLAW_MODEL_PRICES: {path}: {name}: {problem}; prices are USD per million tokens")
    usual = given["input"]
    return Price(usual, given["output"], given.get("cached", usual), given.get("cache_write", usual))


def _is_price(value: object) -> bool:
    return (
        isinstance(value, (int, float))
        and not isinstance(value, bool)
        and math.isfinite(value)
        and 0 <= value <= _DEAREST
    )
