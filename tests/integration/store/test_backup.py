"""Copies of a database: consistent while it is written to, whole when put back, refused when damaged."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select, text

from dashclaw import DashClaw
from dashclaw.runtime.bootstrap import DEFAULT_ORG, ensure_default_org
from dashclaw.runtime.feed import last_event
from dashclaw.runtime.runtime import Runtime
from dashclaw.runtime.store.backup import backup, restore
from dashclaw.runtime.store.engine import Store, StoreError
from dashclaw.runtime.store.tables import actions, events, guard_decisions, metadata

from ..databases import database
from ..runtime.conftest import ADMIN, Clock, World
from .test_crash import assert_whole, integrity, recorded, writer


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    with database(request.param, tmp_path) as found:
        yield found


def fill(url: str, agent_id: str = "me", actions: int = 3) -> list[str]:
    """Record some actions and return their ids."""
    with DashClaw.local(url, agent_id=agent_id, starter_policies=False) as claw:
        return [claw.create_action("research", f"Read {number}")["action_id"] for number in range(actions)]


def content(url: str) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table."""
    store = Store.open(url)
    try:
        with store.read() as tx:
            return {
                name: sorted((tuple(row.values()) for row in tx.all(select(table))), key=repr)
                for name, table in metadata.tables.items()
            }
    finally:
        store.close()


def rows(tables: dict[str, list[tuple[Any, ...]]]) -> dict[str, list[tuple[Any, ...]]]:
    """The tables without organisations, whose policy revision moves with each restore."""
    return {name: found for name, found in tables.items() if name != "organizations"}


def test_a_copy_of_a_database_in_use_is_one_consistent_moment(url: str, tmp_path: Path) -> None:
    with writer(url, "busy") as process:
        assert process.stdout is not None
        for copy in range(3):
            known = [process.stdout.readline().split() for _ in range(60)]
            target = str(tmp_path / f"copy-{copy}.db")
            done = backup(url, target)
            assert integrity(target) == "ok"
            found = recorded(target)
            assert {key for kind, key in known if kind == "decision"} <= found["decision"]
            assert {key for kind, key in known if kind == "outcome"} <= found["outcome"]
            assert_whole(found)
            assert done["rows"] >= len(found["decision"]) + len(found["action"])
        assert process.poll() is None, "the writer went on"
    assert not list(tmp_path.glob("*.unfinished*"))


def test_a_copy_never_replaces_a_file(tmp_path: Path) -> None:
    source, target = str(tmp_path / "a.db"), tmp_path / "precious.txt"
    fill(source)
    target.write_text("mine")
    with pytest.raises(StoreError, match="exists already"):
        backup(source, str(target))
    assert target.read_text() == "mine"


