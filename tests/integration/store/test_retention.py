"""What was kept long enough goes, in small steps, and nothing that is still needed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from sqlalchemy import Table, func, select

from dashclaw.runtime.identity import Caller
from dashclaw.runtime.settings import Settings
from dashclaw.runtime.store import retention
from dashclaw.runtime.store.retention import sweep
from dashclaw.runtime.store.tables import actions, decision_counts, decision_hours, events, guard_decisions, idempotency

from ..runtime.conftest import ADMIN, World

KEEP_30 = Settings(decision_days=30, event_days=30)


def forget(world: World, settings: Settings = KEEP_30) -> dict[str, int]:
    return sweep(world.runtime.store, settings)


def count(world: World, table: Table) -> int:
    with world.runtime.store.read() as tx:
        return int(tx.scalar(select(func.count()).select_from(table)))


def guard(world: World, caller: Caller | None = None, **fields: object) -> str:
    body = {"action_type": "research", "agent_id": "a", **fields}
    found: str = world.ask("POST", "/api/guard", body, **({"caller": caller} if caller else {}))[1]["decision_id"]
    return found


def decisions_left(world: World) -> set[str]:
    with world.runtime.store.read() as tx:
        return {row["id"] for row in tx.all(select(guard_decisions.c.id))}


@contextmanager
def batches_of(size: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patched:
        patched.setattr(retention, "BATCH", size)
        yield


def test_nothing_but_old_answers_goes_unless_somebody_says_so(world: World) -> None:
    world.act()
    guard(world)
    world.clock.move(days=3650)
    assert forget(world, Settings()) == dict.fromkeys(("idempotency", "nonces", "decisions", "events", "deliveries"), 0)
    assert (count(world, guard_decisions), count(world, actions)) == (2, 1)


def test_decisions_go_by_age_unless_an_action_rests_on_them(world: World) -> None:
    old = guard(world)
    _, kept = world.act()
    world.clock.move(days=30, seconds=1)
    young = guard(world)
    assert forget(world)["decisions"] == 1
    assert decisions_left(world) == {kept["decision"]["decision_id"], young}
    assert old not in decisions_left(world)
    assert forget(world)["decisions"] == 0


@pytest.mark.parametrize(("days", "gone"), [(6.99, 0), (7.01, 1)])
def test_a_decision_that_a_rate_limit_may_count_stays(world: World, days: float, gone: int) -> None:
    world.policy("rate_limit", {"max_actions": 1, "window_minutes": 10080, "action": "block"})
    guard(world)
    world.clock.move(days=days)
    assert forget(world, Settings(decision_days=1))["decisions"] == gone
    _, decision = world.ask("POST", "/api/guard", {"action_type": "research", "agent_id": "a"})
    assert decision["decision"] == ("allow" if gone else "block")


def test_the_counts_follow_what_goes(world: World) -> None:
    world.policy("block_action_type", {"action_types": ["db.drop"]})
    for _ in range(3):
        guard(world)
        guard(world, action_type="db.drop", agent_id="b")
        world.clock.move(hours=1)
    world.clock.move(days=31)
    guard(world, agent_id="b")
    assert forget(world)["decisions"] == 6
    _, history = world.ask("GET", "/api/guard")
    assert (history["total"], len(history["decisions"]), history["stats"]["total_24h"]) == (1, 1, 1)
    assert world.ask("GET", "/api/guard", query={"agent_id": "a"})[1]["total"] == 0
    with world.runtime.store.read() as tx:
        for table in (decision_counts, decision_hours):
            assert [row["n"] for row in tx.all(select(table.c.n))] == [1]


@pytest.mark.parametrize("status", ["running", "pending_approval"])
def test_events_of_an_open_action_stay_until_it_ends(world: World, status: str) -> None:
    _, created = world.act(status=status)
    _, done = world.act(agent_id="b", status="completed")
    world.clock.move(seconds=1)
    world.ask("POST", "/api/agents/heartbeat", {"agent_id": "c"})
    with world.runtime.store.write(ADMIN.org_id) as tx:
        tx.execute(actions.update().values(approval_expires_at="9999"))
    world.clock.move(days=31)
    forget(world)
    with world.runtime.store.read() as tx:
        left = [(row["event"], row["resource_id"]) for row in tx.all(select(events))]
    assert left == [("action.created", created["action_id"])]
    assert count(world, guard_decisions) == 2
    assert world.ask("GET", f"/api/actions/{done['action_id']}")[0] == 200
    world.ask("PATCH", f"/api/actions/{created['action_id']}", {"status": "cancelled"})
    forget(world)
    with world.runtime.store.read() as tx:
        assert [row["event"] for row in tx.all(select(events))] == ["action.updated"]


def test_a_waiting_action_can_be_approved_and_used_after_every_sweep(world: World) -> None:
    world.policy("require_approval", {"action_types": ["deploy"]})
    _, waiting = world.act("deploy", approval_wait_seconds=86400)
    world.clock.move(hours=23)
    forget(world, Settings(decision_days=0, event_days=0))
    path = f"/api/actions/{waiting['action_id']}"
    assert world.ask("POST", f"{path}/approve", {"decision": "allow"}, caller=ADMIN)[0] == 200
    forget(world, Settings(decision_days=0, event_days=0))
    assert world.act("deploy")[0] == 201


def test_answers_are_kept_for_a_day(world: World) -> None:
    body = {"action_type": "research", "declared_goal": "Find out", "agent_id": "a"}
    _, first = world.ask("POST", "/api/actions", body, key="k1")
    world.clock.move(hours=23, minutes=59)
    world.ask("POST", "/api/actions", body, key="k2")
    assert forget(world, Settings())["idempotency"] == 0
    assert world.ask("POST", "/api/actions", body, key="k1")[1] == first
    world.clock.move(minutes=2)
    assert forget(world, Settings())["idempotency"] == 1
    assert count(world, idempotency) == 1
    assert world.ask("POST", "/api/actions", body, key="k1")[1]["action_id"] != first["action_id"]


def test_a_sweep_goes_through_everything_in_steps(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(13):
        guard(world, agent_id=f"agent-{number % 3}")
        if number % 4 == 0:
            world.act(agent_id=f"agent-{number % 3}", status="completed")
            world.ask("POST", "/api/agents/heartbeat", {"agent_id": f"new-{number}"}, key=f"key-{number}")
    world.clock.move(days=31)
    steps: Counter[str] = Counter()
    write = world.runtime.store.write

    def counted(org_id: str = "") -> object:
        steps[org_id] += 1
        return write(org_id)

    monkeypatch.setattr(world.runtime.store, "write", counted)
    with batches_of(3, monkeypatch):
        gone = forget(world)
    assert gone == {"idempotency": 4, "nonces": 0, "decisions": 13, "events": 13 + 4 * 3, "deliveries": 0}
    assert count(world, guard_decisions) == 4
    assert steps[ADMIN.org_id] >= 17 // 3 + 25 // 3
    assert steps[""] >= 2


def test_no_step_touches_more_than_its_share(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(8):
        guard(world)
        world.act(status="completed")
    world.clock.move(days=31)
    sizes = []
    with batches_of(5, monkeypatch):
        for make in (retention._forget_decisions, retention._forget_events):
            cursor = None
            while True:
                with world.runtime.store.write(ADMIN.org_id) as tx:
                    gone, cursor = make(ADMIN.org_id, 30)(tx, cursor)
                sizes.append(gone)
                if cursor is None:
                    break
    assert sum(sizes) == 8 + 24
    assert max(sizes) <= 5


def test_every_organisation_is_swept(world: World) -> None:
    _, made = world.ask("POST", "/api/orgs", {"name": "Other", "slug": "other"}, caller=ADMIN)
    other = Caller(made["organization"]["id"], "key_other", "member")
    guard(world)
    guard(world, caller=other)
    world.clock.move(days=31)
    assert forget(world)["decisions"] == 2
    assert decisions_left(world) == set()


def test_writers_go_on_while_old_rows_go(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(60):
        guard(world)
    world.clock.move(days=31)
    with batches_of(4, monkeypatch), ThreadPoolExecutor(1) as pool:
        swept = pool.submit(forget, world)
        new = {guard(world, agent_id="b") for _ in range(40)}
        assert swept.result(timeout=60)["decisions"] == 60
    assert decisions_left(world) == new
    assert world.ask("GET", "/api/guard")[1]["total"] == 40
