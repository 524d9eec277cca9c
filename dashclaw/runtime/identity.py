"""Who is calling."""

from __future__ import annotations

from typing import Literal, NamedTuple

Role = Literal["admin", "member", "readonly"]
ActorType = Literal["api_key", "local", "user", "system", "workload"]

_RANK: dict[str, int] = {"readonly": 0, "member": 1, "admin": 2}


class Origin(NamedTuple):
    """Where a request came from, as far as the server saw it or, for `how` and `user_agent`, was told.

    `how` is "api", "cli", "dashboard", "local", "link" or the name of a chat platform. `address` is the client's,
    "local" in process; `user` and `host` are those of the operating system, known in process. Of a decision in a chat
    they are the platform's user and our channel, of one by a link `user` is the link.
    """

    how: str = "api"
    address: str | None = None
    user_agent: str | None = None
    user: str | None = None
    host: str | None = None


UNKNOWN_ORIGIN = Origin()


class Caller(NamedTuple):
    """An authenticated caller of one organisation.

    `actor_id` is the id of the key (or of the embedded process) and is what the record names.
    `self_approval` says whether this caller may approve what it created itself. `agent_verified` says that `agent_id`
    is the proven subject of a token, which goes before every agent that a body names. `operator` names the person
    behind a key, `approver_roles` the groups for which that person approves.
    """

    org_id: str
    actor_id: str
    role: Role = "member"
    actor_type: ActorType = "api_key"
    agent_id: str | None = None
    self_approval: bool = False
    agent_verified: bool = False
    label: str | None = None
    operator: str | None = None
    approver_roles: tuple[str, ...] = ()
    origin: Origin = UNKNOWN_ORIGIN

    def may(self, role: Role) -> bool:
        """Whether this caller's role reaches `role`."""
        return _RANK[self.role] >= _RANK[role]
