"""Finds a framework, or says which extra brings it."""

from __future__ import annotations

import importlib
import importlib.metadata
import re
import sys
from typing import Any

from dashclaw.errors import MissingExtraError

_NUMBERS = re.compile(r"\d+(?:\.\d+)*")


def framework(extra: str, distribution: str, floor: str, *names: str) -> list[Any]:
    """Return modules ("a.b") and their attributes ("a.b:Name") of an installed framework, in the order of `names`.

    Raises `MissingExtraError`, which names the extra, the version that is needed and the one that was found, when the
    distribution is missing or older than `floor`, or when something else of that name is in its place.
    """
    needed = f'This integration needs {distribution} {floor} or newer: pip install "dashclaw[{extra}]"'
    try:
        found = importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError as error:
        raise MissingExtraError(f"{needed} (found: none)") from error
    if release(found) < release(floor):
        raise MissingExtraError(f"{needed} (found: {found})")
    try:
        return [_named(name) for name in names]
    except Exception as error:
        raise MissingExtraError(f"{needed} (found: {found}, but {_blame(names)}: {error!r})") from error


def _named(name: str) -> Any:
    module, _, attribute = name.partition(":")
    found = importlib.import_module(module)
    return getattr(found, attribute) if attribute else found


def release(version: str) -> tuple[int, ...]:
    """Return the numbers that a version begins with; of a pre-release those of the release that it leads to."""
    numbers = _NUMBERS.match(version)
    parts = [int(part) for part in numbers.group().split(".")] if numbers else []
    while parts and parts[-1] == 0:
        parts.pop()
    return tuple(parts)


def _blame(names: tuple[str, ...]) -> str:
    """Say where the modules came from: a file of the user may stand in the place of the framework."""
    top = names[0].partition(":")[0].partition(".")[0]
    place = getattr(sys.modules.get(top), "__file__", None)
    return f"{top} was read from {place}" if place else f"{top} cannot be imported"
