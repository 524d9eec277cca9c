"""Slack: a bot, or an incoming webhook; answers are signed with the app's signing secret."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs

from ..problems import Problem, invalid
from .card import Buttons, Card
from .platform import Judged, Platform, Press, Reply, Request, Unverified, is_fresh, read, within

_HOOKS = ("https://hooks.slack.com/", "https://hooks.slack-gov.com/")
# An incoming webhook does not say what it sent, and cannot change it.
_UNKNOWN = "webhook"


class Slack(Platform):
    """`chat.postMessage` and `chat.update` with Block Kit; texts of agents are plain text, in which nothing is live."""

    name = "slack"
    title = "Slack"

    def check_settings(self, target: str | None, token: str, secret: str) -> Problem | None:
        if not _is_hook(token) and not token.startswith("xox"):
            if not self._ours(token):
                return invalid("token", "is a bot token (xoxb-…) or the URL of an incoming webhook of Slack")
        elif not _is_hook(token) and not target:
            return invalid("target", "a bot needs the id of the channel, such as C0123456789")
        if len(secret) < 16 or not secret.isascii() or not secret.isprintable():
            return invalid("secret", "is the signing secret of the Slack app (Basic Information)")
        return None

    def _ours(self, url: str) -> bool:
        return url.startswith((*_HOOKS, f"{self.url}/"))

    def post(self, channel: Mapping[str, Any], message_id: str, card: Card, buttons: Buttons | None) -> Request:
        body = _message(card, buttons)
        if not self._ours(channel["credential"]):
            return self._call(channel, "chat.postMessage", {**body, "channel": channel["target"]})
        return Request("POST", channel["credential"], {}, body)

    def edit(self, channel: Mapping[str, Any], reference: str, card: Card, buttons: Buttons | None) -> Request:
        if reference == _UNKNOWN:
            return self.post(channel, "", card, buttons)
        place, _, ts = reference.partition("/")
        return self._call(channel, "chat.update", {**_message(card, buttons), "channel": place, "ts": ts})

    def _call(self, channel: Mapping[str, Any], method: str, body: Mapping[str, Any]) -> Request:
        return Request("POST", f"{self.url}/api/{method}", {"Authorization": f"Bearer {channel['credential']}"}, body)

    def judge(self, status: int, answer: Mapping[str, Any]) -> Judged:
        if 200 <= status < 300 and answer.get("ok") is True:
            return Judged(None, f"{answer.get('channel')}/{answer.get('ts')}")
        if 200 <= status < 300 and "ok" not in answer:
            return Judged(None, _UNKNOWN)
        error = str(answer.get("error") or f"status {status}")[:100]
        gone = error in ("message_not_found", "cant_update_message", "edit_window_closed")
        return Judged(f"Slack refused the message: {error}", gone=gone)

    def verify(self, channel: Mapping[str, Any], headers: Mapping[str, str], body: bytes, now: datetime) -> None:
        stamp = headers.get("x-slack-request-timestamp", "")
        if not is_fresh(stamp, now):
            raise Unverified("the time stamp is missing or more than five minutes away")
        said = b"v0:" + stamp.encode() + b":" + body
        wanted = "v0=" + hmac.new(channel["verifier"].encode(), said, hashlib.sha256).hexdigest()
        if not hmac.compare_digest(wanted.encode(), headers.get("x-slack-signature", "").encode()):
            raise Unverified("the signature is not of the channel's signing secret")

    def press(self, body: bytes) -> Press | Reply:
        form = parse_qs(body.decode("utf-8"), max_num_fields=10)
        if "ssl_check" in form:
            return Reply(200)
        found = read(form.get("payload", [""])[0])
        token = within(found, "actions", 0, "value")
        if found.get("type") != "block_actions" or not isinstance(token, str):
            return Reply(200)
        user, name = within(found, "user", "id"), within(found, "user", "username")
        return Press(token, str(user), str(name or user), str(found.get("response_url") or ""))

    def refused(self, press: Press, text: str) -> Reply:
        return Reply(200, later=self._respond(press, {"response_type": "ephemeral", "text": _entities(text)}))

    def accepted(self, channel: Mapping[str, Any], press: Press, card: Card) -> Reply:
        if not self._ours(channel["credential"]):
            return Reply(200)
        return Reply(200, later=self._respond(press, {**_message(card, None), "replace_original": True}))

    def _respond(self, press: Press, body: Mapping[str, Any]) -> Request | None:
        if not self._ours(press.reply_to):
            return None
        return Request("POST", press.reply_to, {}, {"replace_original": False, **body})


def _is_hook(token: str) -> bool:
    return token.startswith(_HOOKS)


def _message(card: Card, buttons: Buttons | None) -> dict[str, Any]:
    fields = [_plain(f"{name}\n{text}") for name, text in card.facts]
    blocks: list[dict[str, Any]] = [
        {"type": "header", "text": _plain(card.title)},
        {"type": "section", "text": _plain(card.goal or "(no goal)")},
        {"type": "section", "fields": fields},
    ]
    if card.state:
        blocks.append({"type": "section", "text": _plain(card.state)})
    if card.link:
        blocks.append({"type": "section", "text": {"type": "mrkdwn", "text": f"<{card.link}|Open the request>"}})
    if buttons is not None:
        elements = [
            _button("approve", "Approve", "primary", buttons.approve),
            _button("deny", "Deny", "danger", buttons.deny),
        ]
        blocks.append({"type": "actions", "elements": elements})
    text = _entities(f"{card.title}: {card.goal}" if buttons else card.state or card.title)
    return {"text": text, "blocks": blocks, "unfurl_links": False, "unfurl_media": False}


def _button(action_id: str, label: str, style: str, value: str) -> dict[str, Any]:
    return {"type": "button", "action_id": action_id, "text": _plain(label), "style": style, "value": value}


def _plain(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": text, "emoji": False}


def _entities(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
