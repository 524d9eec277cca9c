"""The first start of a database: an organisation, its starter policies, its keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from .guard import STARTER_POLICIES
from .identity import Caller
from .store import orgs

if TYPE_CHECKING:
    from .store.engine import Store, Tx

DEFAULT_ORG = "org_default"
SYSTEM = Caller(DEFAULT_ORG, "bootstrap", "admin", "system")


class Start(NamedTuple):
    """What was found or made: `created` on the first start, with the names of the starter `policies`."""

    created: bool
    policies: tuple[str, ...]
    self_approval: bool


def ensure_default_org(store: Store, *, starter_policies: bool) -> Start:
    """Make the default organisation when the database is new; only then do the starter policies come."""
    with store.read() as tx:
        found = orgs.find(tx, DEFAULT_ORG)
    if found is not None:
        return Start(False, (), found["settings"].get("self_approval", True))
    with store.write(DEFAULT_ORG) as tx:
        if orgs.find(tx, DEFAULT_ORG) is not None:
            return Start(False, (), True)
        orgs.insert(tx, DEFAULT_ORG, "Default", "default")
        names = _starter_policies(tx) if starter_policies else ()
    return Start(True, names, True)


def _starter_policies(tx: Tx) -> tuple[str, ...]:
    from .services.policies import add_policy

    return tuple(add_policy(tx, SYSTEM, dict(policy))["name"] for policy in STARTER_POLICIES)


def tighten_self_approval(store: Store) -> None:
    """Forbid, for good, that an agent approves its own actions in this database."""
    with store.write(DEFAULT_ORG) as tx:
        found = orgs.find(tx, DEFAULT_ORG)
        if found is not None and found["settings"].get("self_approval", True):
            settings = {**found["settings"], "self_approval": False}
            orgs.change(tx, DEFAULT_ORG, {"settings": settings})
            orgs.bump_policies(tx, DEFAULT_ORG)
            tx.emit(SYSTEM, "org.updated", "organization", DEFAULT_ORG, {"id": DEFAULT_ORG, "settings": settings})
