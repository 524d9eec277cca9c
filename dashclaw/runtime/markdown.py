"""Text of others within Markdown, without letting it become markup."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

_SIGNS = re.compile(r"([\\`*_{}\[\]|#~!])")


def inline(value: Any) -> str:
    """A value as one line in which nothing is markup."""
    text = " ".join(str(value).split())
    return _SIGNS.sub(r"\\\1", text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def code(value: Any) -> str:
    """A value as a code span."""
    text = " ".join(str(value).split()).replace("`", "'").replace("|", "\\|")
    return f"`{text}`"


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """The lines of a table; the cells are Markdown already."""
    head = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    return head + ["| " + " | ".join(row) + " |" for row in rows]
