"""The operations that a governed call needs: a program that asks for no other loads no other."""

from __future__ import annotations

from . import actions, guard, outcomes

_NAMES = frozenset({"guard", "create_action", "get_actions", "update_outcome"})
OPERATIONS = tuple(
    operation
    for category in (guard, actions, outcomes)
    for operation in category.OPERATIONS
    if operation.name in _NAMES
)
# Paths that these operations seem to answer, and that others do.
ELSEWHERE = frozenset(f"/api/actions/{name}" for name in actions.RESERVED)
