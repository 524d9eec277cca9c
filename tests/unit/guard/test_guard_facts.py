"""Facts: which ones a set asks for, what an answer does, and what happens when one is missing."""

from __future__ import annotations

from typing import Any

import pytest

from dashclaw.runtime.guard import (
    Decision,
    Facts,
    Needs,
    Policy,
    RateLimitNeed,
    RemoteAnswer,
    RemoteNeed,
    compile_policies,
    decide,
    preliminary,
)

HOOK = Policy("gp_h", "Hook", "webhook_check", {"url": "https://example.com/check"})
MODEL = Policy("gp_m", "Model", "semantic_check", {"instruction": "No customer data leaves the house."})
ACTION = {"action_type": "note", "agent_id": "a"}


def answered(policy: Policy, answer: RemoteAnswer, *others: Policy, **facts: Any) -> Decision:
    return decide(ACTION, compile_policies([policy, *others]), Facts(remotes={policy.id: answer}, **facts))


def test_a_set_without_facts_needs_nothing() -> None:
    compiled = compile_policies([Policy("1", "P", "risk_threshold", {})])
    assert compiled.needs_nothing is True
    assert compiled.needs(ACTION) == Needs()


def test_needs_names_what_applies_with_defaults_filled_in() -> None:
    compiled = compile_policies(
        [
            HOOK,
            MODEL._replace(agent_ids=("b",)),
            Policy("gp_r", "Rate", "rate_limit", {"max_actions": 5, "window_minutes": 20000}),
            Policy("gp_s", "Rate", "rate_limit", {"when": {"reversible": False}}),
        ]
    )
    assert compiled.needs_nothing is False
    needs = compiled.needs(ACTION)
    assert needs.rate_limits == (RateLimitNeed("gp_r", 10080, 5),)
    assert [(need.policy_id, need.kind) for need in needs.remotes] == [("gp_h", "webhook_check")]
    assert needs.remotes[0].rules["timeout_ms"] == 5000
    other = compiled.needs({"action_type": "note", "agent_id": "b", "reversible": False})
    assert {need.policy_id for need in other.rate_limits} == {"gp_r", "gp_s"}
    assert {need.policy_id for need in other.remotes} == {"gp_h", "gp_m"}
    assert next(need for need in other.remotes if need.kind == "semantic_check").rules["model"] == "gpt-4o-mini"


def test_what_is_needed_is_exactly_what_decide_misses() -> None:
    compiled = compile_policies([HOOK, MODEL, Policy("gp_r", "Rate", "rate_limit", {})])
    needs = compiled.needs(ACTION)
    missing = {policy_id for need in (*needs.rate_limits, *needs.remotes) for policy_id in [need.policy_id]}
    assert missing == set(decide(ACTION, compiled).matched_policies)
    assert isinstance(needs.remotes[0], RemoteNeed)


@pytest.mark.parametrize(
    ("answer", "expected", "lines"),
    [
        (RemoteAnswer(), "allow", ()),
        (RemoteAnswer("allow"), "allow", ()),
        (RemoteAnswer("allow", ("fine",), ("look",)), "warn", ("Hook: look",)),
        (RemoteAnswer(None, (), ("look",)), "warn", ("Hook: look",)),
        (RemoteAnswer("warn", ("odd",)), "warn", ("Hook: odd",)),
        (RemoteAnswer("require_approval", ("ask",)), "require_approval", ("Hook: ask",)),
        (RemoteAnswer("block", ("no", "never")), "block", ("Hook: never", "Hook: no")),
        (RemoteAnswer("block"), "block", ("Hook: the check answered block",)),
    ],
)
def test_a_webhook_answer(answer: RemoteAnswer, expected: str, lines: tuple[str, ...]) -> None:
    found = answered(HOOK, answer)
    assert (found.decision, found.reasons + found.warnings, found.degraded) == (expected, lines, False)


def test_a_webhook_cannot_make_a_decision_milder() -> None:
    block = Policy("1", "B", "block_action_type", {"action_types": ["note"]})
    for answer in ("allow", "warn", "require_approval", None):
        assert answered(HOOK, RemoteAnswer(answer), block).decision == "block"


def test_the_preliminary_decision_leaves_the_remote_checks_out() -> None:
    warns = Policy("1", "W", "warn_action_type", {"action_types": ["note"]})
    compiled = compile_policies([HOOK, MODEL, warns])
    assert preliminary(ACTION, compiled) == decide(ACTION, compile_policies([warns]))
    assert decide(ACTION, compiled).decision == "require_approval"


def test_a_model_must_answer() -> None:
    assert answered(MODEL, RemoteAnswer("allow")).decision == "allow"
    assert answered(MODEL, RemoteAnswer("block", ("leaks data",))).reasons == ("Model: leaks data",)
    silent = answered(MODEL, RemoteAnswer())
    assert (silent.decision, silent.degraded) == ("require_approval", True)


@pytest.mark.parametrize("decision", ["deny", "", "ALLOW", 3, ["allow"], {}])
def test_an_unreadable_decision_is_a_failure(decision: Any) -> None:
    found = answered(HOOK, RemoteAnswer(decision))
    assert (found.decision, found.degraded) == ("require_approval", True)
    assert found.reasons[0].startswith("Hook: unreadable answer")


@pytest.mark.parametrize("policy", [HOOK, MODEL])
@pytest.mark.parametrize(
    ("chosen", "on_failure", "expected"),
    [
        (None, "require_approval", "require_approval"),
        (None, "allow", "allow"),
        (None, "block", "block"),
        (None, "nonsense", "require_approval"),
        (None, None, "require_approval"),
        ("allow", "block", "allow"),
        ("block", "allow", "block"),
        ("require_approval", "allow", "require_approval"),
    ],
)
@pytest.mark.parametrize("answer", [None, RemoteAnswer(failure="timed out after 5000 ms")])
def test_a_failing_remote_follows_the_policy_then_the_operator(
    policy: Policy, chosen: str | None, on_failure: Any, expected: str, answer: RemoteAnswer | None
) -> None:
    key = "on_timeout" if policy.policy_type == "webhook_check" else "fallback"
    policies = compile_policies([policy._replace(rules={**policy.rules, key: chosen})])
    remotes = {} if answer is None else {policy.id: answer}
    found = decide(ACTION, policies, Facts(remotes=remotes, on_failure=on_failure))
    cause = "no answer was fetched" if answer is None else "no answer: timed out after 5000 ms"
    assert (found.decision, found.degraded) == (expected, True)
    assert found.reasons == (f"{policy.name}: {cause}",)


@pytest.mark.parametrize("count", [None, "7", 1.5])
def test_a_missing_or_unreadable_count_fails_closed(count: Any) -> None:
    policies = compile_policies([Policy("gp_r", "Rate", "rate_limit", {})])
    found = decide(ACTION, policies, Facts(counts={} if count is None else {"gp_r": count}))
    assert (found.decision, found.degraded) == ("require_approval", True)
    assert found.reasons == ("Rate: the decisions of this agent could not be counted",)


def test_the_texts_of_a_remote_answer_are_bounded() -> None:
    found = answered(HOOK, RemoteAnswer("block", ("x" * 10_000,) * 500, "one text"))  # type: ignore[arg-type]
    assert len(found.reasons) == 20
    assert max(map(len, found.reasons)) < 600
    assert found.warnings == ("Hook: one text",)
