"""What the tables are made of."""

from __future__ import annotations

from sqlalchemy import Column, Integer, MetaData, String, Text

metadata = MetaData()


def json_column(name: str, **options: object) -> Column[str]:
    """A value kept as JSON text."""
    return Column(name, Text, info={"json": True}, **options)  # type: ignore[arg-type]


def flag(name: str, default: int = 0) -> Column[int]:
    """Yes or no, kept as 1 or 0."""
    return Column(name, Integer, nullable=False, server_default=str(default), info={"flag": True})


def key(name: str) -> Column[str]:
    """An id."""
    return Column(name, String(128), nullable=False)
