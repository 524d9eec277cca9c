"""Chat channels and their messages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, delete, exists, or_, select, update

from .engine import decode
from .records import Records
from .tables import actions, chat_channels, chat_messages

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import ColumnElement

    from .engine import Tx

CHANNELS = Records(chat_channels)
MESSAGES = Records(chat_messages)

_A = actions.c
_C = chat_channels.c
_M = chat_messages.c
_PENDING = "pending"


def by_id(tx: Tx, channel_id: str) -> dict[str, Any] | None:
    """One channel of the installation."""
    row = tx.one(select(chat_channels).where(_C.id == channel_id))
    return None if row is None else decode(chat_channels, row)


def any_active(tx: Tx) -> bool:
    """Whether there is anything to do with chats at all."""
    return tx.scalar(select(_C.id).where(_C.active == 1).limit(1)) is not None


def _stale() -> ColumnElement[bool]:
    """A message that does not show what the action is now."""
    return and_(_M.closed_at.is_(None), or_(_M.sent_at.is_(None), _M.seen != _A.updated_at))


def _new(tx: Tx) -> ColumnElement[bool]:
    """An action that waits, of which the channel has no message yet."""
    known = exists().where(_M.channel_id == _C.id, _M.action_id == _A.action_id).correlate(chat_channels, actions)
    waits = and_(_A.approval_status == _PENDING, _A.approval_expires_at > tx.stamp)
    return and_(_A.org_id == _C.org_id, waits, _A.created_at >= _C.created_at, ~known)


def _joined() -> ColumnElement[bool]:
    return and_(_M.channel_id == _C.id, _A.org_id == _M.org_id, _A.action_id == _M.action_id)


def with_work(tx: Tx) -> list[dict[str, Any]]:
    """Channels that nobody works on, that may be called now and have something to send."""
    free = or_(_C.leased_until.is_(None), _C.leased_until <= tx.stamp)
    ready = or_(_C.retry_at.is_(None), _C.retry_at <= tx.stamp)
    work = or_(exists().where(_joined(), _stale()), exists().where(_new(tx)))
    query = select(chat_channels).where(_C.active == 1, free, ready, work)
    return [decode(chat_channels, row) for row in tx.all(query.order_by(_C.id))]


def overdue(tx: Tx) -> list[str]:
    """The organisations in which an action has expired of which a message still shows buttons."""
    late = and_(_A.approval_status == _PENDING, _A.approval_expires_at <= tx.stamp)
    of_message = and_(_A.org_id == _M.org_id, _A.action_id == _M.action_id, _M.closed_at.is_(None))
    query = select(_M.org_id).select_from(chat_messages.join(actions, of_message)).where(late).distinct()
    return [row["org_id"] for row in tx.all(query)]


def lease(tx: Tx, channel_id: str, token: str, until: str) -> bool:
    """Take a channel until a moment, or keep it; false when somebody else has it or it is switched off."""
    free = or_(_C.leased_until.is_(None), _C.leased_until <= tx.stamp, _C.lease == token)
    mine = update(chat_channels).where(_C.id == channel_id, _C.active == 1, free)
    return tx.execute(mine.values(lease=token, leased_until=until)) == 1


def release(tx: Tx, channel_id: str, token: str) -> None:
    """Let others work on a channel."""
    mine = update(chat_channels).where(_C.id == channel_id, _C.lease == token)
    tx.execute(mine.values(lease=None, leased_until=None))


def next_stale(tx: Tx, channel_id: str) -> dict[str, Any] | None:
    """A message that is to be sent again or changed."""
    of_action = and_(_A.org_id == _M.org_id, _A.action_id == _M.action_id)
    query = select(chat_messages).select_from(chat_messages.join(actions, of_action))
    return tx.one(query.where(_M.channel_id == channel_id, _stale()).order_by(_M.created_at, _M.id).limit(1))


def next_new(tx: Tx, channel_id: str) -> dict[str, Any] | None:
    """The action that waits longest of those without a message in a channel."""
    query = select(_A.action_id, _A.approval_expires_at).where(_C.id == channel_id, _new(tx))
    return tx.one(query.order_by(_A.created_at, _A.action_id).limit(1))


def by_button(tx: Tx, channel: Mapping[str, Any], hashed: str) -> dict[str, Any] | None:
    """The message that has a button with this hash now, of a channel or another one of the same app.

    A platform has one address for each app, so that presses in all its channels arrive at that of one.
    """
    either = or_(_M.approve_hash == hashed, _M.deny_hash == hashed)
    same = and_(_C.org_id == channel["org_id"], _C.platform == channel["platform"], _C.active == 1)
    of_app = and_(_C.id == _M.channel_id, same, _C.verifier == channel["verifier"])
    query = select(chat_messages).select_from(chat_messages.join(chat_channels, of_app))
    return tx.one(query.where(_M.closed_at.is_(None), either))


def use(tx: Tx, message_id: str, hashed: str) -> bool:
    """Use the buttons of a message up; false when they were used, or replaced by others."""
    either = or_(_M.approve_hash == hashed, _M.deny_hash == hashed)
    unused = update(chat_messages).where(_M.id == message_id, _M.used_at.is_(None), either)
    return tx.execute(unused.values(used_at=tx.stamp)) == 1


def change_message(tx: Tx, message_id: str, values: Mapping[str, Any]) -> None:
    """Change columns of a message."""
    tx.execute(update(chat_messages).where(_M.id == message_id).values(**values))


def remove_messages(tx: Tx, channel_id: str) -> None:
    """Forget the messages of a channel, whose buttons then decide nothing."""
    tx.execute(delete(chat_messages).where(_M.channel_id == channel_id))


def forget(tx: Tx, before: str, most: int) -> int:
    """Delete closed messages that were made before a moment, `most` at a time; returns how many went."""
    ids = select(_M.id).where(_M.created_at < before, _M.closed_at.is_not(None)).order_by(_M.created_at).limit(most)
    return tx.execute(delete(chat_messages).where(_M.id.in_(ids)))
