"""The runtime on each database, with a clock that tests move."""

from __future__ import annotations

from ..runtime.conftest import postgres_schema, sqlite_template, world

__all__ = ["postgres_schema", "sqlite_template", "world"]
