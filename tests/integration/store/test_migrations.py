"""The schema: made once, by whoever comes first, and never touched by a release that does not know it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect, text

from dashclaw import ConfigurationError, DashClaw
from dashclaw.runtime.bootstrap import ensure_default_org
from dashclaw.runtime.store.engine import Store, StoreError
from dashclaw.runtime.store.migrate import HEAD, revision, upgrade
from dashclaw.runtime.store.tables import metadata

from ..databases import database

OPENER = """
import sys
from dashclaw.runtime.store import migrate
from dashclaw.runtime.store.engine import Store
from alembic import command
print("ready", flush=True)
sys.stdin.readline()
store = Store.open(sys.argv[1])
print(migrate.revision(store), flush=True)
store.close()
"""


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    with database(request.param, tmp_path) as found:
        yield found


def schema(store: Store) -> dict[str, Any]:
    """Every table with its columns, indexes and keys."""
    seen = inspect(store.engine)
    return {
        name: (
            [(column["name"], str(column["type"]), column["nullable"]) for column in seen.get_columns(name)],
            sorted((index["name"] or "", tuple(index["column_names"])) for index in seen.get_indexes(name)),
            seen.get_pk_constraint(name)["constrained_columns"],
        )
        for name in sorted(seen.get_table_names())
    }


def _default_differs(context: Any, _: Any, __: Any, stored: str | None, ___: Any, declared: str | None) -> bool | None:
    """Alembic's own answer (None), which takes an empty default of SQLite for another one."""
    return False if context.dialect.name == "sqlite" and (stored, declared) == ("('')", "") else None


def test_processes_that_open_a_new_database_at_once_make_one_schema(url: str) -> None:
    with ExitStack() as stack:
        openers = [
            stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-c", OPENER, url],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    text=True,
                )
            )
            for _ in range(3)
        ]
        try:
            for opener in openers:
                assert opener.stdout is not None
                assert opener.stdout.readline() == "ready\n"
            for opener in openers:
                assert opener.stdin is not None
                opener.stdin.write("go\n")
                opener.stdin.flush()
            answers = [opener.communicate(timeout=60) for opener in openers]
        finally:
            for opener in openers:
                opener.kill()
    assert answers == [(f"{HEAD}\n", "")] * 3


def test_the_migrations_make_exactly_the_tables(url: str) -> None:
    store = Store.open(url)
    try:
        with store.engine.connect() as connection:
            options = {"compare_type": True, "compare_server_default": _default_differs}
            assert compare_metadata(MigrationContext.configure(connection, opts=options), metadata) == []
    finally:
        store.close()


def test_an_upgrade_of_a_current_database_changes_nothing(url: str) -> None:
    store = Store.open(url)
    try:
        ensure_default_org(store, starter_policies=True)
        before = schema(store)
        assert (upgrade(store), upgrade(store), revision(store)) == (HEAD, HEAD, HEAD)
        assert schema(store) == before
    finally:
        store.close()
    again = Store.open(url)
    try:
        assert schema(again) == before
        assert not ensure_default_org(again, starter_policies=True).created
    finally:
        again.close()


def test_a_database_of_a_newer_release_is_refused_and_left_alone(url: str) -> None:
    store = Store.open(url)
    try:
        with store.engine.begin() as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        before = schema(store)
        with pytest.raises(StoreError, match=f"schema 9999; this release knows {HEAD}: upgrade dashclaw"):
            Store.open(url)
        with pytest.raises(ConfigurationError, match="upgrade dashclaw"):
            DashClaw.local(url, agent_id="me")
        assert (revision(store), schema(store)) == ("9999", before)
    finally:
        store.close()


@pytest.mark.parametrize("content", [b"no database at all, but long enough to look at" * 40, b"SQLite format 3\0" * 64])
def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match="cannot be opened"):
        DashClaw.local(str(path), agent_id="me")
    assert path.read_bytes() == content


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("", "needs a file path or a URL"),
        ("sqlite://", "SQLite needs a file"),
        ("sqlite:///:memory:", "SQLite needs a file"),
        ("mysql://localhost/x", "use SQLite or PostgreSQL"),
        ("postgresql://127.0.0.1:port/x", "cannot be read"),
    ],
)
def test_a_wrong_database_url_says_what_to_use(wrong: str, said: str) -> None:
    with pytest.raises(StoreError, match=said):
        Store.open(wrong)


def test_a_database_in_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be opened"):
        DashClaw.local(str(tmp_path / "nowhere" / "dashclaw.db"), agent_id="me")
