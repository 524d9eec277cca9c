"""Other policies against recorded decisions: what each of them would have been, and what would have changed.

Agents are taken to have acted as they did, so that the decisions before each one are those of the record. The settings
of the organisation are those of the time. Nothing outside is asked and nothing is written.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from .decisions import with_approval
from .guard import SEVERITY, Decision, Facts, Policy, compile_policies, decide, preliminary
from .history_facts import PastFacts, fact_key
from .policy_sets import BadPolicySetError
from .recorded_facts import Recorded, Settings, approved_by, unpack
from .reevaluation import load_set

if TYPE_CHECKING:
    from .store.engine import Tx

T = TypeVar("T")
MOST_SAMPLES = 20
_MOST_ALIKE = 3
_MOST_SETS = 1000
_NO_CONTEXT = "the action was erased from the record"
_NO_ANSWER = "a remote check has no recorded answer"


class _Then(NamedTuple):
    """What is known of the set that decided: its settings, and the policies for which each kind of fact was fetched."""

    settings: Settings
    sources: Mapping[str, Sequence[str]]


class Simulation:
    """Evaluates decisions in the order of time, within one reading transaction; `outcome` says what was found."""

    def __init__(self, tx: Tx, org_id: str, policies: Iterable[Policy], settings: Settings) -> None:
        known = list(policies)
        self._tx = tx
        self._org_id = org_id
        self._names = {policy.id: policy.name for policy in known}
        self._set = compile_policies(known)
        self._keys = {policy.id: fact_key(policy) for policy in known}
        self._now = _Then(settings, {})
        self._then: dict[str, _Then] = {}
        self._past = PastFacts(tx, org_id, known)
        self._facts: dict[Settings, Facts] = {}
        self._matrix: Counter[tuple[str, str]] = Counter()
        self._skipped: Counter[str] = Counter()
        self._noted: Counter[str] = Counter()
        self._by_policy: dict[str, Counter[str]] = {name: Counter() for name in self._names}
        self._by_agent: dict[str | None, Counter[str]] = {}
        self._samples: list[dict[str, Any]] = []
        self._alike: Counter[tuple[str, str, str]] = Counter()

    def add(self, row: Mapping[str, Any]) -> None:
        """Evaluate one recorded decision, as it is stored; it must not be older than the last one."""
        found = self._evaluate(row)
        self._past.passed(row["agent_id"], row["created_at"])
        if isinstance(found, str):
            self._skipped[found] += 1
            return
        was, would_be = row["decision"], found.decision
        self._matrix[was, would_be] += 1
        agent = self._by_agent.get(row["agent_id"])
        if agent is None:
            agent = self._by_agent[row["agent_id"]] = Counter()
        agent["evaluated"] += 1
        for policy_id in found.matched_policies:
            self._by_policy[policy_id]["matched"] += 1
        if was != would_be:
            agent["changed"] += 1
            for policy_id in found.matched_policies:
                self._by_policy[policy_id]["changed"] += 1
            self._sample(row, found)

    def _evaluate(self, row: Mapping[str, Any]) -> Decision | str:
        """The verdict of the other policies, or why there is none."""
        try:
            context = json.loads(row["context"] or "null")
        except ValueError:
            context = None
        if not isinstance(context, dict):
            return _NO_CONTEXT
        then = self._then.get(row["policy_set"]) or self._load(row["policy_set"])
        recorded = None
        if row["facts"] is not None:
            recorded = unpack(json.loads(row["facts"]), then.settings)
            self._noted["masked"] += bool(recorded.redacted)
        facts, missing = self._facts_for(row, context, then, recorded)
        if missing:
            found = preliminary(context, self._set, facts)
            # A remote check can only make a decision stricter, and nothing is stricter than a block.
            if found.decision != "block":
                return _NO_ANSWER
        else:
            found = decide(context, self._set, facts)
        if recorded is not None and recorded.approval is not None and found.decision == "require_approval":
            return with_approval(found, approved_by(recorded.approval))
        return found

    def _facts_for(
        self, row: Mapping[str, Any], context: Mapping[str, Any], then: _Then, recorded: Recorded | None
    ) -> tuple[Facts, bool]:
        """The facts as of that decision, and whether the answer of a remote check is missing."""
        facts = self._facts.get(then.settings)
        if facts is None:
            facts = Facts(on_failure=then.settings.guard_degradation, kill_switch=then.settings.kill_switch)
            self._facts[then.settings] = facts
        if self._set.needs_nothing or facts.kill_switch:
            return facts, False
        needs = self._set.needs(context)
        if not any(needs):
            return facts, False
        old = Facts() if recorded is None else recorded.facts
        counts, spent, remotes = {}, {}, {}
        for limit in needs.rate_limits:
            count = self._recorded(old.counts, then, limit.policy_id)
            if count is None:
                count = self._past.count(row, limit.window_minutes, limit.max_actions)
                self._noted["recounted"] += 1
            counts[limit.policy_id] = count
        for budget in needs.budgets:
            amount = self._recorded(old.spent, then, budget.policy_id)
            if amount is None:
                amount = self._past.spent(row, budget)
                self._noted["recounted"] += 1
            spent[budget.policy_id] = amount
        for check in needs.remotes:
            answer = self._recorded(old.remotes, then, check.policy_id)
            if answer is not None:
                remotes[check.policy_id] = answer
        missing = len(remotes) < len(needs.remotes)
        return facts._replace(counts=counts, spent=spent, remotes=remotes), missing

    def _recorded(self, facts: Mapping[str, T], then: _Then, policy_id: str) -> T | None:
        """The fact that was recorded for a policy with the same need."""
        if not facts:
            return None
        sources = then.sources.get(self._keys[policy_id], ())
        return next((facts[source] for source in sources if source in facts), None)

    def _load(self, name: str | None) -> _Then:
        if name is None:
            return self._now
        try:
            found = load_set(self._tx, self._org_id, name)
        except BadPolicySetError:
            then = self._now
        else:
            sources: dict[str, list[str]] = {}
            for policy in found.policies.values():
                sources.setdefault(fact_key(policy), []).append(policy.id)
            then = _Then(found.settings, sources)
        if len(self._then) >= _MOST_SETS:
            self._then.clear()
        self._then[name] = then
        return then

    def _sample(self, row: Mapping[str, Any], found: Decision) -> None:
        kind = (row["action_type"], row["decision"], found.decision)
        if len(self._samples) >= MOST_SAMPLES or self._alike[kind] >= _MOST_ALIKE:
            return
        self._alike[kind] += 1
        context = json.loads(row["context"])
        self._samples.append(
            {
                "decision_id": row["id"],
                "created_at": row["created_at"],
                "agent_id": row["agent_id"],
                "action_type": row["action_type"],
                "declared_goal": context.get("declared_goal"),
                "was": row["decision"],
                "would_be": found.decision,
                "why": [*found.reasons, *found.warnings],
                "why_then": [*json.loads(row["reasons"] or "[]"), *json.loads(row["warnings"] or "[]")],
            }
        )

    def outcome(self) -> dict[str, Any]:
        """Counts, and samples of what would have changed."""
        matrix: dict[str, dict[str, int]] = {was: {} for was in SEVERITY}
        for (was, would_be), count in sorted(self._matrix.items()):
            matrix.setdefault(was, {})[would_be] = count
        steps = [(SEVERITY[to] - SEVERITY.get(was, 0), count) for (was, to), count in self._matrix.items()]
        return {
            "evaluated": sum(self._matrix.values()),
            "changed": sum(count for step, count in steps if step),
            "stricter": sum(count for step, count in steps if step > 0),
            "milder": sum(count for step, count in steps if step < 0),
            "skipped": dict(self._skipped),
            "masked": self._noted["masked"],
            "recounted": self._noted["recounted"],
            "matrix": matrix,
            "by_policy": [
                {"policy_id": policy_id, "name": self._names[policy_id], **_both(found, "matched")}
                for policy_id, found in self._by_policy.items()
            ],
            "by_agent": [{"agent_id": agent, **_both(found, "evaluated")} for agent, found in self._by_agent.items()],
            "samples": self._samples,
        }


def _both(found: Counter[str], name: str) -> dict[str, int]:
    return {name: found[name], "changed": found["changed"]}
