"""Regular expressions that are compiled when they are first used.

Compiling those of the detector takes longer than all else that a coding agent's hook imports, and a text needs few.
"""

from __future__ import annotations

import re
from typing import Any, Pattern


class _Regex:
    """Stands for a pattern; each of its methods is looked up once."""

    def __init__(self, text: str, flags: int) -> None:
        self._text = text
        self._flags = flags

    def __getattr__(self, name: str) -> Any:
        # What `re` has compiled it keeps, so a second method costs a look-up there.
        found = getattr(re.compile(self._text, self._flags), name)
        self.__dict__[name] = found
        return found


def regex(text: str, flags: int = 0) -> Pattern[str]:
    """Return the pattern, which is compiled by the first call of a method."""
    found: Any = _Regex(text, flags)
    pattern: Pattern[str] = found
    return pattern
