"""The proven subject of a token goes before the agent that a body claims to be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .inputs import CLAIMED

if TYPE_CHECKING:
    from .identity import Caller
    from .operations import Operation

_NAMES = ("agent_id", "from_agent_id")
_LONGEST = 256


def settled(caller: Caller, operation: Operation, body: dict[str, Any]) -> dict[str, Any]:
    """The body of an operation with the caller's proven agent in place of a claimed one.

    What an administrator's operation names is not who acts, and stays.
    """
    if operation.role == "admin" or operation.body is None:
        return body
    return with_subject(caller, body)


def with_subject(caller: Caller, values: Mapping[str, Any]) -> dict[str, Any]:
    """Values whose agent is the caller's proven one; the claimed one is kept as `claimed_agent_id`."""
    found = dict(values)
    for name in _NAMES:
        claimed = values.get(name)
        if isinstance(claimed, str) and claimed != caller.agent_id:
            found |= {name: caller.agent_id, CLAIMED: claimed[:_LONGEST]}
    return found
