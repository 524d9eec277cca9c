"""A replay as one HTML page that needs nothing else: no script, no picture, no request."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from dashclaw._inert import inert

from . import wording

if TYPE_CHECKING:
    from jinja2 import Environment


def replay_page(document: Mapping[str, Any]) -> str:
    """The page; whatever an agent wrote is inert text in it. Raises `ImportError` without Jinja2."""
    return _environment().get_template("replay.html").render(replay=document, say=wording)


@lru_cache(maxsize=1)
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    return Environment(
        loader=PackageLoader(__package__ or ""),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _finalize(value: Any) -> Any:
    # Markup has been through here already.
    return inert(value) if type(value) is str else value
