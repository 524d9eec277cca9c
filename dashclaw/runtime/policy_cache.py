"""Compiled policies per organisation, valid while the stored revision is unchanged."""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import bindparam, select

from .guard import Policy, PolicySet, compile_policies
from .problems import not_found
from .store.engine import Hot
from .store.tables import organizations, policies

if TYPE_CHECKING:
    from .store.engine import Tx

_MOST_ORGANISATIONS = 1000
_REVISION = Hot(select(organizations.c.policy_revision).where(organizations.c.id == bindparam("org")))
_SETTINGS = Hot(select(organizations.c.settings).where(organizations.c.id == bindparam("org")))
_ACTIVE = Hot(
    select(policies.c.id, policies.c.name, policies.c.policy_type, policies.c.rules, policies.c.agent_ids).where(
        policies.c.org_id == bindparam("org"), policies.c.active == 1
    )
)


class Governance(NamedTuple):
    """What one organisation's guard works with."""

    revision: int
    policies: PolicySet
    settings: dict[str, Any]


class PolicyCache:
    """Recompiles when the revision in the database moves, by whichever process."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, Governance] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, tx: Tx, org_id: str) -> Governance:
        """The organisation's governance as of this transaction."""
        revision = tx.scalar(_REVISION, org=org_id)
        if revision is None:
            raise not_found("organisation", org_id)
        known = self._known.get(org_id)
        if known is not None and known.revision == revision:
            return known
        return self._load(tx, org_id, revision)

    def _load(self, tx: Tx, org_id: str, revision: int) -> Governance:
        found = Governance(
            revision,
            compile_policies(_policy(row) for row in tx.all(_ACTIVE, org=org_id)),
            json.loads(tx.scalar(_SETTINGS, org=org_id) or "{}"),
        )
        with self._lock:
            self._known[org_id] = found
            self._known.move_to_end(org_id)
            while len(self._known) > _MOST_ORGANISATIONS:
                self._known.popitem(last=False)
        return found

    def forget(self) -> None:
        """Compile every set again; what was compiled in a transaction that failed must not stay."""
        with self._lock:
            self._known.clear()

    def is_local(self, org_id: str) -> bool:
        """Whether the last known policies of the organisation ask nobody outside."""
        known = self._known.get(org_id)
        return known is not None and not known.policies.asks_remotes


def _policy(row: dict[str, Any]) -> Policy:
    agents = _read(row["agent_ids"] or "[]")
    # What is no list goes on as it is: it is compiled into a policy that cannot be read.
    scope = tuple(agents) if isinstance(agents, list) else agents
    return Policy(row["id"], row["name"], row["policy_type"], _read(row["rules"]), scope)


def _read(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text  # an unreadable rule is compiled into one that always fires
