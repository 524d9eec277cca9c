"""Several people approve from the command line."""

from __future__ import annotations

import pytest

from dashclaw import DashClaw

from ..serving import Served
from .conftest import Place, Run


@pytest.fixture
def policy(server: Served) -> str:
    """A policy that asks two people of security, and one operator by the policy of the place."""
    rules = {"action_types": ["deploy"], "approvals_required": 2, "approver_roles": ["security"]}
    with DashClaw(server.url, server.admin_key) as operator:
        body = {"name": "Security agrees", "policy_type": "require_approval", "rules": rules}
        made = operator.request("POST", "/api/policies", body=body)
    return str(made["policy"]["id"])


def person(place: Place, name: str) -> tuple[str, str]:
    """Where a person of security looks, with a key of their own."""
    shown = place.run("keys", "create", "--operator", name, "--approver-role", "security", "--json")
    key = shown.document["api_key"]
    assert (key["operator"], key["approver_roles"]) == (name, ["security"])
    return "--api-key", key["key"]


@pytest.mark.usefixtures("policy")
def test_each_approval_says_what_is_still_missing(remote: Place, run: Run) -> None:
    action_id = remote.waiting()
    at = remote.words[:2]
    people = [person(remote, name) for name in ("Ana", "Ben")]
    first = run("approvals", "approve", action_id, "--reason", "Read it", *at, *people[0])
    assert (first.code, first.out.splitlines()) == (
        0,
        [
            f"Approved {action_id}: Ship it",
            "1 of at least 2 approvals, needs one more from: admin (High risk needs approval);"
            " one more from: security (Security agrees)",
        ],
    )
    second = run("approvals", "approve", action_id, *at, *people[1])
    assert second.out.splitlines()[1] == "2 of 3 approvals, needs one more from: admin"
    listed = remote.run("approvals", "list").out.splitlines()
    assert "APPROVALS" in listed[0]
    assert "2 of 3" in listed[1]
    shown = remote.run("approvals", "show", action_id).out
    assert "approvals: 2 of 3, missing: one more from: admin" in shown
    rows = [line.split() for line in shown.splitlines()[-3:]]
    assert rows[0] == ["WHO", "SAID", "ROLES", "WHEN", "FROM", "HOW", "REASON"]
    assert [row[:3] + row[4:6] for row in rows[1:]] == [
        ["Ana", "allow", "security", "127.0.0.1", "cli"],
        ["Ben", "allow", "security", "127.0.0.1", "cli"],
    ]
    assert rows[1][-2:] == ["Read", "it"]
    last = remote.run("approvals", "approve", action_id)
    assert last.out.splitlines() == [f"Approved {action_id}: Ship it"]
    assert remote.agent.get_action(action_id)["action"]["status"] == "running"


@pytest.mark.usefixtures("policy")
def test_a_vote_that_cannot_count_fails_and_says_why(remote: Place, run: Run) -> None:
    action_id = remote.waiting()
    ana = person(remote, "Ana")
    at = remote.words[:2]
    assert run("approvals", "approve", action_id, *at, *ana).code == 0
    again = run("approvals", "approve", action_id, *at, *ana)
    assert (again.code, again.out.splitlines()[1][:13]) == (0, "1 of at least")
    changed = run("approvals", "deny", action_id, *at, *ana)
    assert changed.code == 1
    assert changed.err.startswith("error: This person has decided about the action before")


def test_a_program_reads_the_votes(embedded: Place) -> None:
    action_id = embedded.waiting()
    approved = embedded.run("approvals", "approve", action_id, "--json").document
    [vote] = approved["action"]["approval"]["votes"]
    assert (vote["how"], vote["from"]["address"], vote["by"]) == ("cli", "local", "local:operator")
    assert vote["name"] == vote["from"]["user"]
    assert vote["from"]["host"]


@pytest.mark.parametrize("words", [("--approver-role", "admin"), ("--approver-role", "Security"), ("--operator", "")])
def test_a_key_with_a_wrong_role_is_refused(embedded: Place, words: tuple[str, str]) -> None:
    shown = embedded.run("keys", "create", *words)
    assert shown.code == 1
    assert words[0][2:10].replace("-", "_") in shown.err


def test_keys_are_listed_with_their_people(embedded: Place) -> None:
    embedded.run("keys", "create", "--operator", "Ana", "--approver-role", "security", "--approver-role", "finance")
    line = embedded.run("keys", "list").out.splitlines()[1]
    assert "member, finance, security" in line
    assert "Ana" in line
