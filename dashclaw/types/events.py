"""Events and heartbeats."""

from __future__ import annotations

from typing import Any, Optional

from .._compat import TypedDict


class HeartbeatAnswer(TypedDict):
    """The answer to `heartbeat`."""

    status: str
    timestamp: str


class ServerEvent(TypedDict):
    """One event of the stream; `data` is the decoded JSON, or the text where it is none."""

    id: Optional[str]
    event: str
    data: Any
