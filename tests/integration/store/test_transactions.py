"""What one transaction sees and leaves, on both databases."""

from __future__ import annotations

import os
import threading

import pytest
from sqlalchemy import select

from dashclaw.runtime.bootstrap import DEFAULT_ORG
from dashclaw.runtime.store import orgs
from dashclaw.runtime.store.engine import DuplicateError, StoreError
from dashclaw.runtime.store.tables import organizations

from ..runtime.conftest import World


def revision(tx: object) -> int:
    found: int = orgs.find(tx, DEFAULT_ORG)["policy_revision"]  # type: ignore[arg-type, index]
    return found


def test_a_reader_sees_one_moment_whoever_commits_meanwhile(world: World) -> None:
    store = world.runtime.store
    with store.read() as tx:
        before = revision(tx)
        with store.write(DEFAULT_ORG) as writer:
            orgs.bump_policies(writer, DEFAULT_ORG)
        assert revision(tx) == before
    with store.read() as tx:
        assert revision(tx) == before + 1
    with store.write(DEFAULT_ORG) as tx:
        assert revision(tx) == before + 1


def test_a_write_that_fails_leaves_nothing_and_the_next_one_works(world: World) -> None:
    store = world.runtime.store
    with pytest.raises(RuntimeError, match="half way"), store.write(DEFAULT_ORG) as tx:
        orgs.bump_policies(tx, DEFAULT_ORG)
        raise RuntimeError("half way")
    with pytest.raises(DuplicateError), store.write(DEFAULT_ORG) as tx:
        orgs.bump_policies(tx, DEFAULT_ORG)
        orgs.insert(tx, DEFAULT_ORG, "Again", "again")
    with store.read() as tx:
        assert revision(tx) == 1
        assert len(tx.all(select(organizations))) == 1
    with store.write(DEFAULT_ORG) as tx:
        orgs.bump_policies(tx, DEFAULT_ORG)
    with store.read() as tx:
        assert revision(tx) == 2


def test_writers_of_one_organisation_follow_each_other(world: World) -> None:
    store = world.runtime.store

    def add() -> None:
        for _ in range(20):
            with store.write(DEFAULT_ORG) as tx:
                orgs.change(tx, DEFAULT_ORG, {"policy_revision": revision(tx) + 1})

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    with store.read() as tx:
        assert revision(tx) == 81


def test_a_closed_store_says_so_and_closes_twice(world: World) -> None:
    store = world.runtime.store
    store.close()
    store.close()
    with pytest.raises(StoreError, match="closed"), store.read():
        pass
    with pytest.raises(StoreError, match="closed"), store.write():
        pass


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_child_writes_with_connections_of_its_own(world: World) -> None:
    world.act()
    child = os.fork()
    if child == 0:
        try:
            status = world.act(agent_id="child")[0]
            world.runtime.close()
            os._exit(0 if status == 201 else 1)
        finally:
            os._exit(2)
    assert os.waitpid(child, 0)[1] == 0
    assert world.act()[0] == 201
    assert world.ask("GET", "/api/actions")[1]["total"] == 3
    assert world.ask("GET", "/api/actions", query={"agent_id": "child"})[1]["total"] == 1


def test_closing_waits_for_transactions_under_way_and_refuses_later_ones(world: World) -> None:
    store = world.runtime.store
    inside, leave = threading.Event(), threading.Event()
    ended: list[str] = []

    def work() -> None:
        with store.read() as tx:
            inside.set()
            assert leave.wait(10)
            ended.append(tx.stamp)

    worker = threading.Thread(target=work)
    worker.start()
    assert inside.wait(10)
    closing = threading.Thread(target=store.close)
    closing.start()
    while not store._closed:
        pass
    with pytest.raises(StoreError, match="closed"), store.read():
        pass
    with pytest.raises(StoreError, match="closed"), store.write("org_default"):
        pass
    assert closing.is_alive()
    leave.set()
    closing.join(10)
    worker.join(10)
    assert ended
    assert not closing.is_alive()
