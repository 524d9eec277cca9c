"""Replays: what happened to one action, from the log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..evidence.replay import replay
from ..operations import Invocation, Operation
from ..problems import not_found

if TYPE_CHECKING:
    from ..store.engine import Tx


def show(tx: Tx, call: Invocation) -> dict[str, Any]:
    """The chain of one action: intent, policies, decision, approval, outcome and what hangs on it."""
    found = replay(tx, call.caller.org_id, call.params["action_id"])
    if found is None:
        raise not_found("action", call.params["action_id"])
    return found


OPERATIONS = (
    Operation(
        "get_action_replay",
        "GET",
        "/api/actions/{action_id}/replay",
        show,
        "Rebuild what happened to an action from the log",
        "evidence",
        role="readonly",
        slow=True,
    ),
)
