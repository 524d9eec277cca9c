"""Everything `dashclaw` raises, as one tree.

::

    DashClawError                    status, code, details, request_id, retry_after
    ├── ConfigurationError           a setting is wrong (also a ValueError)
    │   └── MissingExtraError        an optional part is not installed (also an ImportError)
    ├── SigningError                 a body could not be signed; nothing was sent
    ├── TransportError               no usable answer arrived
    │   ├── NotSentError             the request never left: safe to repeat
    │   │   └── ClientClosedError    this client was closed: make a new one
    │   ├── UnknownOutcomeError      it left, no answer came: it may have happened
    │   ├── DeadlineExceededError    the time for the call ran out (also a TimeoutError)
    │   └── UnreadableAnswerError    an answer came, but not one of the contract
    ├── ApiError                     the server answered with an error
    │   ├── InvalidRequestError      400, 422
    │   ├── AuthenticationError      401
    │   ├── PermissionDeniedError    403
    │   ├── NotFoundError            404, 405
    │   ├── ConflictError            409
    │   ├── GoneError                410
    │   ├── PayloadTooLargeError     413
    │   ├── RateLimitedError         429
    │   └── ServerError              5xx
    └── Verdict                      the action must not run
        ├── GuardBlockedError        a policy forbids it
        ├── GuardUnavailableError    no decision could be had, so none was assumed
        ├── ApprovalPendingError     a person has to decide first
        ├── ApprovalDeniedError      a person said no
        ├── ApprovalExpiredError     nobody decided in time
        └── ApprovalTimeoutError     the wait ended before a decision (also a TimeoutError)

An adapter that must not break its host catches everything but `Verdict`.
Each class links to its section of ``docs/errors.md`` through `help_page`.
"""

from __future__ import annotations

from typing import Any, Dict, Mapping, Optional, Sequence, Tuple

_DOCS = "docs/errors.md#"


class DashClawError(Exception):
    """Base of all errors of this package.

    `status` is the HTTP status or None, `code` the machine-readable reason, `details` what the server
    added, `request_id` the id to quote to an operator, `retry_after` seconds the server asked to wait.
    """

    def __init__(
        self,
        message: str,
        *,
        status: Optional[int] = None,
        code: Optional[str] = None,
        details: Any = None,
        request_id: Optional[str] = None,
        retry_after: Optional[float] = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.code = code
        self.details = details
        self.request_id = request_id
        self.retry_after = retry_after

    @property
    def help_page(self) -> str:
        """The page of the documentation that explains this error."""
        return _DOCS + type(self).__name__.lower()

    def __str__(self) -> str:
        return self.message if self.request_id is None else f"{self.message} (request {self.request_id})"

    def __reduce__(self) -> Tuple[Any, ...]:
        # The default would call __init__ with `args` alone and lose the keyword-only attributes.
        return (_restore, (type(self), self.args, dict(self.__dict__)))


def _restore(kind: Any, args: Tuple[Any, ...], state: Dict[str, Any]) -> DashClawError:
    error: DashClawError = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(state)
    return error


class ConfigurationError(DashClawError, ValueError):
    """A setting is missing, malformed or contradicts another."""


class MissingExtraError(ConfigurationError, ImportError):
    """An optional part of the package is needed and not installed; the message names the extra."""


class SigningError(DashClawError):
    """A body could not be signed; nothing was sent."""


class TransportError(DashClawError):
    """No usable answer arrived."""


class NotSentError(TransportError):
    """The request never left this machine, so repeating it is safe."""


class ClientClosedError(NotSentError):
    """The client was closed before the call."""


class UnknownOutcomeError(TransportError):
    """The request was sent and no answer came: it may or may not have happened.

    `silent` is true when not even the first byte of an answer came.
    """

    silent = False


class DeadlineExceededError(TransportError, TimeoutError):
    """The time for the whole call ran out; `sent` tells whether the request had left by then."""

    sent = True


class UnreadableAnswerError(TransportError):
    """An answer came that is not one of the contract: bad JSON, HTML, a list for an object."""


class ApiError(DashClawError):
    """The server answered with an error status."""


class InvalidRequestError(ApiError):
    """The request itself is wrong (400, 422); `details` lists what."""


class AuthenticationError(ApiError):
    """The key is missing, unknown or revoked, or a signature is wrong (401)."""


class PermissionDeniedError(ApiError):
    """The key may not do this (403)."""


class NotFoundError(ApiError):
    """There is no such thing in this organisation (404, 405)."""


class ConflictError(ApiError):
    """The thing is in another state, or the id or key is taken (409)."""


class GoneError(ApiError):
    """The thing existed and has expired (410)."""


class PayloadTooLargeError(ApiError):
    """The body is over the server's limit (413)."""


class RateLimitedError(ApiError):
    """Too many requests (429); `retry_after` says when to come back."""


class ServerError(ApiError):
    """The server failed (5xx)."""


class Verdict(DashClawError):
    """The action must not run: the one kind of error that is meant to stop the host.

    `action_id` names the recorded action when there is one.
    """

    def __init__(self, message: str, *, action_id: Optional[str] = None, **context: Any) -> None:
        super().__init__(message, **context)
        self.action_id = action_id


class GuardBlockedError(Verdict):
    """A policy forbids the action. Carries the decision: reasons, warnings, matched policies, risk score."""

    def __init__(
        self,
        message: str,
        *,
        decision: Optional[Mapping[str, Any]] = None,
        status: Optional[int] = 403,
        **context: Any,
    ) -> None:
        super().__init__(message, status=status, **context)
        self.decision: Mapping[str, Any] = decision if decision is not None else {}

    @property
    def reasons(self) -> Sequence[str]:
        """Why, one sentence per policy."""
        return list(self.decision.get("reasons") or [])

    @property
    def warnings(self) -> Sequence[str]:
        """What else the guard noticed."""
        return list(self.decision.get("warnings") or [])

    @property
    def matched_policies(self) -> Sequence[str]:
        """Ids of the policies that fired."""
        return list(self.decision.get("matched_policies") or [])

    @property
    def risk_score(self) -> Optional[int]:
        """The score the guard used, 0..100."""
        score: Optional[int] = self.decision.get("risk_score")
        return score


class GuardUnavailableError(Verdict):
    """No decision could be had, and `guard_failure` is "closed"."""


class ApprovalPendingError(Verdict):
    """A person has to decide first; `action_id` is what waits."""

    def __init__(self, message: str, *, status: Optional[int] = 202, **context: Any) -> None:
        super().__init__(message, status=status, **context)


class ApprovalDeniedError(Verdict):
    """A person denied the action."""

    def __init__(self, message: str, *, status: Optional[int] = 403, **context: Any) -> None:
        super().__init__(message, status=status, **context)


class ApprovalExpiredError(Verdict):
    """Nobody decided before the approval expired."""

    def __init__(self, message: str, *, status: Optional[int] = 410, **context: Any) -> None:
        super().__init__(message, status=status, **context)


class ApprovalTimeoutError(Verdict, TimeoutError):
    """The wait ended before a decision; the action still waits on the server."""


_BY_STATUS: Mapping[int, type] = {
    400: InvalidRequestError,
    401: AuthenticationError,
    403: PermissionDeniedError,
    404: NotFoundError,
    405: NotFoundError,
    409: ConflictError,
    410: GoneError,
    413: PayloadTooLargeError,
    422: InvalidRequestError,
    429: RateLimitedError,
}


def error_for_status(status: int) -> type:
    """Return the class of `ApiError` that stands for an HTTP status."""
    return _BY_STATUS.get(status) or (ServerError if status >= 500 else ApiError)
