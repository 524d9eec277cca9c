"""Every change is one event of the same transaction, and the log of activity says who made it."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select, text

from dashclaw.runtime.clock import stamp
from dashclaw.runtime.evidence.keeping import link_tails
from dashclaw.runtime.identity import Caller
from dashclaw.runtime.runtime import Runtime
from dashclaw.runtime.store.tables import events, metadata

from .conftest import ADMIN, AGENT, World

READER = Caller(ADMIN.org_id, "key_reader", "readonly")


def log(world: World, after: int = 0) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = world.ask("GET", "/api/events", query={"after": str(after), "limit": "200"})[1][
        "events"
    ]
    return found


def tail(world: World, before: int) -> list[tuple[str, str, str]]:
    """The events after the first `before`: name, kind of resource and who did it."""
    return [(row["event"], row["resource_type"], row["actor_id"]) for row in log(world)[before:]]


class Story:
    """Does one thing after another and remembers ids."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.ids: dict[str, str] = {}

    def do(self, verb: str, path: str, body: dict[str, Any] | None, caller: Caller = AGENT) -> Any:
        status, answer = self.world.ask(verb, path.format(**self.ids), body, caller=caller)
        assert status < 300, (verb, path, answer)
        return answer


def test_each_change_is_one_event_with_its_actor(world: World) -> None:
    story = Story(world)
    action = {"action_type": "research", "declared_goal": "Look", "agent_id": "a"}
    policy = {"name": "p", "policy_type": "require_approval", "rules": {"action_types": ["deploy"]}}
    loop = {"loop_type": "question", "description": "Who?"}
    steps: list[tuple[str, str, dict[str, Any] | None, Caller, list[tuple[str, str]]]] = [
        ("POST", "/api/policies", policy, ADMIN, [("policy.updated", "policy")]),
        ("POST", "/api/guard", action, AGENT, [("guard.decision.created", "decision")]),
        (
            "POST",
            "/api/actions",
            {**action, "action_id": "one"},
            AGENT,
            [("guard.decision.created", "decision"), ("action.created", "action")],
        ),
        ("PATCH", "/api/actions/one", {"output_summary": "half"}, AGENT, [("action.updated", "action")]),
        ("PATCH", "/api/actions/one", {"status": "completed"}, AGENT, [("action.updated", "action")]),
        (
            "POST",
            "/api/actions",
            {**action, "action_type": "deploy", "action_id": "two"},
            AGENT,
            [("guard.decision.created", "decision"), ("action.created", "action")],
        ),
        ("POST", "/api/actions/two/approve", {"decision": "allow"}, ADMIN, [("action.updated", "action")]),
        ("POST", "/api/loops", {**loop, "action_id": "one", "loop_id": "l"}, AGENT, [("loop.created", "loop")]),
        ("PATCH", "/api/loops/l", {"status": "resolved", "resolution": "Ann"}, AGENT, [("loop.updated", "loop")]),
        (
            "POST",
            "/api/assumptions",
            {"action_id": "one", "assumption": "x", "assumption_id": "s"},
            AGENT,
            [("assumption.created", "assumption")],
        ),
        ("PATCH", "/api/assumptions/s", {"validated": True}, AGENT, [("assumption.updated", "assumption")]),
        ("POST", "/api/agents/heartbeat", {"agent_id": "b"}, AGENT, [("agent.heartbeat", "agent")]),
        ("POST", "/api/agents/heartbeat", {"agent_id": "b"}, AGENT, []),
        (
            "POST",
            "/api/agents/heartbeat",
            {"agent_id": "b", "current_task_id": "t"},
            AGENT,
            [("agent.heartbeat", "agent")],
        ),
        ("PATCH", "/api/orgs/org_default", {"kill_switch": True}, ADMIN, [("org.updated", "organization")]),
        ("POST", "/api/orgs", {"name": "Other", "slug": "other"}, ADMIN, [("org.created", "organization")]),
        ("POST", "/api/orgs/org_default/keys", {"role": "member"}, ADMIN, [("key.created", "api_key")]),
    ]
    for verb, path, body, caller, expected in steps:
        before = len(log(world))
        answer = story.do(verb, path, body, caller)
        assert tail(world, before) == [(*event, caller.actor_id) for event in expected], (verb, path, body)
        if path == "/api/policies":
            story.ids["policy"] = answer["policy"]["id"]
        elif path.endswith("/keys"):
            story.ids["key"] = answer["api_key"]["id"]
    for verb, path, event in (
        ("PATCH", "/api/policies/{policy}", ("policy.updated", "policy")),
        ("DELETE", "/api/policies/{policy}", ("policy.updated", "policy")),
        ("DELETE", "/api/orgs/org_default/keys/{key}", ("key.revoked", "api_key")),
    ):
        before = len(log(world))
        story.do(verb, path, {"active": False} if verb == "PATCH" else None, ADMIN)
        assert tail(world, before) == [(*event, ADMIN.actor_id)]


