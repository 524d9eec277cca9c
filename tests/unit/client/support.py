"""What the client's tests share: a transport that does as it is told, and waiting for a condition."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from typing import Any

from dashclaw import DashClaw, RetryPolicy
from dashclaw._transport import Request, Response

Outcome = Response | Exception | Callable[[Request], Response]


def answer(body: Any, status: int = 200, **headers: str) -> Response:
    return Response(
        status, {name.replace("_", "-"): value for name, value in headers.items()}, json.dumps(body).encode()
    )


class Scripted:
    """Plays a list of outcomes, one per request; the last one is repeated."""

    def __init__(self, *outcomes: Outcome) -> None:
        self.outcomes = list(outcomes)
        self.requests: list[Request] = []
        self.timeouts: list[float] = []
        self.closed = False

    def send(self, request: Request, timeout: float) -> Response:
        self.requests.append(request)
        self.timeouts.append(timeout)
        outcome = self.outcomes.pop(0) if len(self.outcomes) > 1 else self.outcomes[0]
        if isinstance(outcome, Exception):
            raise outcome
        return outcome if isinstance(outcome, Response) else outcome(request)

    def close(self) -> None:
        self.closed = True

    @property
    def bodies(self) -> list[Any]:
        return [json.loads(request.body) if request.body else None for request in self.requests]


def patient() -> RetryPolicy:
    """The usual policy without its pauses."""
    return RetryPolicy(base=0.0, cap=0.0, jitter=lambda: 0.0)


def client(*outcomes: Outcome, **settings: Any) -> tuple[DashClaw, Scripted]:
    transport = Scripted(*outcomes)
    settings.setdefault("retry", patient())
    settings.setdefault("agent_id", "me")
    return DashClaw(transport=transport, **settings), transport


def eventually(condition: Callable[[], Any], seconds: float = 10.0) -> Any:
    """Return the first true value of a condition; fails when there is none in time."""
    ends = time.monotonic() + seconds
    pause = threading.Event()
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < ends, "the condition never came true"
        pause.wait(0.005)
