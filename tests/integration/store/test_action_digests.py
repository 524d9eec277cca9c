"""Actions are compared with what was told of them by a digest, and column by column where it cannot say."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import inspect, select, update

from dashclaw.runtime import lifecycle
from dashclaw.runtime.evidence import actions as compared
from dashclaw.runtime.evidence.verify import verify
from dashclaw.runtime.runtime import Runtime
from dashclaw.runtime.store import action_digests
from dashclaw.runtime.store.tables import actions

from .chained import Original, build, copied, own_database, verified
from .test_evidence_tampering import kind_of

TEXTS = ('Größer "so"\\\n\t', "\x01\x1f\x7f\b\f", "\u2028 \U0001f600 é", "/<>&'", "")


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def original(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Original]:
    folder = tmp_path_factory.mktemp("digests")
    with own_database(request.param, folder) as url:
        yield build(url, folder, rounds=4)


@pytest.fixture
def runtime(original: Original, tmp_path: Path) -> Iterator[Runtime]:
    with copied(kind_of(original), original.url, tmp_path) as url:
        found = Runtime.open(url)
        try:
            yield found
        finally:
            found.close()


def without_votes(runtime: Runtime, org_id: str) -> dict[str, Any]:
    with runtime.store.read() as tx:
        query = select(actions).where(actions.c.org_id == org_id, actions.c.approval_status.is_(None))
        return tx.all(query.order_by(actions.c.action_id))[0]


def digest(runtime: Runtime, row: dict[str, Any]) -> str:
    with runtime.store.read() as tx:
        return action_digests.digest(tx, row["org_id"], row["action_id"])


def test_every_column_belongs_to_the_digest() -> None:
    assert set(action_digests.DIGEST_COLUMNS) == set(inspect(actions).columns.keys())


def test_databases_and_python_make_the_same_digest_of_any_text(runtime: Runtime, original: Original) -> None:
    org_id = original.orgs[0]
    row = without_votes(runtime, org_id)
    seen = {digest(runtime, row)}
    for text in TEXTS:
        for cost in (None, 0.1, 1e-7, 5.0, 0.1 + 2**-55):
            changed = row | {"reasoning": text, "cost_estimate": cost, "tokens_in": 2**53 + 1}
            with runtime.store.write(org_id) as tx:
                where = (actions.c.org_id == org_id, actions.c.action_id == row["action_id"])
                tx.execute(update(actions).where(*where).values(**changed))
            assert digest(runtime, row) == action_digests.row_digest(changed)
            seen.add(digest(runtime, row))
    assert len(seen) == len(TEXTS) * 5 + 1


def test_the_walk_makes_the_digests_of_the_single_look_up(runtime: Runtime, original: Original) -> None:
    for org_id in original.orgs:
        with runtime.store.read() as tx:
            walked = {row[0]: row[2] for page in action_digests.walk(tx, org_id, 7) for row in page}
            assert walked == {name: action_digests.digest(tx, org_id, name) for name in walked}
            assert len(set(walked.values())) == len(walked) > 7
            assert action_digests.digest(tx, org_id, "act_nowhere") == ""


def test_a_match_looks_nothing_up(runtime: Runtime, original: Original, monkeypatch: pytest.MonkeyPatch) -> None:
    looked_up: list[str] = []
    monkeypatch.setattr(compared.Actions, "_compare", lambda _, ids: looked_up.extend(ids))
    report = verify(runtime.store, original.orgs[0])
    assert report.intact
    assert report.rows > 20
    assert looked_up == []


@pytest.mark.parametrize("most", [2, 5, 10_000])
def test_rows_that_wait_for_too_long_are_looked_up(
    runtime: Runtime, original: Original, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compared, "PAGE", 3)
    monkeypatch.setattr(compared, "_MOST_WAITING", most)
    org_id = original.orgs[0]
    row = without_votes(runtime, org_id)
    with runtime.store.write(org_id) as tx:
        # The order of the starts is that of the caller, whatever the clock says.
        assert tx.execute(update(actions).where(actions.c.org_id == org_id).values(timestamp_start="2020")) > 5
    count = len([found for found in verify(runtime.store, org_id).findings if "timestamp_start" in found.detail])
    with runtime.store.write(org_id) as tx:
        where = (actions.c.org_id == org_id, actions.c.action_id == row["action_id"])
        tx.execute(update(actions).where(*where).values(declared_goal="Another"))
    findings = verify(runtime.store, org_id).findings
    assert len(findings) == count
    (found,) = (found for found in findings if row["action_id"] in found.detail)
    assert found.detail.endswith(" in declared_goal, timestamp_start")


def test_what_an_earlier_release_told_is_compared_by_columns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lifecycle, "digest", lambda *_: "")
    url = str(tmp_path / "earlier.db")
    made = build(url, tmp_path, rounds=2)
    with closing(sqlite3.connect(url)) as connection:
        told = connection.execute("SELECT data FROM events WHERE event LIKE 'action.%'").fetchall()
    assert told
    assert not any('"row"' in data for (data,) in told)
    for org_id in made.orgs:
        assert verified(url, org_id).intact
        with closing(sqlite3.connect(url)) as connection, connection:
            where = "WHERE org_id = ? AND status = 'completed' LIMIT 1"
            (action_id,) = connection.execute(f"SELECT action_id FROM actions {where}", (org_id,)).fetchone()
            connection.execute("UPDATE actions SET output_summary = 'x' WHERE action_id = ?", (action_id,))
        assert [found.detail for found in verified(url, org_id).findings] == [
            f"action {action_id} differs from what was last recorded in output_summary"
        ]


@pytest.mark.parametrize("column", ["reasoning", "declared_goal", "metadata", "timestamp_start", "cost_estimate"])
def test_a_blob_is_found_and_does_not_end_the_verification(tmp_path: Path, column: str) -> None:
    """SQLite keeps anything in any column."""
    url = str(tmp_path / "blob.db")
    made = build(url, tmp_path, rounds=2)
    org_id = made.orgs[0]
    with closing(sqlite3.connect(url)) as connection, connection:
        ids = [row[0] for row in connection.execute("SELECT action_id FROM actions WHERE org_id = ?", (org_id,))]
        connection.execute(f"UPDATE actions SET {column} = x'00ff' WHERE action_id = ?", (ids[3],))
    report = verified(url, org_id)
    assert [found.detail for found in report.findings] == [
        f"action {ids[3]} differs from what was last recorded in {column}"
    ]
