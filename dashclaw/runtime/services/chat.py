"""Chat channels: where approvals are asked for, and who may answer there."""

from __future__ import annotations

import secrets
import uuid
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, Field, StringConstraints

from ..approvers import folded
from ..chat.calling import call as call_platform
from ..chat.calling import platform_of
from ..chat.card import Card
from ..inputs import Flag, Input, Name, Short
from ..operations import Invocation, Operation
from ..problems import conflict, invalid, not_found
from ..store import chat as rows
from ..store import people

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..chat.platform import Judged
    from ..runtime import Runtime
    from ..store.engine import Tx

MOST = 200
Secret = Annotated[str, StringConstraints(min_length=1, max_length=500, pattern=r"^[!-~]+$")]
_SHOWN = (
    "id",
    "name",
    "platform",
    "target",
    "active",
    "failure_count",
    "error",
    "failed_at",
    "retry_at",
    "sent_at",
    "created_by",
    "created_at",
    "updated_at",
)


class ApproverInput(BaseModel):
    """A user of the platform (its id), and the person here who that is: an e-mail address or an id."""

    user: Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[0-9A-Za-z_-]+$")]
    person: Name


Approvers = Annotated[list[ApproverInput], Field(max_length=200)]


class ChannelInput(Input):
    """A new channel. `token` sends, `secret` checks the answers; neither is shown again."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=100)]
    platform: Literal["slack", "discord", "telegram"]
    target: Short | None = None
    token: Secret
    secret: Secret | None = None
    approvers: Approvers = []


class ChannelChange(Input):
    """What of a channel can change; approvers are replaced as a whole."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=100)] | None = None
    target: Short | None = None
    token: Secret | None = None
    secret: Secret | None = None
    approvers: Approvers | None = None
    active: Flag | None = None


def listing(tx: Tx, call: Invocation) -> dict[str, Any]:
    """The channels, newest first, without their secrets."""
    found, total = rows.CHANNELS.page(tx, call.caller.org_id, size=MOST)
    return {"channels": [_shown(tx, row) for row in found], "total": total}


def create(tx: Tx, call: Invocation) -> dict[str, Any]:
    """Add a channel, which is told of what begins to wait from now on."""
    body: ChannelInput = call.body
    if rows.CHANNELS.page(tx, call.caller.org_id, size=1)[1] >= MOST:
        raise conflict(f"There are {MOST} channels already; remove one first", "TOO_MANY_CHANNELS")
    made = secrets.token_urlsafe(32) if body.platform == "telegram" and body.secret is None else None
    secret = body.secret or made
    if secret is None:
        raise invalid("secret", "is needed: with it the answers of the platform are checked")
    row = {
        "id": f"chat_{uuid.uuid4()}",
        "org_id": call.caller.org_id,
        "name": body.name,
        "platform": body.platform,
        "target": body.target,
        "credential": body.token,
        "verifier": secret,
        "approvers": _approvers(tx, call, body.approvers),
        "active": True,
        "failure_count": 0,
        "created_by": call.caller.actor_id,
        "created_at": tx.stamp,
        "updated_at": tx.stamp,
    }
    _check(call, row)
    rows.CHANNELS.add(tx, row)
    _announce(tx, call, "created", row)
    return {"channel": {**_shown(tx, row), **({"secret": made} if made else {})}}


def change(tx: Tx, call: Invocation) -> dict[str, Any]:
    """Change a channel; it is tried again at once."""
    row = _found(tx, call)
    given = call.body.given()
    for name, column in (("token", "credential"), ("secret", "verifier")):
        if name in given:
            given[column] = given.pop(name)
    if "approvers" in given:
        given["approvers"] = _approvers(tx, call, call.body.approvers)
    after = {**row, **given}
    _check(call, after)
    again = {"retry_at": None, "updated_at": tx.stamp}
    rows.CHANNELS.change(tx, row["org_id"], row["id"], {**given, **again})
    _announce(tx, call, "updated", after)
    return {"channel": _shown(tx, {**after, **again})}


