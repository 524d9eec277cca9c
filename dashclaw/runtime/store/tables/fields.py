"""Columns that a caller fills as they are, and the tables made of them.

Each says in `info["given"]` what may be sent, so that a table is the one place where a record's fields stand: the
input model, the stored row and the answer follow from it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from sqlalchemy import Column, Float, Index, Integer, PrimaryKeyConstraint, String, Table, Text

from .columns import json_column, key, metadata

_LARGEST_INTEGER = 2**31 - 1


class Given(NamedTuple):
    """What may be sent for a field: its form, the bounds of its length or value, and another name for it."""

    form: str
    required: bool = False
    default: Any = None
    lowest: float = 0
    highest: float = 0
    also: str = ""


def words(name: str, longest: int, *, required: bool = False, default: str | None = None) -> Column[str]:
    """Text of so many characters; one that is required is not empty."""
    given = Given("text", required, default, highest=longest)
    return Column(name, Text, nullable=not required and default is None, info={"given": given})


def whole(
    name: str, lowest: int = 0, highest: int = _LARGEST_INTEGER, *, default: int | None = None
) -> Column[int | None]:
    """A whole number between two bounds."""
    given = Given("whole", False, default, lowest, highest)
    return Column(name, Integer, nullable=default is None, info={"given": given})


def amount(name: str, highest: float = 1e12) -> Column[float | None]:
    """A number from 0 up."""
    return Column(name, Float, info={"given": Given("number", highest=highest)})


def yes_or_no(name: str, also: str = "") -> Column[int | None]:
    """Yes, no, or not said."""
    return Column(name, Integer, info={"flag": True, "given": Given("flag", also=also)})


def tags(name: str = "tags") -> Column[str]:
    """Up to 50 words."""
    return _json(name, "tags")


def anything(name: str) -> Column[str]:
    """Any JSON value."""
    return _json(name, "anything")


def _json(name: str, form: str) -> Column[str]:
    return Column(name, Text, info={"json": True, "given": Given(form)})


def record_table(name: str, *fields: Column[Any] | Index, unique: bool = False) -> Table:
    """A table of records that belong to an organisation and, mostly, to an agent.

    With `unique` a record can be saved again: `digest` tells it from the others.
    """
    again = (
        (
            Column("digest", String(64), nullable=False),
            Column("updated_at", String(32), nullable=False),
            Index(f"{name}_by_digest", "org_id", "digest", unique=True),
        )
        if unique
        else ()
    )
    return Table(
        name,
        metadata,
        key("org_id"),
        key("id"),
        Column("agent_id", String(128)),
        *(field for field in fields if isinstance(field, Column)),
        json_column("metadata"),
        Column("created_at", String(32), nullable=False),
        PrimaryKeyConstraint("org_id", "id"),
        Index(f"{name}_by_time", "org_id", "created_at"),
        Index(f"{name}_by_agent", "org_id", "agent_id", "created_at"),
        *again,
        *(index for index in fields if isinstance(index, Index)),
    )
