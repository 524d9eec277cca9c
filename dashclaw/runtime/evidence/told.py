"""What an event tells of a row: whose, in which words, when."""

from __future__ import annotations

import re

# The id of the record, the event's data as stored (None when only its record is left), and its moment.
Told = tuple[str, "str | None", str]

# Data is our own compact JSON, in which a quote within a value is escaped.
_ROW = re.compile('"row":"([0-9a-f]{64})"')
_LAST = '"row":"'
_START, _END = -73, -66


def digest_in(data: str | None) -> str | None:
    """The digest of the row that an event's data holds; None for none."""
    if not isinstance(data, str):
        return None
    if data[_START:_END] == _LAST and data[-2:] == '"}':
        return data[_END:-2]
    found = _ROW.search(data)
    return None if found is None else found[1]
