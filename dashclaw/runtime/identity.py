"""Who is calling."""

from __future__ import annotations

from typing import Literal, NamedTuple

Role = Literal["admin", "member", "readonly"]
ActorType = Literal["api_key", "local", "user", "system"]

_RANK: dict[str, int] = {"readonly": 0, "member": 1, "admin": 2}


class Caller(NamedTuple):
    """An authenticated caller of one organisation.

    `actor_id` is the id of the key (or of the embedded process) and is what the record names.
    `self_approval` says whether this caller may approve what it created itself.
    """

    org_id: str
    actor_id: str
    role: Role = "member"
    actor_type: ActorType = "api_key"
    agent_id: str | None = None
    self_approval: bool = False

    def may(self, role: Role) -> bool:
        """Whether this caller's role reaches `role`."""
        return _RANK[self.role] >= _RANK[role]
