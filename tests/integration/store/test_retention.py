"""What was kept long enough goes, in small steps, and nothing that is still needed."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Table, func, select, update

from dashclaw.runtime.clock import ago
from dashclaw.runtime.evidence.chain import record
from dashclaw.runtime.evidence.findings import Report
from dashclaw.runtime.evidence.sequencer import link_all
from dashclaw.runtime.evidence.verify import verify
from dashclaw.runtime.identity import Caller
from dashclaw.runtime.settings import Settings
from dashclaw.runtime.store import retention
from dashclaw.runtime.store.retention import sweep
from dashclaw.runtime.store.tables import (
    actions,
    decision_counts,
    decision_hours,
    events,
    evidence_entries,
    guard_decisions,
    idempotency,
)

from ..runtime.conftest import ADMIN, World
from .chained import Builder

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
        left = [(row["event"], row["resource_id"]) for row in tx.all(select(events).order_by(events.c.id))]
    assert left == [("action.created", created["action_id"]), ("evidence.pruned", "events")]
    assert count(world, guard_decisions) == 2
    assert world.ask("GET", f"/api/actions/{done['action_id']}")[0] == 200
    world.ask("PATCH", f"/api/actions/{created['action_id']}", {"status": "cancelled"})
    forget(world)
    with world.runtime.store.read() as tx:
        left = [row["event"] for row in tx.all(select(events).order_by(events.c.id))]
    assert left == ["evidence.pruned", "action.updated", "evidence.pruned"]


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


def verified(world: World, org_id: str = ADMIN.org_id) -> Report:
    return verify(world.runtime.store, org_id)


def entries(world: World, org_id: str = ADMIN.org_id) -> list[dict[str, Any]]:
    query = select(evidence_entries).where(evidence_entries.c.org_id == org_id).order_by(evidence_entries.c.seq)
    with world.runtime.store.read() as tx:
        return tx.all(query)


def told(world: World, org_id: str = ADMIN.org_id) -> list[dict[str, Any]]:
    """What the chain says of what retention removed."""
    query = select(events.c.data).where(events.c.event == "evidence.pruned", events.c.org_id == org_id)
    with world.runtime.store.read() as tx:
        return [json.loads(row["data"]) for row in tx.all(query.order_by(events.c.id))]


def test_the_chain_is_whole_after_events_and_decisions_went(world: World) -> None:
    for number in range(20):
        guard(world, agent_id=f"agent-{number}")
        world.act(status="completed")
    link_all(world.runtime.store, ADMIN.org_id)
    before = entries(world)
    world.clock.move(days=31)
    young = guard(world)
    gone = forget(world)
    found = verified(world)
    assert found.findings == ()
    assert (gone["decisions"], gone["events"]) == (20, 60)
    assert (found.entries, found.pruned, found.unlinked) == (len(before) + 3, 60, 0)
    assert [entry["link"] for entry in entries(world)[: len(before)]] == [entry["link"] for entry in before]
    assert young in decisions_left(world)


def test_what_went_is_told_once_and_nothing_when_nothing_went(world: World) -> None:
    for _ in range(3):
        guard(world)
        world.act(status="completed")
    world.clock.move(days=31)
    forget(world)
    with world.runtime.store.read() as tx:
        before = ago(tx.now, days=30)
    decided, logged = told(world)
    assert (decided["count"], decided["reason"], decided["entries"]) == (3, "decision_days=30", [])
    assert decided["decisions_before"][:19] == before[:19]
    assert (logged["count"], logged["reason"], logged["entries"]) == (9, "event_days=30", [[1, 9]])
    for _ in range(3):
        world.clock.move(days=31)
        forget(world)
    assert len(told(world)) == 2
    assert verified(world).findings == ()


def test_an_entry_keeps_who_what_and_when_and_nothing_of_the_data(world: World) -> None:
    _, done = world.act(status="completed", declared_goal="Something personal")
    link_all(world.runtime.store, ADMIN.org_id)
    with world.runtime.store.read() as tx:
        (made,) = tx.all(select(events).where(events.c.event == "action.created"))
    world.clock.move(days=31)
    forget(world)
    (entry,) = [entry for entry in entries(world) if entry["event_id"] == made["id"]]
    kept = json.loads(entry["record"])
    assert kept[1:9] == [
        made["id"],
        made["created_at"],
        "action.created",
        "api_key",
        "key_agent",
        "agent-1",
        "action",
        done["action_id"],
    ]
    assert entry["salt"] is None
    assert entry["record"] == record(entry["seq"], tuple(kept[1:9]), bytes(entry["content"]))


def test_an_event_waits_for_its_link(world: World) -> None:
    world.act(status="completed")
    world.runtime.sequencer.close()
    link_all(world.runtime.store, ADMIN.org_id)
    world.act(status="completed", agent_id="b")
    world.clock.move(days=31)
    with world.runtime.store.write(ADMIN.org_id) as tx:
        gone, _ = retention._forget_events(ADMIN.org_id, 30)(tx, None)
    assert gone == 2 < count(world, events)
    assert verified(world).findings == ()


def test_retention_hides_no_change(world: World) -> None:
    for _ in range(4):
        world.act(status="completed")
    link_all(world.runtime.store, ADMIN.org_id)
    changed, erased = entries(world)[1], entries(world)[5]
    with world.runtime.store.write(ADMIN.org_id) as tx:
        tx.execute(update(events).where(events.c.id == changed["event_id"]).values(data="{}"))
        tx.execute(update(events).where(events.c.id == erased["event_id"]).values(data='{"erased":true}'))
        tx.execute(update(evidence_entries).where(evidence_entries.c.seq == erased["seq"]).values(salt=None))
    world.clock.move(days=31)
    forget(world)
    found = verify(world.runtime.store, ADMIN.org_id, live_rows=False)
    assert [(finding.kind, finding.first) for finding in found.findings] == [
        ("changed", changed["seq"]),
        ("removed", erased["seq"]),
    ]
    assert found.pruned == 6


def test_an_event_that_somebody_removed_is_missed(world: World) -> None:
    for _ in range(6):
        world.act(status="completed")
    link_all(world.runtime.store, ADMIN.org_id)
    victim = entries(world)[3]
    with world.runtime.store.write(ADMIN.org_id) as tx:
        tx.execute(events.delete().where(events.c.id == victim["event_id"]))
    world.clock.move(days=31)
    forget(world)
    found = verify(world.runtime.store, ADMIN.org_id, live_rows=False).findings
    assert [(finding.kind, finding.first) for finding in found] == [("removed", victim["seq"])]


def test_events_are_removed_while_the_chain_grows(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(40):
        world.act(status="completed")
    world.clock.move(days=31)
    with batches_of(7, monkeypatch), ThreadPoolExecutor(1) as pool:
        swept = pool.submit(forget, world)
        for _ in range(40):
            guard(world, agent_id="b")
        assert swept.result(timeout=60)["events"] == 80
    link_all(world.runtime.store, ADMIN.org_id)
    found = verified(world)
    assert (found.findings, found.pruned) == ((), 80)


ERASABLE = ("completed", "failed", "cancelled", "blocked")


@pytest.mark.parametrize("seed", range(3))
def test_erasing_and_forgetting_in_any_order_keep_the_chain_whole(
    world: World, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance = random.Random(seed)
    builder = Builder(world, chance)
    erased = forgotten = linked = 0
    with batches_of(chance.choice([7, 50, 1000]), monkeypatch):
        for _ in range(40):
            builder.round()
            if chance.random() < 0.5:
                world.clock.move(days=chance.randint(1, 8))
            if chance.random() < 0.5:
                erased += erase_some(world, builder, chance)
            if chance.random() < 0.4:
                days = chance.randint(1, 20)
                gone = forget(world, Settings(decision_days=days, event_days=days))
                forgotten += gone["events"] + gone["decisions"]
        for org_id in builder.orgs:
            link_all(world.runtime.store, org_id)
            found = verified(world, org_id)
            assert (found.findings, found.unlinked) == ((), 0)
            linked += found.entries
        assert sum(found["count"] for org_id in builder.orgs for found in told(world, org_id)) == forgotten
    assert erased > 10
    assert forgotten > 300
    assert linked > 1500


def erase_some(world: World, builder: Builder, chance: random.Random) -> int:
    """Erase a few actions that have ended, in either organisation; returns how many."""
    org_id = chance.choice(builder.orgs)
    query = select(actions.c.action_id).where(actions.c.org_id == org_id, actions.c.status.in_(ERASABLE))
    with world.runtime.store.read() as tx:
        ids = [row["action_id"] for row in tx.all(query.order_by(actions.c.created_at, actions.c.action_id))]
    chosen = chance.sample(ids, min(len(ids), chance.randint(1, 4)))
    for action_id in chosen:
        body: dict[str, Any] = {"action_id": action_id, "reason": "On request"}
        if chance.random() < 0.3:
            body["fields"] = chance.sample(["declared_goal", "output_summary", "loops", "assumptions"], 2)
        status, answer = world.ask("POST", "/api/evidence/erase", body, caller=Caller(org_id, "key_operator", "admin"))
        assert status == 200, answer
    return len(chosen)
