"""What facts add to a decision: counts of earlier decisions, and the answers of remote checks."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from .policy import ALLOW, REQUIRE_APPROVAL, SEVERITY, WARN

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .rule import Fired, Rule

MAX_TEXTS = 20
MAX_TEXT = 500


class RemoteAnswer(NamedTuple):
    """What a remote check said.

    `decision` is None for no opinion (webhook_check only). `failure` says why no answer came; the policy's `on_timeout`
    or `fallback`, else `Facts.on_failure`, then decides.
    """

    decision: str | None = None
    reasons: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    failure: str | None = None


class Facts(NamedTuple):
    """What the policies need to know beyond the action, by policy id: see `PolicySet.needs`.

    `counts` holds the decisions already in each rate limit's window, `spent` the tokens or US dollars in each budget's.
    A fact that is needed and missing counts as a failure; `on_failure` is the decision then taken, require_approval
    unless the operator chose another.
    """

    counts: Mapping[str, int] = MappingProxyType({})
    remotes: Mapping[str, RemoteAnswer] = MappingProxyType({})
    on_failure: str = REQUIRE_APPROVAL
    kill_switch: bool = False
    spent: Mapping[str, float] = MappingProxyType({})


def on_failure(facts: Facts) -> int:
    """Return minus the severity of the operator's fallback; an unknown one is read as require_approval."""
    chosen = facts.on_failure
    return -SEVERITY[chosen if isinstance(chosen, str) and chosen in SEVERITY else REQUIRE_APPROVAL]


def fire_rates(
    rates: Iterable[tuple[str, int, Rule]], context: Mapping[str, Any], score: int, facts: Facts, fired: list[Fired]
) -> None:
    """Append what the rate limits (id, limit, rule) say; a count that is missing counts as a failure."""
    counts = facts.counts
    for policy_id, limit, rule in rates:
        count = counts.get(policy_id)
        if type(count) is int and count < limit:
            continue
        if rule.when is not None and not rule.when.holds(context, score):
            continue
        if type(count) is int:
            minutes = rule.rules["window_minutes"]
            fired.append(rule.say(f"{count} decisions within {minutes} minutes reach the limit of {limit}"))
        else:
            line = rule.line + "the decisions of this agent could not be counted"
            fired.append((on_failure(facts), rule.name, policy_id, line, True))


def fire_remotes(
    rules: Iterable[Rule], context: Mapping[str, Any], score: int, facts: Facts, fired: list[Fired]
) -> None:
    """Append what the remote checks said; the strictest line of all wins, so they can only make a decision stricter."""
    for rule in rules:
        if rule.fires(context, score):
            fired += _remote(rule, facts)


def _remote(rule: Rule, facts: Facts) -> list[Fired]:
    answer = facts.remotes.get(rule.id)
    if answer is None:
        return [_failed(rule, facts, "no answer was fetched")]
    if answer.failure is not None:
        return [_failed(rule, facts, f"no answer: {answer.failure}")]
    decision = answer.decision
    if decision is None and rule.policy_type == "webhook_check":
        decision = ALLOW
    if not isinstance(decision, str) or decision not in SEVERITY:
        return [_failed(rule, facts, f"unreadable answer: decision {decision!r:.80}")]
    texts = [] if decision == ALLOW else _texts(answer.reasons) or [f"the check answered {decision}"]
    return [_said(rule, decision, text) for text in texts] + [
        _said(rule, WARN, text) for text in _texts(answer.warnings)
    ]


def _said(rule: Rule, decision: str, text: str) -> Fired:
    return (-SEVERITY[decision], rule.name, rule.id, rule.line + text, False)


def _failed(rule: Rule, facts: Facts, cause: str) -> Fired:
    chosen = rule.rules["on_timeout" if rule.policy_type == "webhook_check" else "fallback"]
    rank = on_failure(facts) if chosen is None else -SEVERITY[chosen]
    return (rank, rule.name, rule.id, rule.line + cause[:MAX_TEXT], True)


def _texts(texts: object) -> list[str]:
    """Return the texts of a remote answer, bounded: it comes from outside."""
    if isinstance(texts, str):
        texts = (texts,)
    if not isinstance(texts, (list, tuple)):
        return []
    return [str(text)[:MAX_TEXT] for text in texts[:MAX_TEXTS]]
