"""A bundle as one HTML page that needs nothing else: no script, no picture, no request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from dashclaw._inert import inert

from . import wording
from .summary import MOST_ROWS

if TYPE_CHECKING:
    from jinja2 import Environment

    from .summary import Summary


def bundle_page(
    manifest: Mapping[str, Any],
    summary: Summary,
    keys: Sequence[Mapping[str, Any]],
    agents: Sequence[Mapping[str, Any]],
) -> str:
    """The page; whatever an agent wrote is inert text in it. Raises `ImportError` without Jinja2."""
    template = _environment().get_template("report.html")
    return template.render(
        manifest=manifest, found=summary, keys=keys, agents=agents, say=wording, most=MOST_ROWS, count=_count
    )


@lru_cache(maxsize=1)
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    return Environment(
        loader=PackageLoader(__package__ or "", "auditor"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _finalize(value: Any) -> Any:
    # Markup has been through here already.
    return inert(value) if type(value) is str else value


def _count(number: int, one: str, more: str | None = None) -> str:
    """A number with its noun."""
    return f"{number:,} {one if number == 1 else more or one + 's'}"
