"""What every chat platform is asked for: how to send, change and check; none of it does any I/O."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from ..problems import Problem
from .card import Buttons, Card

WINDOW_SECONDS = 300


class Unverified(Exception):
    """Nobody has proved to be the platform; the text says what was wrong, without what was sent."""


class Request(NamedTuple):
    """One call of a platform. Its `url` may hold a secret: it is neither logged nor shown."""

    verb: str
    url: str
    headers: Mapping[str, str]
    body: Mapping[str, Any]


class Judged(NamedTuple):
    """What an answer means: `error` is a sentence or None. `gone` says that the message cannot be changed any more."""

    error: str | None
    reference: str | None = None
    retry_after: float = 0
    gone: bool = False


class Press(NamedTuple):
    """Somebody pressed a button: what it carries, the platform's name of the user, and where the answer goes."""

    token: str
    user: str
    name: str
    reply_to: str


class Reply(NamedTuple):
    """The answer to a platform, and what is to be sent after it."""

    status: int
    body: Mapping[str, Any] | None = None
    later: Request | None = None


class Platform(ABC):
    """One platform at one address. A channel is a row of the table of that name."""

    name: str
    title: str

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")

    @abstractmethod
    def check_settings(self, target: str | None, token: str, secret: str) -> Problem | None:
        """What is wrong with what an operator typed in."""

    @abstractmethod
    def post(self, channel: Mapping[str, Any], message_id: str, card: Card, buttons: Buttons | None) -> Request:
        """Send a message."""

    @abstractmethod
    def edit(self, channel: Mapping[str, Any], reference: str, card: Card, buttons: Buttons | None) -> Request:
        """Change a message; without buttons it loses them."""

    @abstractmethod
    def judge(self, status: int, answer: Mapping[str, Any]) -> Judged:
        """Whether a call did what it should."""

    @abstractmethod
    def verify(self, channel: Mapping[str, Any], headers: Mapping[str, str], body: bytes, now: datetime) -> None:
        """Raise `Unverified` unless the platform itself sent a body; names of headers are in lower case."""

    @abstractmethod
    def press(self, body: bytes) -> Press | Reply:
        """The press of a button that a body tells of, or the answer to what is none; raises `ValueError`."""

    @abstractmethod
    def refused(self, press: Press, text: str) -> Reply:
        """Tell the one who pressed, and nobody else, why nothing was decided."""

    @abstractmethod
    def accepted(self, channel: Mapping[str, Any], press: Press, card: Card) -> Reply:
        """Show what was decided."""


def read(body: bytes | str) -> dict[str, Any]:
    """A JSON object; raises `ValueError`."""
    try:
        found = json.loads(body)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if not isinstance(found, dict):
        raise ValueError("not an object")
    return found


def within(value: Any, *path: str | int) -> Any:
    """A part of nested JSON; None when it is not there."""
    for name in path:
        if isinstance(name, int):
            value = value[name] if isinstance(value, list) and len(value) > name else None
        else:
            value = value.get(name) if isinstance(value, dict) else None
    return value


def is_fresh(stamp: str, now: datetime) -> bool:
    """Whether a Unix time as text is at most five minutes away."""
    return stamp.isascii() and stamp.isdecimal() and abs(now.timestamp() - int(stamp[:12])) <= WINDOW_SECONDS
