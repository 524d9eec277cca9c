"""What policies do: how often each fired, and which can never make a difference."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..clock import ago
from ..guard import DECISIONS, doubts
from ..operations import Invocation, Operation
from ..policy_tests import policy_of
from ..store import policies as rows
from ..store.policy_activity import fired

if TYPE_CHECKING:
    from ..store.engine import Tx


def show(tx: Tx, call: Invocation) -> dict[str, Any]:
    """How often policies fired in a day and in 30 days, and why some of those in force change nothing.

    Counted over the newest 5,000 decisions of each kind; `complete` says whether these were all of 30 days.
    """
    org_id = call.caller.org_id
    counts = fired(tx, org_id, DECISIONS, ago(tx.now, days=30), ago(tx.now, hours=24))
    active = [policy_of(row) for row in rows.active(tx, org_id)]
    return {
        "fired": {
            policy_id: {"last_24h": counts.recent[policy_id], "last_30d": count}
            for policy_id, count in counts.all.items()
        },
        "complete": counts.complete,
        "doubts": [doubt._asdict() for doubt in doubts(active)],
        "at": tx.stamp,
    }


OPERATIONS = (
    Operation(
        "get_policy_activity",
        "GET",
        "/api/policies/activity",
        show,
        "Count how often policies fired, and name those that change nothing",
        "policies",
        role="readonly",
        slow=True,
    ),
)