def remove(tx: Tx, call: Invocation) -> dict[str, Any]:
    """Remove a channel; the buttons of its messages decide nothing any more."""
    row = _found(tx, call)
    rows.remove_messages(tx, row["id"])
    rows.CHANNELS.delete(tx, row["org_id"], row["id"])
    _announce(tx, call, "deleted", row)
    return {"success": True, "deleted": row["id"]}


def try_out(runtime: Runtime, call: Invocation) -> Judged:
    """Send a message without buttons now; only then does the transaction begin."""
    with runtime.store.read() as tx:
        row = _found(tx, call)
    card = Card("A test", "DashClaw can write here.", (("Channel", row["name"]),), None, runtime.settings.public_url)
    platform = platform_of(runtime.settings, row["platform"])
    return call_platform(runtime.settings, platform, row, platform.post(row, "", card, None))


def note_test(tx: Tx, call: Invocation) -> dict[str, Any]:
    """Say how a test went; one that went well lets the channel be tried again."""
    row = _found(tx, call)
    error = call.prepared.error
    if error is None:
        fine = {"error": None, "failed_at": None, "failure_count": 0, "retry_at": None, "sent_at": tx.stamp}
        rows.CHANNELS.change(tx, row["org_id"], row["id"], fine)
    return {"success": error is None, "error": error}


def _shown(tx: Tx, row: Mapping[str, Any]) -> dict[str, Any]:
    """A channel as administrators see it, with the path that the platform has to be given."""
    approvers = []
    for one in row["approvers"]:
        person = people.PEOPLE.find(tx, row["org_id"], one["person_id"])
        approvers.append({**one, "person": None if person is None else person["email"]})
    return {**{name: row.get(name) for name in _SHOWN}, "approvers": approvers, "path": f"/chat/{row['id']}"}


def _approvers(tx: Tx, call: Invocation, given: list[ApproverInput]) -> list[dict[str, str]]:
    found: dict[str, str] = {}
    for one in given:
        by_email = "@" in one.person
        person = people.by_email(tx, folded(one.person)) if by_email else people.by_id(tx, one.person)
        if person is None or person["org_id"] != call.caller.org_id:
            raise invalid("approvers", f"{one.person!r:.80} is nobody here; add the person first: dashclaw people add")
        if one.user in found:
            raise invalid("approvers", f"the user {one.user} is named twice")
        found[one.user] = person["id"]
    return [{"user": user, "person_id": person_id} for user, person_id in found.items()]


def _check(call: Invocation, row: Mapping[str, Any]) -> None:
    platform = platform_of(call.runtime.settings, row["platform"])
    if (wrong := platform.check_settings(row["target"], row["credential"], row["verifier"])) is not None:
        raise wrong


def _found(tx: Tx, call: Invocation) -> dict[str, Any]:
    row = rows.CHANNELS.find(tx, call.caller.org_id, call.params["channel_id"])
    if row is None:
        raise not_found("chat channel", call.params["channel_id"])
    return row


def _announce(tx: Tx, call: Invocation, what: str, row: Mapping[str, Any]) -> None:
    data = {name: row[name] for name in ("id", "name", "platform", "target", "active", "approvers")}
    tx.emit(call.caller, f"chat.channel.{what}", "chat_channel", row["id"], data)


_ALL = "/api/chat/channels"
_ONE = f"{_ALL}/{{channel_id}}"

OPERATIONS = (
    Operation("get_chat_channels", "GET", _ALL, listing, "List chat channels", "chat", role="admin"),
    Operation(
        "create_chat_channel",
        "POST",
        _ALL,
        create,
        "Add a chat channel",
        "chat",
        body=ChannelInput,
        status=201,
        role="admin",
        keeps_answer=False,
    ),
    Operation(
        "update_chat_channel", "PATCH", _ONE, change, "Change a chat channel", "chat", body=ChannelChange, role="admin"
    ),
    Operation("delete_chat_channel", "DELETE", _ONE, remove, "Remove a chat channel", "chat", role="admin"),
    Operation(
        "test_chat_channel",
        "POST",
        f"{_ONE}/test",
        note_test,
        "Send a test message",
        "chat",
        role="admin",
        prepare=try_out,
        slow=True,
    ),
)
