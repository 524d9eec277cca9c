"""What the press of a button in a chat decides: verified, by an approver of the channel, once, about what was shown."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..deciding import Wish, decide_as
from ..identity import Caller, Origin
from ..operations import Invocation
from ..people import caller_for_person
from ..problems import Problem, conflict, forbidden
from ..services.approval_queue import show
from ..store import chat as rows
from .calling import call, platform_of
from .card import Card, card_of
from .messenger import hash_of
from .platform import Platform, Press, Reply, Unverified

if TYPE_CHECKING:
    from ..runtime import Runtime
    from ..store.engine import Tx

log = logging.getLogger("dashclaw")

_LONGEST_TOKEN = 100
_SENTENCES = {
    "ACTION_CHANGED": "The request has changed since this message was written; it shows the newest state in a moment.",
    "APPROVER_IDENTITY_REQUIRED": "It takes an approver, and nobody approves what is their own.",
    "NOT_FOUND": "There is no such request any more.",
}


def answer(runtime: Runtime, channel_id: str, headers: Mapping[str, str], body: bytes) -> Reply:
    """Answer what a platform sent for a channel; `later` of the reply is given to `send_later`."""
    with runtime.store.read() as tx:
        channel = rows.by_id(tx, channel_id)
    if channel is None or not channel["active"]:
        return Reply(404)
    platform = platform_of(runtime.settings, channel["platform"])
    try:
        platform.verify(channel, headers, body, runtime.clock())
    except Unverified as wrong:
        log.warning("A request for the chat channel %s was refused: %s", channel_id, wrong)
        return Reply(401)
    try:
        press = platform.press(body)
    except ValueError:
        return Reply(400)
    return press if isinstance(press, Reply) else _pressed(runtime, platform, channel, press)


def send_later(runtime: Runtime, channel_id: str, reply: Reply) -> None:
    """Send what belongs to an answer; that it does not arrive changes no decision."""
    with runtime.store.read() as tx:
        channel = rows.by_id(tx, channel_id)
    if reply.later is None or channel is None:
        return
    judged = call(runtime.settings, platform_of(runtime.settings, channel["platform"]), channel, reply.later)
    if judged.error is not None:
        log.warning("Chat channel %s could not be told: %s", channel_id, judged.error)


def _pressed(runtime: Runtime, platform: Platform, channel: Mapping[str, Any], press: Press) -> Reply:
    try:
        with runtime.store.write(channel["org_id"]) as tx:
            message, home = _home(tx, channel, press)
            card = _decided(tx, runtime, _approver(tx, platform, home, press), platform, message, press)
    except Problem as problem:
        _record_refusal(runtime, channel, press, problem)
        return platform.refused(press, f"Nothing was decided. {_SENTENCES.get(problem.code, problem.message)}")
    return platform.accepted(home, press, card)


def _home(tx: Tx, channel: Mapping[str, Any], press: Press) -> tuple[dict[str, Any], dict[str, Any]]:
    """The message whose button was pressed, and the channel in which it is."""
    message = rows.by_button(tx, channel, _hash(press))
    home = None if message is None else rows.by_id(tx, message["channel_id"])
    if message is None or home is None:
        raise conflict("This button is of an earlier message or was answered; look at the newest state.", "BUTTON_OLD")
    return message, home


def _decided(
    tx: Tx, runtime: Runtime, caller: Caller, platform: Platform, message: Mapping[str, Any], press: Press
) -> Card:
    if not rows.use(tx, message["id"], _hash(press)):
        raise conflict("This button has been used; each decides once.", "BUTTON_USED")
    allow = _hash(press) == message["approve_hash"]
    reason = None if allow else f"Denied in {platform.title} by {caller.label or caller.operator}"
    decide_as(tx, runtime, caller, Wish(message["action_id"], "allow" if allow else "deny", message["seen"], reason))
    asked = Invocation(runtime, caller, {"action_id": message["action_id"]}, None, None, {})
    return card_of(show(tx, asked), runtime.settings.public_url)


def _approver(tx: Tx, platform: Platform, channel: Mapping[str, Any], press: Press) -> Caller:
    """The person whom the operator named for a user of the platform, with that person's rights."""
    found = next((one for one in channel["approvers"] if one["user"] == press.user), None)
    caller = None if found is None else caller_for_person(tx, found["person_id"])
    if caller is None or caller.org_id != channel["org_id"]:
        raise forbidden(f"You ({press.user}) are not among the approvers of this channel.", "NOT_AN_APPROVER")
    return caller._replace(origin=Origin(platform.name, None, None, press.user, channel["id"]))


def _record_refusal(runtime: Runtime, channel: Mapping[str, Any], press: Press, problem: Problem) -> None:
    with runtime.store.write(channel["org_id"]) as tx:
        message = rows.by_button(tx, channel, _hash(press))
        told = {
            "channel_id": channel["id"],
            "platform": channel["platform"],
            "user": press.user[:64],
            "name": press.name[:64],
            "code": problem.code,
            "action_id": None if message is None else message["action_id"],
        }
        tx.emit(
            Caller(channel["org_id"], "chat", "member", "system"), "chat.refused", "chat_channel", channel["id"], told
        )


def _hash(press: Press) -> str:
    return hash_of(press.token[:_LONGEST_TOKEN])
