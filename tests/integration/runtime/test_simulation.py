"""Other policies against what was recorded: the same verdicts as if they had been in force, and nothing written."""

from __future__ import annotations

import json
import random
from collections import Counter
from typing import Any

import pytest
from sqlalchemy import func, select, update

from dashclaw.runtime.decisions import decide_and_record
from dashclaw.runtime.guard import RemoteAnswer
from dashclaw.runtime.inputs import NoInput
from dashclaw.runtime.operations import Invocation
from dashclaw.runtime.store.tables import events, guard_decisions

from .conftest import ADMIN, AGENT, World

Found = dict[str, Any]
Drafts = list[tuple[str, dict[str, Any]]]


def ask(world: World, action_type: str = "research", agent_id: str = "a", **fields: object) -> Found:
    body = {"action_type": action_type, "agent_id": agent_id, **fields}
    status, decision = world.ask("POST", "/api/guard", body)
    assert status == 200, decision
    assert isinstance(decision, dict)
    return decision


def written(*drafts: tuple[str, dict[str, Any]], names: tuple[str, ...] = ()) -> str:
    """Policies as a document; JSON is YAML."""
    rows = [
        {"name": names[place] if names else f"Draft {place}", "policy_type": kind, "rules": rules}
        for place, (kind, rules) in enumerate(drafts)
    ]
    return json.dumps({"policies": rows})


def simulate(world: World, yaml: str, **more: Any) -> Found:
    status, found = world.ask("POST", "/api/policies/simulate", {"yaml": yaml, **more}, caller=ADMIN)
    assert status == 200, found
    assert isinstance(found, dict)
    return found


def in_parts(world: World, yaml: str, size: int, **more: Any) -> tuple[Counter[tuple[str, str]], list[Found]]:
    """The matrix of a whole simulation, asked for in small parts, and the parts."""
    parts = [simulate(world, yaml, limit=size, **more)]
    while parts[-1]["cursor"] is not None:
        parts.append(simulate(world, yaml, limit=size, cursor=parts[-1]["cursor"], **more))
    matrix: Counter[tuple[str, str]] = Counter()
    for part in parts:
        matrix.update({(was, to): n for was, row in part["matrix"].items() for to, n in row.items()})
    return matrix, parts


def change_behind_the_api(world: World, **values: Any) -> None:
    with world.runtime.store.write("org_default") as tx:
        assert tx.execute(update(guard_decisions).values(**values))


def rows_of(world: World) -> tuple[int, int]:
    with world.runtime.store.read() as tx:
        return tuple(tx.scalar(select(func.count()).select_from(table)) for table in (events, guard_decisions))  # type: ignore[return-value]


def test_a_new_set_replaces_what_was_in_force(world: World) -> None:
    world.policy("block_action_type", {"action_types": ["db.drop"]})
    for kind, agent in (("db.drop", "a"), ("mail.send", "a"), ("mail.send", "b"), ("note", "b")):
        ask(world, kind, agent, declared_goal=f"Do {kind}")
    before = rows_of(world)
    found = simulate(world, written(("warn_action_type", {"action_types": ["mail.*"]})))
    assert rows_of(world) == before
    assert found["matrix"] == {
        "allow": {"allow": 1, "warn": 2},
        "warn": {},
        "require_approval": {},
        "block": {"allow": 1},
    }
    assert (found["evaluated"], found["changed"], found["stricter"], found["milder"]) == (4, 3, 2, 1)
    assert found["by_policy"] == [{"policy_id": "draft_0", "name": "Draft 0", "matched": 2, "changed": 2}]
    assert found["by_agent"] == [
        {"agent_id": "a", "evaluated": 2, "changed": 2},
        {"agent_id": "b", "evaluated": 2, "changed": 1},
    ]
    dropped, mailed, _ = found["samples"]
    assert (dropped["was"], dropped["would_be"], dropped["declared_goal"]) == ("block", "allow", "Do db.drop")
    assert len(dropped["why_then"]) == 1
    assert mailed["why"] == ["Draft 0: warns about mail.send"]
    assert (found["matching"], found["cursor"], found["skipped"]) == (4, None, {})


def test_a_set_is_added_to_the_active_policies_and_takes_the_place_of_a_namesake(world: World) -> None:
    world.policy("block_action_type", {"action_types": ["db.drop"]}, name="No drops")
    world.policy("block_action_type", {"action_types": ["fs.delete"]}, name="No deletes")
    for kind in ("db.drop", "fs.delete", "note"):
        ask(world, kind)
    yaml = written(("warn_action_type", {"action_types": ["db.drop", "note"]}), names=("No drops",))
    found = simulate(world, yaml, with_current=True)
    assert found["replaced"] == ["No drops"]
    assert found["policies"] == 2
    assert found["matrix"]["block"] == {"block": 1, "warn": 1}
    assert found["matrix"]["allow"] == {"warn": 1}


