"""Whether a form was sent by a page of this site, by the one it was given to."""

from __future__ import annotations

import base64
import binascii
import hmac
import secrets
from hashlib import sha256
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from dashclaw.runtime.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.requests import Request

FIELD = "csrf"
HEADER = "x-csrf-token"
_SIZE = 32


class Tokens:
    """Tokens bound to a session. Each page gets another spelling, so that its compressed size tells nothing."""

    def __init__(self, secret: str) -> None:
        self._key = sha256(b"csrf:" + secret.encode()).digest()

    def issue(self, bound_to: str) -> str:
        """A token for the forms of a page."""
        mask = secrets.token_bytes(_SIZE)
        return base64.urlsafe_b64encode(mask + _xor(mask, self._plain(bound_to))).decode().rstrip("=")

    def check(self, bound_to: str, token: str) -> None:
        """Raise `Problem` 403 for a token that was not issued for this."""
        try:
            raw = base64.urlsafe_b64decode(token + "==")
        except (binascii.Error, ValueError):
            raw = b""
        mask, masked = raw[:_SIZE], raw[_SIZE:]
        if len(raw) != 2 * _SIZE or not hmac.compare_digest(_xor(mask, masked), self._plain(bound_to)):
            raise Problem(403, "FORM_REFUSED", "This form is from an earlier page: load the page again and repeat it")

    def _plain(self, bound_to: str) -> bytes:
        return hmac.digest(self._key, bound_to.encode(), "sha256")


def _xor(left: bytes, right: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(left, right, strict=False))


def check_origin(request: Request, also: Sequence[str] = ()) -> None:
    """Raise `Problem` 403 for a request that a page of another site sent; `also` are further hosts of this one."""
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise _foreign()
    origin = request.headers.get("origin")
    # A page that passes no referrer on sends "null"; only the browser itself can then say that it was of this site.
    if origin is None or (origin == "null" and request.headers.get("sec-fetch-site") == "same-origin"):
        return
    host = urlsplit(origin).netloc.lower()
    if not host or host not in {request.headers.get("host", "").lower(), *also}:
        raise _foreign()


def _foreign() -> Problem:
    return Problem(403, "FOREIGN_ORIGIN", "Another site sent this form; nothing was changed")
