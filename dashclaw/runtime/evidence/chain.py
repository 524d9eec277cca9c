"""What an entry of the chain is made of.

An entry stands for one event of one organisation::

    content = SHA-256(salt ‖ the event's data, exactly as stored)
    record  = [seq, event id, time, event, actor type, actor id, agent, resource type, resource id, content]
    link    = SHA-256(0x00 ‖ the predecessor's link ‖ record)

The link is the leaf hash of RFC 6962 for the leaf (predecessor's link ‖ record), so that the chain is a Merkle tree as
well. The salt is 16 random bytes; without it and the data nothing can be learned from `content`.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from json.encoder import encode_basestring_ascii
from typing import Any

SALT_BYTES = 16
_VERSION = b"dashclaw evidence 1\n"


def genesis(org_id: str) -> bytes:
    """What stands in the place of the first entry's predecessor."""
    return sha256(_VERSION + org_id.encode()).digest()


def content(salt: bytes, data: str) -> bytes:
    """The commitment to an event's data."""
    return sha256(salt + data.encode()).digest()


def record(seq: int, event: Sequence[Any], committed: bytes) -> str:
    """One line of JSON.

    `event` has id, created_at, event, actor_type, actor_id, agent_id, resource_type and resource_id.
    """
    return line_of(committed, seq, *event)


def line_of(
    committed: bytes,
    seq: int,
    event_id: int,
    at: str,
    name: str,
    actor_type: str,
    actor_id: str,
    agent_id: str | None,
    resource_type: str,
    resource_id: str,
) -> str:
    """The record of an event whose columns are at hand."""
    text = encode_basestring_ascii
    agent = "null" if agent_id is None else text(agent_id)
    return (
        f"[{seq},{event_id},{text(at)},{text(name)},{text(actor_type)},{text(actor_id)},{agent},"
        f'{text(resource_type)},{text(resource_id)},"{committed.hex()}"]'
    )


def link(before: bytes, line: str) -> bytes:
    """The hash that binds a record to all that came before it."""
    return sha256(b"\x00" + before + line.encode()).digest()
