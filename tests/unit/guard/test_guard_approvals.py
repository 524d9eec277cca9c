"""What an approval takes: one need per policy that asks, and all of them count."""

from __future__ import annotations

from typing import Any

import pytest

from dashclaw.runtime.guard import ApprovalNeed, Facts, Policy, RemoteAnswer, compile_policies, decide

PAY = {"action_type": "pay", "agent_id": "a", "risk_score": 90}


def ask(number: int, policy_type: str = "require_approval", **rules: Any) -> Policy:
    named = {"action_types": ["pay"]} if policy_type != "risk_threshold" else {}
    return Policy(f"gp_{number}", f"P{number}", policy_type, {**named, **rules})


def needs(*policies: Policy, facts: Facts | None = None) -> list[tuple[Any, ...]]:
    found = decide(PAY, compile_policies(policies), facts or Facts()).approvals
    return [(need.policy_id, need.approvals_required, need.approver_roles) for need in found]


def test_one_admin_suffices_unless_the_policy_says_otherwise() -> None:
    found = decide(PAY, compile_policies([ask(1)]))
    assert found.approvals == (ApprovalNeed("gp_1", "P1", 1, ("admin",)),)


def test_every_policy_that_asks_has_its_own_count_and_roles() -> None:
    assert needs(
        ask(2, approvals_required=3),
        ask(1, approver_roles=["security", "finance"]),
        ask(3, "risk_threshold", action="require_approval", threshold=80, approvals_required=2),
        ask(4, "risk_threshold", action="warn"),
        ask(5, "risk_threshold", action="require_approval", threshold=95, approvals_required=9),
    ) == [("gp_1", 1, ("finance", "security")), ("gp_2", 3, ("admin",)), ("gp_3", 2, ("admin",))]


@pytest.mark.parametrize("other", ["block_action_type", "allow_grant"])
def test_a_block_and_a_grant_leave_nothing_to_approve(other: str) -> None:
    found = decide(PAY, compile_policies([ask(1, approvals_required=2), ask(2, other)]))
    assert found.decision != "require_approval"
    assert found.approvals == ()


def test_a_remote_check_that_asks_takes_what_its_policy_says() -> None:
    check = Policy("gp_1", "P1", "webhook_check", {"url": "https://x.example.com", "approvals_required": 2})
    answer = RemoteAnswer("require_approval", ("too much", "too soon"))
    assert needs(check, facts=Facts(remotes={"gp_1": answer})) == [("gp_1", 2, ("admin",))]
    assert needs(check, facts=Facts(remotes={"gp_1": RemoteAnswer(failure="timed out")})) == [("gp_1", 2, ("admin",))]
    assert needs(check, facts=Facts(remotes={"gp_1": RemoteAnswer("warn")})) == []


def test_what_cannot_be_read_needs_an_admin() -> None:
    assert needs(ask(1, approvals_required="two")) == [("gp_1", 1, ("admin",))]
