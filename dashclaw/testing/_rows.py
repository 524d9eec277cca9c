"""Rows in memory: find, filter, count and page them as the server does."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import Any, Mapping


class RefusedError(Exception):
    """An answer with an error status."""

    def __init__(self, status: int, code: str, message: str, **extra: Any) -> None:
        super().__init__(message)
        self.status = status
        self.body = {"error": message, "code": code, **extra}


def now() -> str:
    """The time as the server writes it."""
    return datetime.now(timezone.utc).isoformat().replace("+00:00", "Z")


def text(value: Any) -> str:
    """A value as one line of JSON."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)


def require(body: Mapping[str, Any], *names: str) -> None:
    """Raise `RefusedError` unless a body has these fields."""
    missing = [name for name in names if not body.get(name)]
    if missing:
        details = [f"{name}: is required" for name in missing]
        raise RefusedError(400, "VALIDATION_FAILED", "Validation failed", details=details)


def find(rows: Mapping[str, dict[str, Any]], key: str, what: str) -> dict[str, Any]:
    """The row with a key; raises `RefusedError` when there is none."""
    if key not in rows:
        raise RefusedError(404, "NOT_FOUND", f"There is no {what} {key!r} in this organisation")
    return rows[key]


def of(rows: Mapping[str, dict[str, Any]], action_id: str) -> list[dict[str, Any]]:
    """Copies of the rows that belong to an action."""
    return [dict(row) for row in rows.values() if row["action_id"] == action_id]


def filtered(rows: list[dict[str, Any]], query: Mapping[str, str], *names: str) -> list[dict[str, Any]]:
    """The rows that have what a query asks for, among these fields."""
    asked = {name: query[name] for name in names if name in query}
    return [row for row in rows if all(row.get(name) == value for name, value in asked.items())]


def page(name: str, rows: list[dict[str, Any]], query: Mapping[str, str], default: int) -> dict[str, Any]:
    """One page of a list as the server shows it."""
    limit, offset = int(query.get("limit", default)), int(query.get("offset", 0))
    found = [dict(row) for row in rows[offset : offset + limit]]
    more = offset + len(found) < len(rows)
    return {name: found, "total": len(rows), "limit": limit, "offset": offset, "has_more": more, "lastUpdated": now()}


def count(rows: list[dict[str, Any]], **fields: Any) -> int:
    """How many rows have these fields."""
    return sum(all(row.get(name) == value for name, value in fields.items()) for row in rows)


def valid_last(row: Mapping[str, Any]) -> bool:
    """A sort key that puts the invalidated first."""
    return not row["invalidated"]
