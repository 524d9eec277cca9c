"""W3C trace context, by the words of its specification."""

from __future__ import annotations

import pytest

from dashclaw.runtime.trace_context import span_of

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
FOUND = {"trace_id": TRACE, "span_id": SPAN}


@pytest.mark.parametrize(
    "header",
    [f"00-{TRACE}-{SPAN}-01", f"00-{TRACE}-{SPAN}-00", f" 00-{TRACE}-{SPAN}-03 ", f"cc-{TRACE}-{SPAN}-01-what-comes"],
)
def test_a_span(header: str) -> None:
    assert span_of(header) == FOUND


@pytest.mark.parametrize(
    "header",
    [
        "",
        "nonsense",
        f"00-{TRACE}-{SPAN}",
        f"00-{TRACE}-{SPAN}-01-more",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE[:-1]}-{SPAN}-01",
        f"cc-{TRACE}-{SPAN}-01what",
    ],
)
def test_none(header: str) -> None:
    assert span_of(header) == {}