LIMITS: Drafts = [
    ("rate_limit", {"max_actions": 3, "window_minutes": 10, "action": "block"}),
    ("rate_limit", {"max_actions": 6, "window_minutes": 90}),
    ("token_budget", {"max_tokens": 400, "window_minutes": 70}),
    ("cost_budget", {"max_usd": 0.004, "window_minutes": 30, "action": "block"}),
    ("cost_budget", {"max_usd": 0.01, "window_minutes": 200}),
]


@pytest.mark.parametrize("facts", ["recorded", "gone"])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_limits_and_budgets_are_as_they_would_have_been(world: World, facts: str, seed: int) -> None:
    """The verdicts of policies that were in force are the oracle; without recorded facts they have to be recounted."""
    chance = random.Random(seed)
    for kind, rules in LIMITS:
        world.policy(kind, rules)
    for _ in range(120):
        world.clock.move(seconds=chance.choice([1, 40, 400, 1500]))
        agent = chance.choice("abc")
        if chance.random() < 0.4:
            usage = {"agent_id": agent, "tokens_in": chance.randrange(200), "tokens_out": 50, "model": "gpt-4o"}
            assert world.ask("POST", "/api/tokens", usage)[0] < 300
        ask(world, chance.choice(["note", "deploy"]), agent)
    if facts == "gone":
        change_behind_the_api(world, facts=None)
    matrix, parts = in_parts(world, written(*LIMITS), 17)
    assert sum(matrix.values()) == 120
    assert {was for was, _ in matrix} == {"allow", "warn", "require_approval", "block"}
    assert [pair for pair in matrix if pair[0] != pair[1]] == []
    assert (sum(part["recounted"] for part in parts) > 0) == (facts == "gone")
    _, parts = in_parts(world, written(("rate_limit", {"max_actions": 1, "action": "block"})), 17)
    assert sum(part["changed"] for part in parts) > 0
    assert sum(part["recounted"] for part in parts) > 0


def decide_with(world: World, answers: dict[str, RemoteAnswer], action_type: str = "note") -> Found:
    body = {"action_type": action_type, "agent_id": "a"}
    call = Invocation(world.runtime, AGENT, {}, NoInput(), None, body, answers)
    with world.runtime.store.write("org_default") as tx:
        return decide_and_record(tx, call, body, "a")


def test_remote_checks_are_answered_from_the_record_or_left_out(world: World) -> None:
    rules = {"url": "https://example.com/check", "timeout_ms": 1000}
    policy = world.policy("webhook_check", rules)
    assert decide_with(world, {policy: RemoteAnswer("block", ("no",))})["decision"] == "block"
    assert decide_with(world, {policy: RemoteAnswer("allow")})["decision"] == "allow"
    same = simulate(world, written(("webhook_check", {**rules, "timeout_ms": 2000})))
    assert (same["evaluated"], same["changed"]) == (2, 0)
    other = written(("webhook_check", {"url": "https://example.com/other"}))
    found = simulate(world, other)
    assert found["evaluated"] == 0
    assert found["skipped"] == {"a remote check has no recorded answer": 2}
    blocking = ("block_action_type", {"action_types": ["note"]})
    found = simulate(world, written(("webhook_check", {"url": "https://example.com/other"}), blocking))
    assert found["matrix"]["allow"] == {"block": 1}


def test_what_was_stopped_by_the_kill_switch_stays_stopped(world: World) -> None:
    world.ask("PATCH", "/api/orgs/org_default", {"kill_switch": True}, caller=ADMIN)
    ask(world)
    world.ask("PATCH", "/api/orgs/org_default", {"kill_switch": False}, caller=ADMIN)
    ask(world)
    found = simulate(world, written(("warn_action_type", {"action_types": ["*"]})))
    assert found["matrix"]["block"] == {"block": 1}
    assert found["matrix"]["allow"] == {"warn": 1}


