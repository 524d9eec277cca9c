"""Dashboard data: decisions that an agent learnt from, goals, content it made, interactions it had."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..store.tables import content, goals, interactions, learning_decisions
from .kinds import Kind, stamped

if TYPE_CHECKING:
    from ..store.engine import Tx


def _one_date_for_both(_: Tx, given: Mapping[str, Any], __: Mapping[str, Any] | None) -> dict[str, Any]:
    deadline, target = given.get("deadline"), given.get("target_date")
    return {"deadline": deadline or target, "target_date": target or deadline}


DECISIONS = Kind("decision", "ld", learning_decisions, fill=stamped("timestamp"))
GOALS = Kind("goal", "go", goals, fill=_one_date_for_both)
CONTENT = Kind("content", "co", content, plural="content")
INTERACTIONS = Kind("interaction", "in", interactions, fill=stamped("date"))

OPERATIONS = (
    DECISIONS.creating("record_decision", "/api/learning", "Record a decision", "dashboard"),
    DECISIONS.listing("get_decisions", "/api/learning", "List recorded decisions", "dashboard"),
    GOALS.creating("create_goal", "/api/goals", "Create a goal", "dashboard"),
    GOALS.listing("get_goals", "/api/goals", "List goals", "dashboard"),
    CONTENT.creating("record_content", "/api/content", "Record content", "dashboard"),
    CONTENT.listing("get_content", "/api/content", "List content", "dashboard"),
    INTERACTIONS.creating("record_interaction", "/api/relationships", "Record an interaction", "dashboard"),
    INTERACTIONS.listing("get_interactions", "/api/relationships", "List interactions", "dashboard"),
)
