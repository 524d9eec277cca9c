"""Decide before an AI agent acts, ask a person where that is wanted, and keep the record.

The names here load what they need on first use, so that importing the package stays cheap.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, List

from .client import DashClaw, OpenClawAgent
from .errors import (
    ApiError,
    ApprovalDeniedError,
    ApprovalExpiredError,
    ApprovalPendingError,
    ApprovalTimeoutError,
    AuthenticationError,
    ClientClosedError,
    ConfigurationError,
    ConflictError,
    DashClawError,
    DeadlineExceededError,
    GoneError,
    GuardBlockedError,
    GuardUnavailableError,
    InvalidRequestError,
    MissingExtraError,
    NotFoundError,
    NotSentError,
    PayloadTooLargeError,
    PermissionDeniedError,
    RateLimitedError,
    ServerError,
    SigningError,
    TransportError,
    UnknownOutcomeError,
    UnreadableAnswerError,
    Verdict,
)

if TYPE_CHECKING:
    from ._governed import govern
    from ._retry import RetryPolicy
    from ._transport import PooledTransport
    from .aio import AsyncDashClaw
    from .requests_transport import RequestsTransport

    __version__: str

_LAZY = {
    "AsyncDashClaw": "aio",
    "PooledTransport": "_transport",
    "RequestsTransport": "requests_transport",
    "RetryPolicy": "_retry",
    "govern": "_governed",
}

__all__ = [
    "ApiError",
    "ApprovalDeniedError",
    "ApprovalExpiredError",
    "ApprovalPendingError",
    "ApprovalTimeoutError",
    "AsyncDashClaw",
    "AuthenticationError",
    "ClientClosedError",
    "ConfigurationError",
    "ConflictError",
    "DashClaw",
    "DashClawError",
    "DeadlineExceededError",
    "GoneError",
    "GuardBlockedError",
    "GuardUnavailableError",
    "InvalidRequestError",
    "MissingExtraError",
    "NotFoundError",
    "NotSentError",
    "OpenClawAgent",
    "PayloadTooLargeError",
    "PermissionDeniedError",
    "PooledTransport",
    "RateLimitedError",
    "RequestsTransport",
    "RetryPolicy",
    "ServerError",
    "SigningError",
    "TransportError",
    "UnknownOutcomeError",
    "UnreadableAnswerError",
    "Verdict",
    "__version__",
    "govern",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from ._version import version

        found: Any = version()
    elif name in _LAZY:
        from importlib import import_module

        found = getattr(import_module("." + _LAZY[name], __name__), name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = found
    return found


def __dir__() -> List[str]:
    return sorted({*globals(), *__all__})
