"""One call of a webhook: may it be called, and what came of it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import datetime
from http.client import HTTPException
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from .guard import why_not_public
from .outward import TargetError, post, signed
from .payloads import shaped

if TYPE_CHECKING:
    from .settings import Settings

SECONDS_TO_ANSWER = 10.0
KEPT_CHARACTERS = 2000
_LONGEST_WISH = 3600


class Outcome(NamedTuple):
    """What came of one call; `error` is a sentence, and there when it failed. `retry_after` is in seconds."""

    status: int | None
    body: str
    error: str | None
    duration_ms: int
    retry_after: int = 0


def why_not_target(settings: Settings, url: str) -> str | None:
    """Return what is wrong with a URL as a webhook, or None; the address behind it is judged when it is called."""
    if not url.isascii() or not url.isprintable() or " " in url:
        return "must be ASCII without spaces; quote what is not"
    try:
        parts = urlsplit(url)
        host, _ = (parts.hostname or "").rstrip("."), parts.port
    except ValueError:
        return "is not a readable URL"
    if settings.allow_private_webhooks:
        if parts.scheme not in ("http", "https") or not host or parts.username is not None:
            return "must be http(s)://host without credentials"
    elif (wrong := why_not_public(url)) is not None:
        return wrong
    return _why_not_domain(settings.webhook_domains, host)


def _why_not_domain(domains: str | None, host: str) -> str | None:
    allowed = [domain.strip().lower().lstrip(".") for domain in (domains or "").split(",") if domain.strip()]
    if not allowed or any(host == domain or host.endswith("." + domain) for domain in allowed):
        return None
    return f"must be at {' or '.join(allowed)}"


def send(
    settings: Settings, now: datetime, hook: Mapping[str, Any], delivery_id: str, payload: Mapping[str, Any]
) -> Outcome:
    """Call a webhook once and say what came of it; never raises for what the other side does."""
    begun = time.monotonic()
    status, text, error, retry_after = None, "", None, 0
    try:
        if (wrong := why_not_target(settings, hook["url"])) is not None:
            raise TargetError(f"its address {wrong}")
        body = shaped(payload, hook["format"])
        reply = post(
            hook["url"],
            body,
            {
                "Content-Type": "application/json",
                "User-Agent": "DashClaw-Webhooks/1.0",
                "X-DashClaw-Event": payload["event"],
                "X-DashClaw-Delivery": delivery_id,
                **(signed(hook["secret"], now, body) if hook["secret"] else {}),
            },
            SECONDS_TO_ANSWER,
            private=settings.allow_private_webhooks,
            most_bytes=KEPT_CHARACTERS * 4,
            whole=False,
        )
        status, error = reply.status, _why_failed(reply.status)
        text = reply.body.decode(errors="replace").replace("\x00", "\ufffd")[:KEPT_CHARACTERS]
        retry_after = _seconds(reply.retry_after)
    except TargetError as refused:
        error = str(refused)
    except TimeoutError:
        error = f"it did not answer within {SECONDS_TO_ANSWER:g} s"
    except (OSError, HTTPException, ValueError) as failed:
        error = f"the call failed: {type(failed).__name__}: {failed}"[:500]
    return Outcome(status, text, error, round((time.monotonic() - begun) * 1000), retry_after)


def _why_failed(status: int) -> str | None:
    if 200 <= status < 300:
        return None
    return f"it answered with status {status}" + ("; redirects are refused" if 300 <= status < 400 else "")


def _seconds(retry_after: str | None) -> int:
    text = retry_after or ""
    return min(int(text), _LONGEST_WISH) if text.isascii() and text.isdecimal() and len(text) < 10 else 0
