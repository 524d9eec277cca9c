"""Keeps the score of every action whose outcome is reported: what recommendations are learnt from."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from .learning import PENDING, Outcome, label_of, score_of
from .store import learning as rows

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .store.engine import Tx

# What a person or a policy stopped says nothing about how such actions go.
_NEVER_RAN = frozenset({"denied", "expired", "blocked"})
_COPIED = (
    "org_id",
    "action_id",
    "agent_id",
    "action_type",
    "status",
    "risk_score",
    "reversible",
    "confidence",
    "duration_ms",
    "cost_estimate",
    "recommendation_id",
    "recommendation_applied",
)


def learn(tx: Tx, action: Mapping[str, Any]) -> dict[str, Any] | None:
    """Score an action as it stands now, part of the change that announces it; None for one that never ran."""
    if action["resolution"] in _NEVER_RAN:
        return None
    invalidated, open_loops = rows.loose_ends(tx, action["org_id"], action["action_id"])
    outcome = Outcome(
        action["status"],
        action["risk_score"],
        bool(action["reversible"]),
        action["duration_ms"],
        action["cost_estimate"],
        action["confidence"],
        invalidated,
        open_loops,
    )
    row = {name: action[name] for name in _COPIED} | {
        "id": "lep_" + os.urandom(12).hex(),
        "label": label_of(action["status"]),
        "score": score_of(outcome),
        "invalidated_assumptions": invalidated,
        "open_loops": open_loops,
        "created_at": tx.stamp,
        "updated_at": tx.stamp,
    }
    rows.keep_episode(tx, row)
    if row["recommendation_id"] is not None and row["label"] != PENDING:
        _note_outcome(tx, row)
    return row


def _note_outcome(tx: Tx, row: Mapping[str, Any]) -> None:
    """Tell, once per action, what came of a recommendation."""
    event_key = f"outcome:{row['action_id']}"
    if rows.key_taken(tx, row["org_id"], event_key):
        return
    event = {
        "org_id": row["org_id"],
        "id": "lrev_" + os.urandom(12).hex(),
        "recommendation_id": row["recommendation_id"],
        "agent_id": row["agent_id"],
        "action_id": row["action_id"],
        "event_type": "outcome",
        "event_key": event_key,
        "details": {"label": row["label"], "score": row["score"], "applied": bool(row["recommendation_applied"])},
        "created_at": tx.stamp,
    }
    rows.EVENTS.add(tx, event)
