"""Between rows and values: JSON text and 0/1 flags on one side, Python values on the other."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from sqlalchemy import Table

from dashclaw._json import compact


def _dump(value: Any) -> str:
    if not value and isinstance(value, (dict, list, tuple)):
        return "{}" if isinstance(value, dict) else "[]"
    return compact(value)


def _load(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


@lru_cache(maxsize=64)
def _marked(table: Table) -> tuple[frozenset[str], frozenset[str]]:
    columns = list(table.columns)
    return (
        frozenset(column.name for column in columns if column.info.get("json")),
        frozenset(column.name for column in columns if column.info.get("flag")),
    )


def encode(table: Table, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return `values` as the table stores them."""
    json_columns, flags = _marked(table)
    row = dict(values)
    for name in json_columns:
        if row.get(name) is not None:
            row[name] = _dump(row[name])
    for name in flags:
        if row.get(name) is not None:
            row[name] = int(row[name])
    return row


def decode(table: Table, row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a stored row as Python values; columns of other tables and JSON that cannot be read pass unchanged."""
    json_columns, flags = _marked(table)
    found = dict(row)
    for name in json_columns:
        if isinstance(found.get(name), str):
            found[name] = _load(found[name])
    for name in flags:
        if name in found and found[name] is not None:
            found[name] = bool(found[name])
    return found
