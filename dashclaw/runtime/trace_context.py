"""W3C trace context: in which span of which trace somebody asks."""

from __future__ import annotations

import re

_HEADER = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(-.*)?")
_NO_VERSION = "ff"


def span_of(traceparent: str) -> dict[str, str]:
    """Return the `trace_id` and the `span_id` of a header, in hex; nothing for what is malformed or all zeros."""
    found = _HEADER.fullmatch(traceparent.strip())
    if found is None:
        return {}
    version, trace_id, span_id, more = found.groups()
    if version == _NO_VERSION or (version == "00" and more) or not trace_id.strip("0") or not span_id.strip("0"):
        return {}
    return {"trace_id": trace_id, "span_id": span_id}
