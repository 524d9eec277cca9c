"""Who approves: which person is behind a caller, for whom that person's vote counts, and what is still missing."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .guard import ADMIN_ROLE, ApprovalNeed, is_approver_role
from .problems import invalid

if TYPE_CHECKING:
    from .identity import Caller, Origin


def need_row(need: ApprovalNeed) -> dict[str, Any]:
    """How a need is kept, and reads on the wire."""
    return {**need._asdict(), "approver_roles": list(need.approver_roles)}


# What an action takes whose agent asked for a person although no policy did.
AGENTS_WISH = (need_row(ApprovalNeed()),)


def person_of(caller: Caller) -> str:
    """What tells one person from another: the operator where a key names one, else the key itself.

    In process everybody may call themselves what they like, so the user of the operating system belongs to it.
    """
    if caller.operator:
        return "operator:" + folded(caller.operator)
    user = f"@{caller.origin.user}" if caller.origin.user else ""
    return f"{caller.actor_type}:{caller.actor_id}{user}"


def folded(name: str) -> str:
    """A person's name in the one spelling by which names are compared."""
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


def roles_of(caller: Caller) -> frozenset[str]:
    """The roles in which a caller approves; empty for an agent."""
    own = {ADMIN_ROLE} if caller.may("admin") else set()
    return frozenset(own.union(caller.approver_roles))


def checked_roles(given: Iterable[str], role: str) -> list[str]:
    """The groups for which somebody with a role is to approve, sorted; raises `Problem` 400."""
    roles = sorted(set(given))
    for name in roles:
        if name == ADMIN_ROLE or not is_approver_role(name):
            raise invalid(
                "approver_roles",
                f"{name!r:.80} is no group of approvers: lower-case letters, digits and . _ - (the role admin is given"
                " with role)",
            )
    if roles and role == "readonly":
        raise invalid("approver_roles", "do not go with the role readonly, which decides nothing")
    return roles


def needs_of(action: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """What the approval of an action takes, as it was frozen when it came to wait; one admin if nothing was."""
    needs: Sequence[Mapping[str, Any]] = action.get("approval_needs") or ()
    return needs or (AGENTS_WISH if action["approval_status"] == "pending" else ())


def wanted_roles(needs: Iterable[Mapping[str, Any]]) -> list[str]:
    """Every role that some need asks for, sorted."""
    return sorted({role for need in needs for role in need["approver_roles"]})


def progress(needs: Sequence[Mapping[str, Any]], votes: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Each need with `given`, the number of approvals that count for it."""
    approvals = [set(vote["approver_roles"]) for vote in votes if vote["decision"] == "allow"]
    return [
        {**need, "given": sum(not roles.isdisjoint(need["approver_roles"]) for roles in approvals)} for need in needs
    ]


def remaining(required: Iterable[Mapping[str, Any]]) -> int:
    """The least number of people who still have to approve; more, when nobody has all the roles that are missing."""
    return max((max(0, need["approvals_required"] - need["given"]) for need in required), default=0)


def met(needs: Iterable[ApprovalNeed], votes: Iterable[Mapping[str, Any]]) -> bool:
    """Whether the votes are all that a decision takes."""
    return remaining(progress([need_row(need) for need in needs], votes)) == 0


def vote_row(vote: Mapping[str, Any]) -> dict[str, Any]:
    """How a stored vote reads on the wire."""
    return {
        "by": vote["actor_id"],
        "name": vote["name"],
        "actor_type": vote["actor_type"],
        "role": vote["role"],
        "approver_roles": vote["approver_roles"],
        "self": vote["own"],
        "decision": vote["decision"],
        "at": vote["created_at"],
        "from": {name: value for name, value in vote["origin"].items() if name != "how"},
        "how": vote["origin"]["how"],
        "reason": vote["reason"],
        "digest": vote["digest"],
    }


def origin_row(origin: Origin) -> dict[str, str]:
    """What is kept of an origin: what is known of it."""
    return {name: value for name, value in origin._asdict().items() if value is not None}