def test_an_approval_that_was_used_is_used_again(world: World) -> None:
    rules = {"action_types": ["deploy"]}
    world.policy("require_approval", rules)
    body = {"action_type": "deploy", "declared_goal": "Ship it", "agent_id": "a"}
    waiting = world.ask("POST", "/api/actions", body)[1]["action_id"]
    world.ask("POST", f"/api/actions/{waiting}/approve", {"decision": "allow"}, caller=ADMIN)
    assert world.ask("POST", "/api/actions", body)[0] == 201
    found = simulate(world, written(("require_approval", rules)))
    assert found["matrix"]["require_approval"] == {"require_approval": 1}
    assert found["matrix"]["allow"] == {"allow": 1}
    assert simulate(world, written(("block_action_type", rules)))["matrix"]["allow"] == {"block": 1}


def test_erased_actions_and_old_decisions(world: World) -> None:
    ask(world)
    change_behind_the_api(world, context=None)
    ask(world)
    with world.runtime.store.write("org_default") as tx:
        tx.execute(update(guard_decisions).where(guard_decisions.c.context.is_not(None)).values(policy_set=None))
    ask(world)
    found = simulate(world, written(("warn_action_type", {"action_types": ["*"]})))
    assert found["skipped"] == {"the action was erased from the record": 1}
    assert found["matrix"]["allow"] == {"warn": 2}


def test_windows_agents_and_the_newest(world: World) -> None:
    for agent in "ab":
        for _ in range(4):
            ask(world, agent_id=agent)
            world.clock.move(hours=10)
    yaml = written(("warn_action_type", {"action_types": ["*"]}))
    assert simulate(world, yaml, since="45h")["matching"] == 4
    assert simulate(world, yaml, since="2026-03-01T13:00:00Z")["matching"] == 7
    assert simulate(world, yaml, since="1m")["matching"] == 0
    assert simulate(world, yaml, agent_id="a")["by_agent"] == [{"agent_id": "a", "evaluated": 4, "changed": 4}]
    newest = simulate(world, yaml, newest=3)
    assert (newest["matching"], newest["by_agent"]) == (3, [{"agent_id": "b", "evaluated": 3, "changed": 3}])
    assert simulate(world, yaml, newest=100)["matching"] == 8
    _, parts = in_parts(world, yaml, 2, newest=5)
    assert [part["evaluated"] for part in parts] == [2, 2, 1]
    assert [part["matching"] for part in parts] == [5, None, None]


def test_samples_show_different_changes(world: World) -> None:
    for _ in range(10):
        ask(world, "note")
    ask(world, "deploy")
    found = simulate(world, written(("warn_action_type", {"action_types": ["*"]})))
    assert [sample["action_type"] for sample in found["samples"]] == ["note"] * 3 + ["deploy"]


def test_a_cursor_belongs_to_its_policies(world: World) -> None:
    for _ in range(3):
        ask(world)
    yaml = written(("warn_action_type", {"action_types": ["*"]}))
    cursor = simulate(world, yaml, limit=1, with_current=True)["cursor"]
    world.policy("block_action_type", {"action_types": ["db.drop"]})
    body = {"yaml": yaml, "cursor": cursor, "with_current": True}
    status, found = world.ask("POST", "/api/policies/simulate", body, caller=ADMIN)
    assert (status, found["code"]) == (409, "CONFLICT")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "pack"),
        ({"pack": "nothing"}, "pack"),
        ({"pack": "smb-safe", "since": "yesterday"}, "since"),
        ({"pack": "smb-safe", "since": "2026-99-01"}, "since"),
        ({"pack": "smb-safe", "since": "99999d"}, None),
        ({"pack": "smb-safe", "cursor": "x"}, "cursor"),
        ({"pack": "smb-safe", "limit": 0}, "limit"),
        ({"pack": "smb-safe", "newest": 0}, "newest"),
        ({"yaml": "policies: [{name: x, policy_type: nonsense, rules: {}}]"}, "yaml.policies.0"),
    ],
)
def test_bad_input_is_refused(world: World, body: Found, field: str | None) -> None:
    status, found = world.ask("POST", "/api/policies/simulate", body, caller=ADMIN)
    assert status == (200 if field is None else 400), found
    if field is not None:
        assert found["fields"][0]["field"] == field


def test_only_admins_simulate_and_only_their_own_history(world: World) -> None:
    ask(world)
    assert world.ask("POST", "/api/policies/simulate", {"pack": "smb-safe"})[0] == 403
    _, made = world.ask("POST", "/api/orgs", {"name": "Other", "slug": "other"}, caller=ADMIN)
    other = ADMIN._replace(org_id=made["organization"]["id"])
    status, found = world.ask("POST", "/api/policies/simulate", {"pack": "smb-safe"}, caller=other)
    assert (status, found["matching"], found["evaluated"]) == (200, 0, 0)
