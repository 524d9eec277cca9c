"""Compiled policies per organisation, valid while the stored revision is unchanged."""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import bindparam, select

from .guard import Facts, Policy, PolicySet, compile_policies
from .policy_sets import PolicySetText, policy_set_text
from .problems import not_found
from .store import policy_sets as policy_set_rows
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
    """What one organisation's guard works with; `text` names it, `facts` are those that need no look-up."""

    revision: int
    policies: PolicySet
    settings: dict[str, Any]
    text: PolicySetText
    facts: Facts


class PolicyCache:
    """Recompiles when the revision in the database moves, by whichever process."""

    def __init__(self, guard_degradation: str) -> None:
        self._fallback = guard_degradation
        self._known: OrderedDict[str, Governance] = OrderedDict()
        self._kept: dict[str, str] = {}
        self._lock = threading.Lock()

    def get(self, tx: Tx, org_id: str) -> Governance:
        """The organisation's governance as of this transaction."""
        if tx.governance is not None and tx.governance[0] == org_id:
            seen: Governance = tx.governance[1]
            return seen
        revision = tx.scalar(_REVISION, org=org_id)
        if revision is None:
            raise not_found("organisation", org_id)
        known = self._known.get(org_id)
        if known is None or known.revision != revision:
            known = self._load(tx, org_id, revision)
        tx.governance = (org_id, known)
        return known

    def _load(self, tx: Tx, org_id: str, revision: int) -> Governance:
        policies = [_policy(row) for row in tx.all(_ACTIVE, org=org_id)]
        settings = json.loads(tx.scalar(_SETTINGS, org=org_id) or "{}")
        stopped = bool(settings.get("kill_switch"))
        fallback = settings.get("guard_degradation") or self._fallback
        found = Governance(
            revision,
            compile_policies(policies),
            settings,
            policy_set_text(policies, kill_switch=stopped, guard_degradation=fallback),
            Facts(on_failure=fallback, kill_switch=stopped),
        )
        with self._lock:
            self._known[org_id] = found
            self._known.move_to_end(org_id)
            while len(self._known) > _MOST_ORGANISATIONS:
                self._kept.pop(self._known.popitem(last=False)[0], None)
        return found

    def keep(self, tx: Tx, org_id: str, governance: Governance) -> str:
        """Store the set that decides in this transaction, unless it is stored; returns its hash.

        INVARIANT: only what a transaction before this one stored is remembered, for this one may still fail.
        """
        name = governance.text.hash
        if self._kept.get(org_id) != name and policy_set_rows.keep(tx, org_id, governance.text):
            self._kept[org_id] = name
        return name

    def forget(self) -> None:
        """Compile every set again; what was compiled in a transaction that failed must not stay."""
        with self._lock:
            self._known.clear()
            self._kept.clear()

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
