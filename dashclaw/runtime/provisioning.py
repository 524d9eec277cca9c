"""People who come from an OpenID provider: found by their subject there, joined to a known address, or added."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from .approvers import folded
from .people import add, caller_of, change, end_sessions
from .problems import Problem
from .store import orgs
from .store import people as rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .identity import Caller, Role
    from .store.engine import Store, Tx


class Arrival(NamedTuple):
    """Somebody whom a provider vouches for; the address is one that it has verified.

    `role` is what the provider's groups give; None where they give nothing.
    """

    issuer: str
    subject: str
    email: str
    name: str | None
    role: Role | None


def by_subject(
    store: Store, who: Arrival, *, org_id: str, domains: Sequence[str] = (), usual_role: Role = "readonly"
) -> Caller:
    """Who comes from a provider; raises `Problem` 403 for one who may not come in.

    A subject that is not known yet is joined to the person with the same address, unless that person has another
    subject. Else a person is added to the organisation `org_id` when the address is in one of the `domains`.
    """
    with store.read() as tx:
        known = _known(tx, who)
    with store.write(org_id if known is None else known["org_id"]) as tx:
        known = _known(tx, who)
        if known is not None:
            return _welcomed(tx, known, who)
        if who.email.rpartition("@")[2].lower() not in domains:
            raise _refused("Nobody has invited this e-mail address here: ask an administrator to add it")
        if orgs.find(tx, org_id) is None:
            raise _refused(f"The organisation {org_id} of the settings does not exist")
        more: dict[str, Any] = {"oidc_issuer": who.issuer, "oidc_subject": who.subject, "last_seen_at": tx.stamp}
        role = who.role or usual_role
        return caller_of(add(tx, None, org_id=org_id, email=who.email, name=who.name, role=role, **more))


def _known(tx: Tx, who: Arrival) -> dict[str, Any] | None:
    """The person; raises `Problem` 403 when the address is somebody else's at the provider."""
    found = rows.by_subject(tx, who.issuer, who.subject)
    if found is None:
        found = rows.by_email(tx, folded(who.email))
        if found is not None and found["oidc_subject"] is not None:
            raise _refused("This e-mail address belongs to another account of the provider")
    if found is not None and found["disabled_at"] is not None:
        raise _refused("This person is disabled here: ask an administrator")
    return found


def _welcomed(tx: Tx, row: dict[str, Any], who: Arrival) -> Caller:
    if row["oidc_subject"] is None:
        values: dict[str, Any] = {
            "oidc_issuer": who.issuer,
            "oidc_subject": who.subject,
            "invitation_hash": None,
            "invitation_expires_at": None,
        }
        row = change(tx, caller_of(row), row, values, "joined to the provider")
    if who.role is not None and who.role != row["role"]:
        values = {"role": who.role, **({"approver_roles": []} if who.role == "readonly" else {})}
        row = change(tx, caller_of(row), row, values, "role at the provider")
        end_sessions(tx, row)
    rows.change(tx, row["id"], {"last_seen_at": tx.stamp})
    return caller_of(row)


def _refused(why: str) -> Problem:
    return Problem(403, "NOT_INVITED", why)