def test_what_is_not_there_or_no_database_is_not_copied(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="There is no database"):
        backup(str(tmp_path / "nothing.db"), str(tmp_path / "copy.db"))
    (tmp_path / "notes.txt").write_text("no database" * 500)
    with pytest.raises(StoreError):
        backup(str(tmp_path / "notes.txt"), str(tmp_path / "copy.db"))
    with closing(sqlite3.connect(tmp_path / "other.db")) as other:
        other.execute("CREATE TABLE things (name TEXT)")
    with pytest.raises(StoreError):
        backup(str(tmp_path / "other.db"), str(tmp_path / "copy.db"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["notes.txt", "other.db"]


def test_a_restored_copy_opens_and_goes_on(url: str, tmp_path: Path) -> None:
    ids = fill(url)
    backup(url, str(tmp_path / "copy.db"))
    target = str(tmp_path / "second" / "dashclaw.db")
    Path(target).parent.mkdir()
    restore(str(tmp_path / "copy.db"), target)
    assert rows(content(target)) == rows(content(url))
    with DashClaw.local(target, agent_id="me") as claw:
        newest = claw.create_action("research", "After the restore")["action_id"]
        assert {row["action_id"] for row in claw.get_actions()["actions"]} == {*ids, newest}
    assert integrity(target) == "ok"


def test_a_database_that_holds_data_is_only_replaced_by_force(url: str, tmp_path: Path) -> None:
    copy = str(tmp_path / "copy.db")
    before = fill(url)
    backup(url, copy)
    later = fill(url, "later")
    with pytest.raises(StoreError, match="--force"):
        restore(copy, url)
    with DashClaw.local(url, agent_id="me") as claw:
        assert {row["action_id"] for row in claw.get_actions()["actions"]} == {*before, *later}
    restore(copy, url, force=True)
    with DashClaw.local(url, agent_id="me") as claw:
        assert {row["action_id"] for row in claw.get_actions()["actions"]} == set(before)


def test_a_running_process_obeys_the_restored_policies_at_once(url: str, tmp_path: Path) -> None:
    copy = str(tmp_path / "copy.db")
    runtime = Runtime.open(url)
    try:
        ensure_default_org(runtime.store, starter_policies=False)
        running = World(runtime, Clock(), url)
        policy = running.policy("block_action_type", {"action_types": ["db.drop"]})
        path = f"/api/policies/{policy}"
        backup(url, copy)
        for _ in range(3):
            assert running.ask("PATCH", path, {"active": False}, caller=ADMIN)[0] == 200
            assert running.act("db.drop")[0] == 201
            restore(copy, url, force=True)
            assert running.act("db.drop")[0] == 403
    finally:
        runtime.close()


def test_events_after_a_restore_come_after_every_event_before_it(url: str, tmp_path: Path) -> None:
    copy = str(tmp_path / "copy.db")
    fill(url)
    backup(url, copy)
    fill(url, "later")
    store = Store.open(url)
    try:
        with store.read() as tx:
            seen = last_event(tx, DEFAULT_ORG)
        restore(copy, url, force=True)
        fill(url, "after")
        with store.read() as tx:
            newer = Counter(row["event"] for row in tx.all(select(events).where(events.c.id > seen)))
    finally:
        store.close()
    assert newer == {"guard.decision.created": 3, "action.created": 3}


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _scribble(path: Path) -> None:
    data = bytearray(path.read_bytes())
    for start in range(4096, len(data), 8192):
        data[start : start + 64] = b"\xff" * 64
    path.write_bytes(data)


def _text(path: Path) -> None:
    path.write_text("no database" * 1000)


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _newer(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")


def _no_table(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DROP TABLE guard_decisions")


@pytest.mark.parametrize("damage", [_cut, _scribble, _text, _empty, _newer, _no_table, Path.unlink])
def test_a_damaged_copy_is_refused_and_the_database_stays(tmp_path: Path, damage: Any) -> None:
    _refuse(damage, str(tmp_path / "dashclaw.db"), tmp_path)


def test_a_copy_that_lacks_a_table_leaves_postgresql_as_it_was(tmp_path: Path) -> None:
    with database("postgresql", tmp_path) as url:
        _refuse(_no_table, url, tmp_path)


def _refuse(damage: Any, url: str, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    fill(url, actions=30)
    backup(url, str(copy))
    before = content(url)
    damage(copy)
    with pytest.raises(StoreError):
        restore(str(copy), url, force=True)
    assert content(url) == before
    fill(url, "still works")


def test_a_copy_crosses_from_one_kind_of_database_to_the_other(tmp_path: Path) -> None:
    with database("postgresql", tmp_path) as url:
        source, back = str(tmp_path / "a.db"), str(tmp_path / "b.db")
        fill(source, actions=5)
        restore(source, url)
        backup(url, back)
        assert rows(content(url)) == rows(content(source)) == rows(content(back))
        fill(url, "after")
        store = Store.open(url)
        try:
            with store.read() as tx:
                assert tx.scalar(select(func.count()).select_from(actions)) == 8
                assert tx.scalar(select(func.count()).select_from(guard_decisions)) == 8
                assert tx.scalar(text("SELECT count(DISTINCT id) FROM events")) == 16
        finally:
            store.close()
