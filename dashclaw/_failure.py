"""The one place that decides what a failure of ours means for the work that is governed.

Before the body no decision means no action, unless the user chose `guard_failure="open"`; a refusal is
never overridden. After the body nothing of ours changes what happened.
"""

from __future__ import annotations

from typing import Optional

from .errors import DashClawError, GuardUnavailableError, RateLimitedError, ServerError, TransportError


def nobody_answered(error: DashClawError) -> bool:
    """Whether the error means that there was no decision, rather than a refusal."""
    return isinstance(error, (TransportError, ServerError, RateLimitedError))


def before_body(error: DashClawError, guard_failure: str) -> Optional[DashClawError]:
    """Return what to raise instead of running the body, or None to run it and log the error."""
    if not nobody_answered(error):
        return error
    if guard_failure == "open":
        return None
    refusal = GuardUnavailableError(
        f"No decision could be had, so the action does not run: {error}",
        status=error.status,
        code=error.code,
        request_id=error.request_id,
        retry_after=error.retry_after,
    )
    refusal.__cause__ = error
    return refusal


def after_body(error: BaseException) -> bool:
    """Whether an error of recording the outcome is only logged: everything but what ends the program."""
    return isinstance(error, Exception)
