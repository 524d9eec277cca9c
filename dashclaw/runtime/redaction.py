"""Secrets are taken out of free text before it is stored."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from dashclaw._detect import Finding, find_secrets
from dashclaw._redact import mask, summary

Find = Callable[[str], list[Finding]]


def redact_fields(
    values: dict[str, Any], names: Iterable[str], find: Find = find_secrets
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the values with secrets in the named fields masked, and the `security` summary of what was found.

    Lists and objects under those names are searched as well. `find` says what is to be masked.
    """
    changed = dict(values)
    found: list[Finding] = []
    for name in names:
        if (value := values.get(name)) is not None:
            changed[name] = _masked(value, find, found)
    return changed, summary(found)


def _masked(value: Any, find: Find, found: list[Finding]) -> Any:
    if isinstance(value, str):
        here = find(value)
        found += here
        return mask(value, here)
    if isinstance(value, list):
        return [_masked(item, find, found) for item in value]
    if isinstance(value, dict):
        return {key: _masked(item, find, found) for key, item in value.items()}
    return value