def test_the_log_of_activity_holds_every_change_newest_first(world: World) -> None:
    world.policy("require_approval", {"action_types": ["deploy"]})
    _, waiting = world.act("deploy")
    world.ask("POST", f"/api/actions/{waiting['action_id']}/approve", {"decision": "deny"}, caller=ADMIN)
    _, found = world.ask("GET", "/api/activity", caller=READER)
    assert [row["action"] for row in found["logs"]] == ["action.updated", "action.created", "policy.updated"]
    assert found["stats"]["unique_actors"] == 2
    assert found["logs"][0]["details"]["error_message"] == "A person denied the action"
    _, own = world.ask("GET", "/api/activity", query={"actor_id": ADMIN.actor_id})
    assert {row["action"] for row in own["logs"]} == {"policy.updated", "action.updated"}


def test_activity_between_two_moments(world: World) -> None:
    world.act()
    world.clock.move(days=2)
    middle = world.clock.now.isoformat()
    world.clock.move(seconds=1)
    world.act()
    assert len(world.ask("GET", "/api/activity", query={"after": middle})[1]["logs"]) == 1
    assert len(world.ask("GET", "/api/activity", query={"before": middle})[1]["logs"]) == 1
    assert world.ask("GET", "/api/activity")[1]["stats"]["today"] == 1
    assert world.ask("GET", "/api/activity", query={"after": "soon"})[0] == 400


def everything(world: World) -> dict[str, list[str]]:
    """All rows of all tables as text, once earlier events are linked into the chain."""
    link_tails(world.runtime)
    with world.runtime.store.read() as tx:
        return {name: sorted(map(repr, tx.all(select(table)))) for name, table in metadata.tables.items()}


def test_a_refusal_changes_nothing_and_is_no_event(world: World) -> None:
    world.policy("require_approval", {"action_types": ["deploy"]}, name="gate")
    world.act(action_id="done", status="completed")
    world.act("deploy", action_id="waits")
    world.ask("POST", "/api/orgs/org_default/keys", {"role": "admin"}, caller=ADMIN)
    (key,) = world.ask("GET", "/api/orgs/org_default/keys", caller=ADMIN)[1]["keys"]
    before = everything(world)
    rules = {"threshold": 50}
    for verb, path, body, caller, status in (
        ("POST", "/api/guard", {}, AGENT, 400),
        ("POST", "/api/guard", {"action_type": "x"}, READER, 403),
        ("POST", "/api/actions", {"action_type": "x", "declared_goal": "g"}, AGENT, 400),
        (
            "POST",
            "/api/actions",
            {"action_type": "x", "declared_goal": "g", "agent_id": "a", "action_id": "done"},
            AGENT,
            409,
        ),
        (
            "POST",
            "/api/actions",
            {"action_type": "x", "declared_goal": "g", "agent_id": "a", "timestamp_end": "soon"},
            AGENT,
            400,
        ),
        ("PATCH", "/api/actions/done", {"status": "failed"}, AGENT, 409),
        ("PATCH", "/api/actions/done", {}, AGENT, 400),
        ("PATCH", "/api/actions/done", {"timestamp_end": "soon"}, AGENT, 400),
        ("PATCH", "/api/actions/waits", {"status": "running"}, AGENT, 409),
        ("PATCH", "/api/actions/nobody", {"status": "failed"}, AGENT, 404),
        ("POST", "/api/actions/waits/approve", {"decision": "allow"}, AGENT, 403),
        ("POST", "/api/actions/waits/approve", {"decision": "perhaps"}, ADMIN, 400),
        ("POST", "/api/actions/done/approve", {"decision": "allow"}, ADMIN, 409),
        ("POST", "/api/loops", {"action_id": "nobody", "loop_type": "other", "description": "x"}, AGENT, 404),
        ("PATCH", "/api/loops/nobody", {"status": "cancelled"}, AGENT, 404),
        ("POST", "/api/assumptions", {"action_id": "nobody", "assumption": "x"}, AGENT, 404),
        ("POST", "/api/agents/heartbeat", {}, AGENT, 400),
        ("POST", "/api/policies", {"name": "gate", "policy_type": "risk_threshold", "rules": rules}, ADMIN, 409),
        ("POST", "/api/policies", {"name": "n", "policy_type": "no such", "rules": rules}, ADMIN, 400),
        ("POST", "/api/policies", {"name": "n", "policy_type": "risk_threshold", "rules": rules}, AGENT, 403),
        ("POST", "/api/orgs", {"name": "n", "slug": "default"}, ADMIN, 409),
        ("PATCH", "/api/orgs/org_default", {}, ADMIN, 400),
        ("PATCH", "/api/orgs/org_other", {"kill_switch": True}, ADMIN, 404),
        ("DELETE", f"/api/orgs/org_default/keys/{key['id']}", None, ADMIN, 409),
    ):
        assert world.ask(verb, path, body, caller=caller)[0] == status, (verb, path, body)
        assert everything(world) == before, (verb, path, body)


