"""What an approval takes: how many people, and which."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

ADMIN_ROLE = "admin"
MAX_APPROVALS = 10
MAX_APPROVER_ROLES = 20
_ROLE = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
# Roles of keys that approve nothing by themselves; a group of that name would be taken for them.
_NO_APPROVERS = frozenset({"member", "readonly"})


class ApprovalNeed(NamedTuple):
    """So many people, each with one of the roles, asked for by a policy; by the agent itself when there is none."""

    policy_id: str | None = None
    policy: str | None = None
    approvals_required: int = 1
    approver_roles: tuple[str, ...] = (ADMIN_ROLE,)


def is_approver_role(name: object) -> bool:
    """Tell whether a text can name a group of approvers; "admin" means every key with that role."""
    return isinstance(name, str) and _ROLE.fullmatch(name) is not None and name not in _NO_APPROVERS


def are_approver_roles(value: Any) -> bool:
    """Tell whether a value is a list of 1 to 20 different groups."""
    if not isinstance(value, (list, tuple)) or not 0 < len(value) <= MAX_APPROVER_ROLES:
        return False
    return all(map(is_approver_role, value)) and len(set(value)) == len(value)
