"""What a check found."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

Level = Literal["ok", "note", "warning", "error"]
LEVELS: tuple[Level, ...] = ("ok", "note", "warning", "error")


class Mend(NamedTuple):
    """A safe way to put something right: what it does, as a question to be answered with yes, and the doing."""

    question: str
    run: Callable[[], Any]


class Finding(NamedTuple):
    """One thing that was looked at. Without `why` and `todo` there is nothing to do about it."""

    check: str
    level: Level
    what: str
    why: str = ""
    todo: str = ""
    mend: Mend | None = None

    @property
    def document(self) -> dict[str, Any]:
        """What a program reads."""
        found = {name: value for name, value in self._asdict().items() if name != "mend"}
        return {**found, "mendable": self.mend is not None}
