"""The decision: an action, the policies and the facts in; a verdict with its reasons out, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from .budgets import fire_budgets
from .compile import APPROVAL_RANK
from .facts import Facts, fire_rates, fire_remotes, on_failure
from .policy import ALLOW, BLOCK, DECISIONS
from .risk import score_risk

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .approvals import ApprovalNeed
    from .compile import PolicySet
    from .rule import Fired

KILL_SWITCH_REASON = "Kill switch: the organisation has stopped every action"
NO_FACTS = Facts()
ALLOW_RANK, WARN_RANK, BLOCK_RANK = 0, -1, -3


class Decision(NamedTuple):
    """The verdict about one action.

    `reasons` holds the lines of policies that block or ask, and every cause of degradation; `warnings` those that warn,
    each `<policy name>: <text>`. `degraded` says that something could not be evaluated and a fallback stood in.
    `approvals` says what a decision to ask takes, one need per policy that asks; all of them have to be met.
    """

    decision: str
    reasons: tuple[str, ...]
    warnings: tuple[str, ...]
    matched_policies: tuple[str, ...]
    risk_score: int
    risk_breakdown: Mapping[str, Any]
    degraded: bool
    approvals: tuple[ApprovalNeed, ...] = ()


def decide(context: Mapping[str, Any], policies: PolicySet, facts: Facts = NO_FACTS) -> Decision:
    """Decide about an action: the strictest matching policy wins, in whatever order the policies came.

    Never raises for any context of plain values. Whatever is missing or unreadable makes the decision stricter.
    """
    return _decide(context, policies, facts, True)


def preliminary(context: Mapping[str, Any], policies: PolicySet, facts: Facts = NO_FACTS) -> Decision:
    """Decide without the remote checks: what a webhook_check is told before it answers."""
    return _decide(context, policies, facts, False)


def _decide(context: Mapping[str, Any], policies: PolicySet, facts: Facts, with_remotes: bool) -> Decision:
    score, breakdown = score_risk(context)
    if facts.kill_switch:
        return Decision(BLOCK, (KILL_SWITCH_REASON,), (), (), score, breakdown, False)
    agent_id = context.get("agent_id")
    if not isinstance(agent_id, str):
        agent_id = None
    names = _names(context)
    shelves = policies.shelves(agent_id)
    fired: list[Fired] = []
    if policies.broken:
        rank = on_failure(facts)
        fired += [(rank, name, own, f"{name}: cannot be read: {why}", True) for own, name, why in policies.broken]
    for shelf in shelves:
        shelf.fire(context, names, score, fired)
        if agent_id and shelf.rates:
            fire_rates(shelf.rates, context, score, facts, fired)
        if agent_id and shelf.budgets:
            fire_budgets(shelf.budgets, context, score, facts, fired)
        if with_remotes and shelf.remotes:
            fire_remotes(shelf.remotes, context, score, facts, fired)
    if policies.protection is not None:
        policies.protection.fire(context, agent_id, score, fired)
    if not fired:
        return Decision(ALLOW, (), (), (), score, breakdown, False)
    fired.sort()
    reasons, warnings, ids, degraded = _told(fired)
    if not degraded and BLOCK_RANK < fired[0][0] < ALLOW_RANK:
        # A grant lifts warnings and approvals, never a block and never what rests on a failure.
        grants = sorted(entry for shelf in shelves for entry in shelf.granting(context, names, score))
        if grants:
            was = DECISIONS[-fired[0][0]]
            lifting = tuple([line + was for _, _, _, line, _ in grants])
            ids.update((entry[2], None) for entry in grants)
            return Decision(ALLOW, lifting, (*reasons, *warnings), tuple(ids), score, breakdown, False)
    asked = policies.approvals(fired) if fired[0][0] == APPROVAL_RANK else ()
    decision = DECISIONS[-fired[0][0]]
    return Decision(decision, tuple(reasons), tuple(warnings), tuple(ids), score, breakdown, degraded, asked)


def _told(fired: list[Fired]) -> tuple[list[str], list[str], dict[str, None], bool]:
    """Return the reasons, the warnings, the ids of the policies in order, and whether anything rests on a failure."""
    reasons: list[str] = []
    warnings: list[str] = []
    ids: dict[str, None] = {}
    degraded = False
    for rank, _, policy_id, line, failed in fired:
        ids[policy_id] = None
        if failed:
            degraded = True
            reasons.append(line)
        elif rank < WARN_RANK:
            reasons.append(line)
        elif rank == WARN_RANK:
            warnings.append(line)
    return reasons, warnings, ids, degraded


def _names(context: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names that patterns are tested against: the action type, and the tool's when it is another."""
    action_type, tool_name = context.get("action_type"), context.get("tool_name")
    if not isinstance(action_type, str):
        action_type = ""
    if tool_name and isinstance(tool_name, str) and tool_name != action_type:
        return (action_type, tool_name)
    return (action_type,)
