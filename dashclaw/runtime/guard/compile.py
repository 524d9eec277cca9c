"""Policies indexed once: which of them concern an action is then a matter of look-ups, however many there are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from .approvals import ADMIN_ROLE, ApprovalNeed
from .budgets import BudgetNeed, need_of
from .policy import MAX_WINDOW_MINUTES, REQUIRE_APPROVAL, SEVERITY, Policy, unreadable, with_defaults
from .protection import Protection
from .risk import score_risk
from .rule import Rule
from .shelf import Shelf

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from .rule import Fired

APPROVAL_RANK = -SEVERITY[REQUIRE_APPROVAL]


class RateLimitNeed(NamedTuple):
    """How many decisions of this agent the caller must count, and over how many minutes."""

    policy_id: str
    window_minutes: int
    max_actions: int


class RemoteNeed(NamedTuple):
    """A check that the caller must ask for; `rules` are the policy's own with the defaults filled in."""

    policy_id: str
    name: str
    kind: str
    rules: Mapping[str, Any]


class Needs(NamedTuple):
    """The facts that a decision about one action depends on."""

    rate_limits: tuple[RateLimitNeed, ...] = ()
    remotes: tuple[RemoteNeed, ...] = ()
    budgets: tuple[BudgetNeed, ...] = ()


class Broken(NamedTuple):
    """A policy that cannot be followed, and why."""

    policy_id: str
    name: str
    complaint: str


class PolicySet:
    """Compiled policies. Make one with `compile_policies`; it never changes and may be shared by threads.

    `needs_nothing` is true when no policy depends on a fact, so that `needs` need not be asked; `asks_remotes` when
    some policy asks outside. `broken` lists the policies that could not be read; each of them stops every action.
    """

    __slots__ = (
        "_approvals",
        "_by_agent",
        "_everyone",
        "_size",
        "asks_remotes",
        "broken",
        "needs_nothing",
        "protection",
    )

    def __init__(self, rules: Sequence[Rule], broken: Sequence[Broken], size: int) -> None:
        asking = [_approval(rule) for rule in rules if "approvals_required" in rule.rules]
        asking += [ApprovalNeed(own, name) for own, name, _ in broken]
        self._approvals = {need.policy_id: need for need in sorted(asking)}
        scoped: dict[str | None, list[Rule]] = {}
        protecting = []
        for rule in rules:
            if rule.policy_type == "protected_path":
                protecting.append(rule)
                continue
            for agent in rule.agents or (None,):
                scoped.setdefault(agent, []).append(rule)
        self._everyone = Shelf(scoped.pop(None, ()))
        self._by_agent: dict[str | None, Shelf] = {agent: Shelf(own) for agent, own in scoped.items()}
        self._size = size
        self.protection = Protection(protecting) if protecting else None
        self.broken = tuple(sorted(broken))
        shelves = (self._everyone, *self._by_agent.values())
        self.asks_remotes = any(shelf.remotes for shelf in shelves)
        self.needs_nothing = not (self.asks_remotes or any(shelf.rates or shelf.budgets for shelf in shelves))

    def __len__(self) -> int:
        return self._size

    def shelves(self, agent_id: str | None) -> tuple[Shelf, ...]:
        """Return the shelves that concern an agent: everyone's, and its own when there is one."""
        own = self._by_agent.get(agent_id)
        return (self._everyone,) if own is None else (self._everyone, own)

    def approvals(self, fired: Iterable[Fired]) -> tuple[ApprovalNeed, ...]:
        """Return what the policies that ask for approval take, each once; `fired` is in order, and they come first."""
        found: dict[str | None, ApprovalNeed] = {}
        for entry in fired:
            if entry[0] != APPROVAL_RANK:
                break
            found[entry[2]] = self._approvals[entry[2]]
        return tuple(found.values())

    def needs(self, context: Mapping[str, Any]) -> Needs:
        """Return the facts that `decide` wants for this action; empty when it wants none."""
        if self.needs_nothing:
            return Needs()
        score, _ = score_risk(context)
        agent_id = context.get("agent_id")
        if not isinstance(agent_id, str):
            agent_id = None
        shelves = self.shelves(agent_id)
        return Needs(
            tuple(
                RateLimitNeed(policy_id, rule.rules["window_minutes"], limit)
                for shelf in shelves
                for policy_id, limit, rule in (shelf.rates if agent_id else ())
                if rule.fires(context, score)
            ),
            tuple(
                RemoteNeed(rule.id, rule.name, rule.policy_type, rule.rules)
                for shelf in shelves
                for rule in shelf.remotes
                if rule.fires(context, score)
            ),
            tuple(
                need_of(rule)
                for shelf in shelves
                for rule in (shelf.budgets if agent_id else ())
                if rule.fires(context, score)
            ),
        )


def compile_policies(policies: Iterable[Policy]) -> PolicySet:
    """Index policies for `decide`; never raises.

    A policy that cannot be read (unknown type, unknown or wrong rules, no object at all) becomes a broken one, which
    stops every action of every agent: a rule that nobody can read may not fail open.
    """
    rules: list[Rule] = []
    broken: list[Broken] = []
    for policy in policies:
        complaint = next(_complaints(policy), None)
        if complaint is None:
            rules.append(_rule(policy))
        else:
            broken.append(Broken(str(policy.id), str(policy.name), complaint))
    return PolicySet(rules, broken, len(rules) + len(broken))


def _complaints(policy: Policy) -> Iterator[str]:
    yield from unreadable(policy.policy_type, policy.rules)
    agents = policy.agent_ids
    if not isinstance(agents, (list, tuple)) or not all(isinstance(agent, str) and agent for agent in agents):
        yield "agent_ids must be a list of agent ids."


def _rule(policy: Policy) -> Rule:
    rules = with_defaults(policy.policy_type, policy.rules)
    if policy.policy_type == "rate_limit":
        rules["window_minutes"] = min(rules["window_minutes"], MAX_WINDOW_MINUTES)
    return Rule(str(policy.id), str(policy.name), policy.policy_type, rules, policy.agent_ids)


def _approval(rule: Rule) -> ApprovalNeed:
    people, roles = rule.rules["approvals_required"], rule.rules["approver_roles"]
    return ApprovalNeed(rule.id, rule.name, people or 1, tuple(sorted(roles)) if roles else (ADMIN_ROLE,))