def test_a_refused_request_with_a_key_leaves_the_key_free(world: World) -> None:
    good = {"action_type": "x", "declared_goal": "g", "agent_id": "a"}
    assert world.ask("POST", "/api/actions", {**good, "timestamp_start": "soon"}, key="k")[0] == 400
    assert world.ask("POST", "/api/actions", good, key="k")[0] == 201
    before = everything(world)
    assert world.ask("POST", "/api/actions", good, key="k")[0] == 201
    assert everything(world) == before


def test_a_decision_whose_event_cannot_be_written_is_not_returned(world: World) -> None:
    body = {"action_type": "x", "declared_goal": "g", "agent_id": "a"}
    with world.runtime.store.engine.begin() as connection:
        connection.execute(text("ALTER TABLE events RENAME TO events_gone"))
    try:
        for path in ("/api/guard", "/api/actions", "/api/agents/heartbeat"):
            assert world.ask("POST", path, body)[1]["code"] == "STORAGE_UNAVAILABLE"
    finally:
        with world.runtime.store.engine.begin() as connection:
            connection.execute(text("ALTER TABLE events_gone RENAME TO events"))
    assert world.ask("GET", "/api/guard")[1]["total"] == 0
    assert world.ask("GET", "/api/actions")[1]["total"] == 0
    assert world.ask("GET", "/api/agents")[1]["total"] == 0
    assert world.ask("POST", "/api/guard", body)[1]["recorded"] is True


def test_an_organisation_sees_only_its_own_events(world: World) -> None:
    _, made = world.ask("POST", "/api/orgs", {"name": "Other", "slug": "other"}, caller=ADMIN)
    stranger = Caller(made["organization"]["id"], "key_stranger", "admin")
    world.act()
    world.ask("POST", "/api/guard", {"action_type": "x", "agent_id": "theirs"}, caller=stranger)
    assert {row["org_id"] for row in log(world)} == {ADMIN.org_id}
    _, theirs = world.ask("GET", "/api/events", caller=stranger)
    told = [(row["event"], row["agent_id"]) for row in theirs["events"]]
    assert told == [("key.created", None), ("guard.decision.created", "theirs")]


def test_events_are_paged_by_their_cursor_without_gaps(world: World) -> None:
    for _ in range(7):
        world.act()
    seen: list[int] = []
    more, cursor = True, 0
    while more:
        _, page = world.ask("GET", "/api/events", query={"after": str(cursor), "limit": "4"})
        seen += [row["id"] for row in page["events"]]
        more, cursor = page["has_more"], page["last_event_id"]
    assert seen == sorted(set(seen)) == [row["id"] for row in log(world)]


def test_a_follower_sees_what_another_process_commits(world: World) -> None:
    follower = world.runtime.feed.follow(ADMIN.org_id, 0)
    other = Runtime.open(world.url, clock=world.clock)
    try:
        World(other, world.clock, world.url).act()
        found: list[str] = []
        while len(found) < 2:
            batch = follower.next(timeout=20)
            assert batch, "the events never came"
            found += [event["event"] for event in batch]
        assert found == ["guard.decision.created", "action.created"]
        assert follower.next(timeout=0) == []
    finally:
        follower.close()
        other.close()
    assert follower.next(timeout=5) == []


@pytest.mark.parametrize("column", ["org_id", "event", "actor_type", "actor_id", "resource_type", "resource_id"])
def test_an_event_always_says_what_happened_to_what_by_whom(column: str) -> None:
    assert events.c[column].nullable is False


@pytest.mark.parametrize("before", [0, 1, 2, 7])
def test_events_since_a_moment_are_found_in_a_log_of_two_organisations(world: World, before: int) -> None:
    status, other = world.ask("POST", "/api/orgs", {"name": "Other", "slug": "other"}, caller=ADMIN)
    assert status == 201
    stranger = Caller(other["organization"]["id"], "key_other", "admin")
    for number in range(before):
        world.act(action_id=f"old-{number}")
        world.ask(
            "POST", "/api/policies", {"name": f"p{number}", "policy_type": "rate_limit", "rules": {}}, caller=stranger
        )
    world.clock.move(minutes=1)
    since = stamp(world.clock())
    world.act(action_id="new")
    _, page = world.ask("GET", "/api/events", query={"since": since})
    assert [row["data"]["action_id"] for row in page["events"]] == ["new", "new"]
    _, page = world.ask("GET", "/api/events", query={"since": stamp(world.clock())})
    assert page["events"] == []
    assert page["last_event_id"] == last_id(world)
    assert world.ask("GET", "/api/events", query={"since": "soon"})[0] == 400


def last_id(world: World) -> int:
    return int(log(world)[-1]["id"])
