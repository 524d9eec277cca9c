"""allow_grant: what it lifts, and what it never lifts."""

from __future__ import annotations

from typing import Any

import pytest

from dashclaw.runtime.guard import Facts, Policy, RemoteAnswer, compile_policies, decide

GRANT = Policy("gp_g", "Grant", "allow_grant", {"action_types": ["deploy", "db.*"]})


def grant(**when: Any) -> Policy:
    return GRANT._replace(rules={"action_types": ["deploy"], "when": when})


def policy(policy_type: str, **rules: Any) -> Policy:
    return Policy("gp_p", "P", policy_type, rules)


@pytest.mark.parametrize(
    ("other", "line"),
    [
        (policy("require_approval", action_types=["deploy"]), "P: asks for approval of deploy"),
        (policy("warn_action_type", action_types=["deploy"]), "P: warns about deploy"),
        (policy("risk_threshold", threshold=10, action="warn"), "P: the threshold 10 is reached by the risk score 75"),
    ],
)
def test_it_lifts_warnings_and_approvals(other: Policy, line: str) -> None:
    found = decide({"action_type": "deploy"}, compile_policies([other, GRANT]))
    was = "warn" if "warn" in other.policy_type or other.rules.get("action") == "warn" else "require_approval"
    assert found.decision == "allow"
    assert found.reasons == (f"Grant: a grant lifts {was}",)
    assert found.warnings == (line,)
    assert found.matched_policies == ("gp_p", "gp_g")


@pytest.mark.parametrize(
    "other", [policy("block_action_type", action_types=["deploy"]), policy("risk_threshold", threshold=10)]
)
def test_it_never_lifts_a_block(other: Policy) -> None:
    found = decide({"action_type": "deploy"}, compile_policies([other, GRANT]))
    assert found.decision == "block"
    assert found.matched_policies == ("gp_p",)


def test_it_never_lifts_a_remote_block() -> None:
    policies = compile_policies([policy("webhook_check", url="https://example.com"), GRANT])
    facts = Facts(remotes={"gp_p": RemoteAnswer("block", ("no",))})
    assert decide({"action_type": "deploy"}, policies, facts).decision == "block"


@pytest.mark.parametrize(
    "other",
    [
        Policy("gp_p", "P", "risk_threshold", None),  # type: ignore[arg-type]
        policy("webhook_check", url="https://example.com"),
        policy("semantic_check", instruction="be kind", fallback="warn"),
        policy("rate_limit", max_actions=5),
    ],
)
def test_it_never_lifts_a_degraded_decision(other: Policy) -> None:
    found = decide({"action_type": "deploy", "agent_id": "a"}, compile_policies([other, GRANT]))
    assert found.decision in {"require_approval", "warn"}
    assert found.degraded is True


def test_a_failure_that_was_allowed_still_keeps_a_grant_from_lifting() -> None:
    policies = [
        Policy("1", "Hook", "webhook_check", {"url": "https://example.com", "on_timeout": "allow"}),
        policy("require_approval", action_types=["deploy"]),
        GRANT,
    ]
    assert decide({"action_type": "deploy"}, compile_policies(policies)).decision == "require_approval"


@pytest.mark.parametrize(
    ("systems", "lifted"), [(["staging-a"], True), (["staging-a", "prod"], False), (["prod"], False), ([], False)]
)
def test_its_systems_must_all_match(systems: list[str], lifted: bool) -> None:
    policies = compile_policies(
        [policy("require_approval", action_types=["deploy"]), grant(systems_touched=["staging-*"])]
    )
    found = decide({"action_type": "deploy", "systems_touched": systems}, policies)
    assert (found.decision == "allow") is lifted


def test_its_other_conditions_and_its_scope() -> None:
    asks = policy("require_approval", action_types=["*"])
    compiled = compile_policies([asks, grant(reversible=True)])
    assert decide({"action_type": "deploy", "reversible": True}, compiled).decision == "allow"
    assert decide({"action_type": "deploy"}, compiled).decision == "require_approval"
    scoped = compile_policies([asks, GRANT._replace(agent_ids=("a",))])
    assert decide({"action_type": "db.drop", "agent_id": "a"}, scoped).decision == "allow"
    assert decide({"action_type": "db.drop", "agent_id": "b"}, scoped).decision == "require_approval"
    assert decide({"action_type": "db.drop"}, scoped).decision == "require_approval"


def test_an_unreadable_grant_lifts_nothing() -> None:
    policies = [policy("require_approval", action_types=["deploy"]), grant(reversible="yes")]
    found = decide({"action_type": "deploy"}, compile_policies(policies))
    assert (found.decision, found.degraded) == ("require_approval", True)


def test_a_grant_alone_says_nothing() -> None:
    found = decide({"action_type": "deploy"}, compile_policies([GRANT]))
    assert (found.decision, found.reasons, found.matched_policies) == ("allow", (), ())
