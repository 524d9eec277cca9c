"""One call of a chat platform: bounded, to a public address, and silent about the secrets that it carries."""

from __future__ import annotations

from collections.abc import Mapping
from http.client import HTTPException
from typing import TYPE_CHECKING, Any

from dashclaw._json import compact

from ..outward import TargetError, post
from .discord import Discord
from .platform import Judged, Platform, Request, read
from .slack import Slack
from .telegram import Telegram

if TYPE_CHECKING:
    from ..settings import Settings

SECONDS_TO_ANSWER = 10.0
_MOST_BYTES = 256 * 1024
_LONGEST_WISH = 3600
_JSON = {"Content-Type": "application/json; charset=utf-8", "User-Agent": "DashClaw-Chat/1.0"}


def platform_of(settings: Settings, name: str) -> Platform:
    """The platform of a channel, at the address that the settings give."""
    if name == Slack.name:
        return Slack(settings.slack_url)
    return Discord(settings.discord_url) if name == Discord.name else Telegram(settings.telegram_url)


def call(settings: Settings, platform: Platform, channel: Mapping[str, Any], request: Request) -> Judged:
    """Make a call and say what came of it; never raises for what the other side does."""
    try:
        reply = post(
            request.url,
            compact(request.body).encode(),
            {**_JSON, **request.headers},
            SECONDS_TO_ANSWER,
            private=settings.allow_private_webhooks,
            most_bytes=_MOST_BYTES,
            verb=request.verb,
        )
    except TargetError as refused:
        return Judged(f"{platform.title} was not called: {refused}")
    except TimeoutError:
        return Judged(f"{platform.title} did not answer within {SECONDS_TO_ANSWER:g} s")
    except (OSError, HTTPException, ValueError) as failed:
        return Judged(_masked(f"{platform.title} could not be reached: {type(failed).__name__}: {failed}", channel))
    try:
        answer = read(reply.body)
    except ValueError:
        # An incoming webhook of Slack answers with a word.
        answer = {}
    judged = platform.judge(reply.status, answer)
    wait = max(judged.retry_after, _seconds(reply.retry_after))
    error = None if judged.error is None else _masked(judged.error, channel)
    return judged._replace(error=error, retry_after=min(wait, _LONGEST_WISH))


def _masked(text: str, channel: Mapping[str, Any]) -> str:
    for secret in (channel["credential"], channel["verifier"]):
        text = text.replace(secret, "***")
    return text[:500]


def _seconds(retry_after: str | None) -> float:
    text = retry_after or ""
    return float(text) if text.isascii() and text.isdecimal() and len(text) < 10 else 0.0
