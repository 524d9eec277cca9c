"""Telegram: a bot; its updates carry the secret that was given to `setWebhook`."""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from ..problems import Problem, invalid
from .card import Buttons, Card
from .platform import Judged, Platform, Press, Reply, Request, Unverified, read, within

_CHAT = re.compile(r"-?[0-9]{1,20}")
_TOKEN = re.compile(r"[0-9]{3,20}:[A-Za-z0-9_-]{20,100}")
_SECRET = re.compile(r"[A-Za-z0-9_-]{16,256}")
_LONGEST_ALERT = 200


class Telegram(Platform):
    """`sendMessage` and `editMessageText` without a parse mode, so that texts of agents stay as they are."""

    name = "telegram"
    title = "Telegram"

    def check_settings(self, target: str | None, token: str, secret: str) -> Problem | None:
        if _CHAT.fullmatch(target or "") is None:
            return invalid("target", "is the id of the chat, a number that is negative for groups")
        if _TOKEN.fullmatch(token) is None:
            return invalid("token", "is the bot's token, as BotFather gave it")
        if _SECRET.fullmatch(secret) is None:
            return invalid("secret", "has 16 to 256 letters, digits, _ or -; without one it is made")
        return None

    def post(self, channel: Mapping[str, Any], message_id: str, card: Card, buttons: Buttons | None) -> Request:
        return self._call(channel, "sendMessage", {"chat_id": int(channel["target"]), **_message(card, buttons)})

    def edit(self, channel: Mapping[str, Any], reference: str, card: Card, buttons: Buttons | None) -> Request:
        place, _, number = reference.partition("/")
        names = {"chat_id": int(place), "message_id": int(number)}
        return self._call(channel, "editMessageText", {**names, **_message(card, buttons)})

    def _call(self, channel: Mapping[str, Any], method: str, body: Mapping[str, Any]) -> Request:
        return Request("POST", f"{self.url}/bot{channel['credential']}/{method}", {}, body)

    def judge(self, status: int, answer: Mapping[str, Any]) -> Judged:
        if 200 <= status < 300 and answer.get("ok") is True:
            chat, number = within(answer, "result", "chat", "id"), within(answer, "result", "message_id")
            return Judged(None, f"{chat}/{number}" if isinstance(number, int) else None)
        error = str(answer.get("description") or f"status {status}")[:200]
        if "message is not modified" in error:
            return Judged(None)
        gone = any(said in error for said in ("message to edit not found", "message can't be edited"))
        wait = within(answer, "parameters", "retry_after")
        return Judged(f"Telegram refused the message: {error}", None, wait if isinstance(wait, int) else 0, gone)

    def verify(self, channel: Mapping[str, Any], headers: Mapping[str, str], body: bytes, now: datetime) -> None:
        given = headers.get("x-telegram-bot-api-secret-token", "")
        if not hmac.compare_digest(channel["verifier"].encode(), given.encode()):
            raise Unverified("the secret token is not the channel's")

    def press(self, body: bytes) -> Press | Reply:
        found = read(body).get("callback_query")
        token, answer_to = within(found, "data"), within(found, "id")
        if not isinstance(token, str) or not isinstance(answer_to, str):
            return Reply(200)
        user, name = (
            within(found, "from", "id"),
            within(found, "from", "username") or within(found, "from", "first_name"),
        )
        return Press(token, str(user), str(name or user), answer_to)

    def refused(self, press: Press, text: str) -> Reply:
        return _alert(press, text, True)

    def accepted(self, channel: Mapping[str, Any], press: Press, card: Card) -> Reply:
        return _alert(press, card.state or card.title, False)


def _alert(press: Press, text: str, stays: bool) -> Reply:
    """An answer to an update may name a method that Telegram then runs: no call of our own is needed."""
    body = {
        "method": "answerCallbackQuery",
        "callback_query_id": press.reply_to,
        "text": text[:_LONGEST_ALERT],
        "show_alert": stays,
    }
    return Reply(200, body)


def _message(card: Card, buttons: Buttons | None) -> dict[str, Any]:
    lines = [card.title, "", card.goal, "", *(f"{name}: {text}" for name, text in card.facts)]
    if card.state:
        lines += ["", card.state]
    if card.link:
        lines += ["", card.link]
    row = (
        []
        if buttons is None
        else [{"text": "Approve", "callback_data": buttons.approve}, {"text": "Deny", "callback_data": buttons.deny}]
    )
    return {
        "text": "\n".join(lines)[:4096],
        "link_preview_options": {"is_disabled": True},
        "reply_markup": {"inline_keyboard": [row] if row else []},
    }
