"""The policies a new database starts with: without any, the guard would allow everything."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

STARTER_POLICIES: tuple[Mapping[str, Any], ...] = (
    {
        "name": "High risk needs approval",
        "policy_type": "risk_threshold",
        "rules": {"threshold": 80, "action": "require_approval"},
    },
    {
        "name": "Irreversible needs approval",
        "policy_type": "require_approval",
        "rules": {"action_types": ["*"], "when": {"reversible": False}},
    },
)
