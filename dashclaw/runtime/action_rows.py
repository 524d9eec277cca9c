"""How a stored action reads on the wire."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .approvers import needs_of, progress, remaining, vote_row

_INTERNAL = frozenset(
    {
        "digest",
        "approval_status",
        "approval_needs",
        "votes",
        "decided_by",
        "approval_at",
        "approval_reason",
        "approval_consumed_at",
        "self_approved",
    }
)
_LISTS = ("systems_touched", "side_effects", "artifacts_created")


def action_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """The bare row: every documented column, lists as lists, and `approval` as one object.

    `id` equals `action_id`. `approval` is None for an action that never needed one.
    """
    found = {name: value for name, value in row.items() if name not in _INTERNAL}
    for name in _LISTS:
        found[name] = found.get(name) or []
    found["metadata"] = found.get("metadata") or {}
    found["id"] = row["action_id"]
    found["approval"] = _approval(row)
    # Published 5.x clients take the presence of this key as the proof of an approval.
    found["approved_by"] = row["decided_by"] if row.get("approval_status") == "approved" else None
    return found


def _approval(row: Mapping[str, Any]) -> dict[str, Any] | None:
    status = row.get("approval_status")
    if status is None:
        return None
    votes = row.get("votes") or ()
    required = progress(needs_of(row), votes)
    return {
        "status": status,
        "by": row["decided_by"],
        "at": row["approval_at"],
        "reason": row["approval_reason"],
        "expires_at": row["approval_expires_at"],
        "self_approved": bool(row.get("self_approved")),
        "used_at": row["approval_consumed_at"],
        "required": required,
        "remaining": remaining(required),
        "votes": [vote_row(vote) for vote in votes],
    }
