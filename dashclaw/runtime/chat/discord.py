"""Discord: a bot; answers are signed with the key pair of the application (Ed25519)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from ..problems import Problem, invalid
from .card import Buttons, Card
from .platform import Judged, Platform, Press, Reply, Request, Unverified, is_fresh, read, within

_SNOWFLAKE = re.compile(r"[0-9]{15,25}")
_TOKEN = re.compile(r"[A-Za-z0-9_.-]{20,200}")
_PUBLIC_KEY = re.compile(r"[0-9a-fA-F]{64}")
_MARKDOWN = re.compile(r"([\\`*_\[\]()<>|~#@:-])")
# The form that Discord asks of bots: an address and a version.
_AGENT = "DiscordBot (dashclaw, 1)"
_PING, _COMPONENT = 1, 3
_PONG, _MESSAGE, _UPDATE = 1, 4, 7
_ONLY_FOR_WHO_PRESSED = 64
_UNKNOWN_MESSAGE = 10008


class Discord(Platform):
    """Messages of a channel with an embed and a row of buttons; nobody is mentioned."""

    name = "discord"
    title = "Discord"

    def check_settings(self, target: str | None, token: str, secret: str) -> Problem | None:
        if _SNOWFLAKE.fullmatch(target or "") is None:
            return invalid("target", "is the id of the channel, a long number")
        if _TOKEN.fullmatch(token) is None:
            return invalid("token", "is the bot's token, without the word Bot")
        if _PUBLIC_KEY.fullmatch(secret) is None:
            return invalid("secret", "is the public key of the application, 64 hexadecimal digits")
        return None

    def post(self, channel: Mapping[str, Any], message_id: str, card: Card, buttons: Buttons | None) -> Request:
        # The nonce lets Discord drop a message that is sent again because its answer got lost.
        once = {"nonce": message_id.replace("-", "")[-25:], "enforce_nonce": True}
        return self._call(channel, "POST", "", {**_message(card, buttons), **(once if message_id else {})})

    def edit(self, channel: Mapping[str, Any], reference: str, card: Card, buttons: Buttons | None) -> Request:
        return self._call(channel, "PATCH", f"/{reference}", _message(card, buttons))

    def _call(self, channel: Mapping[str, Any], verb: str, below: str, body: Mapping[str, Any]) -> Request:
        url = f"{self.url}/api/v10/channels/{channel['target']}/messages{below}"
        return Request(verb, url, {"Authorization": f"Bot {channel['credential']}", "User-Agent": _AGENT}, body)

    def judge(self, status: int, answer: Mapping[str, Any]) -> Judged:
        if 200 <= status < 300 and answer.get("id"):
            return Judged(None, str(answer["id"]))
        retry_after = answer.get("retry_after")
        error = f"Discord refused the message: {str(answer.get('message') or f'status {status}')[:100]}"
        wait = float(retry_after) if isinstance(retry_after, (int, float)) else 0.0
        return Judged(error, retry_after=wait, gone=answer.get("code") == _UNKNOWN_MESSAGE)

    def verify(self, channel: Mapping[str, Any], headers: Mapping[str, str], body: bytes, now: datetime) -> None:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

        stamp = headers.get("x-signature-timestamp", "")
        if not is_fresh(stamp, now):
            raise Unverified("the time stamp is missing or more than five minutes away")
        try:
            key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(channel["verifier"]))
            key.verify(bytes.fromhex(headers.get("x-signature-ed25519", "")), stamp.encode() + body)
        except (InvalidSignature, ValueError):
            raise Unverified("the signature is not of the application's key") from None

    def press(self, body: bytes) -> Press | Reply:
        found = read(body)
        if found.get("type") == _PING:
            return Reply(200, {"type": _PONG})
        token = within(found, "data", "custom_id")
        if found.get("type") != _COMPONENT or not isinstance(token, str):
            raise ValueError("no press of a button")
        # In a server the user is a member, in a direct message not.
        user = within(found, "member", "user") or within(found, "user")
        return Press(token, str(within(user, "id")), str(within(user, "username") or ""), "")

    def refused(self, press: Press, text: str) -> Reply:
        data = {"content": _unmarked(text), "flags": _ONLY_FOR_WHO_PRESSED, "allowed_mentions": {"parse": []}}
        return Reply(200, {"type": _MESSAGE, "data": data})

    def accepted(self, channel: Mapping[str, Any], press: Press, card: Card) -> Reply:
        return Reply(200, {"type": _UPDATE, "data": _message(card, None)})


def _message(card: Card, buttons: Buttons | None) -> dict[str, Any]:
    embed: dict[str, Any] = {
        "title": _unmarked(card.title)[:256],
        "description": _unmarked(card.goal)[:4000] + (f"\n\n{_unmarked(card.state)}" if card.state else ""),
        "fields": [{"name": name, "value": _unmarked(text)[:1024], "inline": True} for name, text in card.facts],
    }
    if card.link:
        embed["url"] = card.link
    row: list[dict[str, Any]] = []
    if buttons is not None:
        row += [
            {"type": 2, "style": 3, "label": "Approve", "custom_id": buttons.approve},
            {"type": 2, "style": 4, "label": "Deny", "custom_id": buttons.deny},
        ]
    if card.link:
        row.append({"type": 2, "style": 5, "label": "Open", "url": card.link})
    components = [{"type": 1, "components": row}] if row else []
    return {"embeds": [embed], "components": components, "allowed_mentions": {"parse": []}}


def _unmarked(text: str) -> str:
    return _MARKDOWN.sub(r"\\\1", text)
