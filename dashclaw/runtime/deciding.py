"""A decision that arrives on another way than the API: checked as there, about the state that was shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from .inputs import read_input
from .operations import Invocation
from .problems import Problem, not_found
from .services.approvals import ApprovalInput, decide, refusal
from .store import actions as rows

if TYPE_CHECKING:
    from .identity import Caller
    from .runtime import Runtime
    from .store.engine import Tx


class Wish(NamedTuple):
    """What somebody wants to be done about an action: "allow" or "deny", and the `updated_at` that was seen."""

    action_id: str
    decision: str
    seen: str
    reason: str | None = None


def decide_as(tx: Tx, runtime: Runtime, caller: Caller, wish: Wish) -> dict[str, Any]:
    """Decide as a caller, in a transaction that its caller commits; returns the action as it is then.

    Raises `Problem` for every refusal, also for a second decision of the same person, and has changed nothing then.
    """
    body = {"decision": wish.decision, "reasoning": wish.reason, "if_updated_at": wish.seen}
    asked = read_input(ApprovalInput, body)
    call = Invocation(runtime, caller, {"action_id": wish.action_id}, None, asked, body)
    row = rows.lock(tx, caller.org_id, wish.action_id)
    if row is None:
        raise not_found("action", wish.action_id)
    if (refused := refusal(tx, call, row, wish.decision)) is not None:
        raise refused
    found = decide(tx, call)
    if not isinstance(found, dict):
        raise Problem(found.status or 409, found.body["code"], found.body["error"])
    action: dict[str, Any] = found["action"]
    return action
