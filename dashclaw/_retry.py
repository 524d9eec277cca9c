"""When to try again: decided from what happened, without sleeping or looking at a clock."""

from __future__ import annotations

from typing import Any, Callable, Mapping, NamedTuple, Optional

from .errors import ConfigurationError

AFTER_SENDING = frozenset({429, 502, 503, 504})


class Outcome(NamedTuple):
    """How one try ended. `attempt` counts from 1; `status` is None when no answer came.

    `sent` is false when the request never left this machine.
    """

    attempt: int
    status: Optional[int] = None
    sent: bool = True
    headers: Optional[Mapping[str, str]] = None


def _random() -> float:
    import random

    return random.random()  # noqa: S311 - spreads retries, protects nothing


def _now() -> float:
    import time

    return time.time()


class RetryPolicy(NamedTuple):
    """At most `attempts` tries with exponential pauses of `base` seconds, doubled up to `cap`, with jitter.

    A `Retry-After` up to `longest_hint` seconds is obeyed, a longer one ends the call. What was not sent is
    always tried again; what was sent without an answer, and 429, 502, 503 and 504, only when the request is
    repeatable: a safe verb, or one with an idempotency key.
    """

    attempts: int = 3
    base: float = 0.25
    cap: float = 8.0
    longest_hint: float = 60.0
    jitter: Callable[[], float] = _random
    now: Callable[[], float] = _now

    def delay(self, seen: Outcome, *, repeatable: bool) -> Optional[float]:
        """Seconds to wait before the next try, or None to give up."""
        if seen.attempt >= self.attempts:
            return None
        if seen.status is not None and seen.status not in AFTER_SENDING:
            return None
        if seen.sent and not repeatable:
            return None
        hint = retry_after(seen.headers or {}, self.now)
        if hint is not None:
            return hint if hint <= self.longest_hint else None
        pause: float = min(self.cap, self.base * 2 ** (seen.attempt - 1))
        return pause * (0.5 + self.jitter() / 2)


def check_retry(policy: Any) -> Any:
    """Return the policy, or the usual one for None; raises `ConfigurationError` for what cannot be one."""
    if policy is None:
        return RetryPolicy()
    if not callable(getattr(policy, "delay", None)):
        raise ConfigurationError("retry is a RetryPolicy, such as RetryPolicy(attempts=5)")
    if not isinstance(policy, RetryPolicy):
        return policy
    if not (policy.attempts >= 1 and all(seconds >= 0 for seconds in (policy.base, policy.cap, policy.longest_hint))):
        raise ConfigurationError("RetryPolicy needs attempts >= 1 and no negative seconds")
    return policy


def retry_after(headers: Mapping[str, str], now: Callable[[], float] = _now) -> Optional[float]:
    """The `Retry-After` of an answer in seconds from now: a number or an HTTP date; None when there is none."""
    text = headers.get("retry-after")
    if text is None:
        return None
    try:
        seconds = float(text)
        return max(0.0, seconds) if seconds == seconds and seconds != float("inf") else None
    except ValueError:
        return _until(text, now)


def _until(text: str, now: Callable[[], float]) -> Optional[float]:
    from email.utils import parsedate_to_datetime

    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - now())
    except (TypeError, ValueError, IndexError, OverflowError):
        return None
