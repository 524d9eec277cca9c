"""What the runtime answers when it refuses: one value, one shape on every edge."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


class Problem(Exception):
    """A refusal with its HTTP status, machine-readable code and a sentence that says what to do.

    `details` are sentences, `fields` are `{field, message}` pairs, `extra` goes into the body as it is.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        details: Sequence[str] = (),
        fields: Sequence[Mapping[str, str]] = (),
        headers: Mapping[str, str] | None = None,
        **extra: Any,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.details = tuple(details)
        self.fields = tuple(fields)
        self.headers = dict(headers or {})
        self.extra = extra

    def body(self, request_id: str | None = None) -> dict[str, Any]:
        """The JSON body: `{error, code, details?, fields?, request_id?}` and what the problem adds."""
        found: dict[str, Any] = {"error": self.message, "code": self.code}
        if self.details:
            found["details"] = list(self.details)
        if self.fields:
            found["fields"] = [dict(field) for field in self.fields]
        if request_id is not None:
            found["request_id"] = request_id
        return {**found, **self.extra}


def invalid(field: str, message: str) -> Problem:
    """Return the 400 for one wrong field."""
    return Problem(
        400,
        "VALIDATION_FAILED",
        "Validation failed",
        details=[f"{field}: {message}"],
        fields=[{"field": field, "message": message}],
    )


def not_found(what: str, name: str) -> Problem:
    """Return the 404 for an id that this organisation does not have."""
    return Problem(404, "NOT_FOUND", f"There is no {what} {name!r} in this organisation")


def conflict(message: str, code: str = "CONFLICT") -> Problem:
    """Return the 409 for a thing that is in another state."""
    return Problem(409, code, message)


def check_unchanged(row: Mapping[str, Any], seen: str | None, what: str) -> None:
    """Raise `Problem` 409 when something changed since it was seen with the `updated_at` of then; None was not seen."""
    if seen not in (None, row["updated_at"]):
        raise conflict(f"The {what} changed at {row['updated_at']}: look at it again, then decide", "CHANGED_MEANWHILE")


def forbidden(message: str, code: str = "FORBIDDEN", **extra: Any) -> Problem:
    """Return the 403 for a caller who may not do this."""
    return Problem(403, code, message, **extra)


def unavailable() -> Problem:
    """Return the 503 for a database that did not answer."""
    text = "The database did not answer; nothing was changed"
    return Problem(503, "STORAGE_UNAVAILABLE", text, headers={"Retry-After": "1"})
