"""Which changes of an action's state are possible, and who makes them.

::

    running ──────────► completed | failed | cancelled          by the agent
    pending_approval ─► running | failed (denied)               by an approver only
    pending_approval ─► cancelled                               by the agent
    pending_approval ─► failed (expired)                        by time

A final state never changes. A denied or expired action reads as `failed`, because published clients wait
for exactly that; `resolution` says what really happened.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .action_rows import action_row
from .identity import Caller
from .problems import Problem, conflict
from .store import actions as rows
from .store.action_digests import digest

if TYPE_CHECKING:
    from .runtime import Runtime
    from .store.engine import Tx

FINAL = frozenset({"completed", "failed", "cancelled", "blocked"})
_SYSTEM = "expiry"


def check_outcome(row: Mapping[str, Any], status: str) -> None:
    """Raise `Problem` 409 when the agent may not move the action to `status`."""
    now = row["status"]
    if now == status:
        return
    if now == "pending_approval":
        if status != "cancelled":
            raise conflict(
                f"The action waits for a person: dashclaw approvals approve {row['action_id']}", "APPROVAL_PENDING"
            )
    elif now in FINAL:
        raise conflict(f"The action is {row['resolution'] or now} already, and that does not change", "FINAL_STATE")


def publish(tx: Tx, caller: Caller, name: str, row: Mapping[str, Any]) -> dict[str, Any]:
    """Announce an action and return the bare row; the data is that, and in `row` the digest of what is stored now."""
    shown = action_row(row)
    stored = digest(tx, row["org_id"], row["action_id"])
    data = {**shown, "row": stored} if stored else shown
    tx.emit(caller, name, "action", row["action_id"], data, row["agent_id"])
    return shown


def expire(tx: Tx, row: Mapping[str, Any]) -> dict[str, Any]:
    """Record that nobody decided in time."""
    system = Caller(row["org_id"], _SYSTEM, "admin", "system")
    changes = {
        "status": "failed",
        "resolution": "expired",
        "approval_status": "expired",
        "error_message": "Nobody decided before the approval expired",
        "timestamp_end": tx.stamp,
        "updated_at": tx.stamp,
    }
    after = rows.change(tx, row, changes)
    publish(tx, system, "action.updated", after)
    return after


def expire_due(runtime: Runtime, org_id: str) -> int:
    """Expire what is due in an organisation; returns how many. Reads only when there is nothing to do."""
    with runtime.store.read() as tx:
        if not rows.due(tx, org_id, most=1):
            return 0
    with runtime.store.write(org_id) as tx:
        found = rows.due(tx, org_id)
        for row in found:
            expire(tx, row)
    return len(found)


def expired_problem(row: Mapping[str, Any]) -> Problem:
    """The answer to a decision that comes too late."""
    return Problem(
        410,
        "APPROVAL_EXPIRED",
        f"The approval expired at {row['approval_expires_at']}; the agent has to ask again",
        action=action_row(row),
    )
