"""Whatever is done to a database behind the back of the program is found, and where."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from sqlalchemy import create_engine, update

from dashclaw.runtime.evidence.checkpoints import make_checkpoint, read_anchors
from dashclaw.runtime.evidence.findings import Finding
from dashclaw.runtime.evidence.keys import load_key, rotate
from dashclaw.runtime.evidence.verify import verify
from dashclaw.runtime.identity import Caller
from dashclaw.runtime.runtime import Runtime
from dashclaw.runtime.store.engine import database_url
from dashclaw.runtime.store.tables import evidence_keys

from . import tampering_rows
from .chained import Original, build, copied, own_database, verified
from .tampering import CASES, Attacker, Found, Sign

assert tampering_rows
SEEDS = {"sqlite": 2, "postgresql": 1}
# These touch what both organisations rest on, or an event of the other one.
SHARED = {
    "insert_event_between",
    "move_event_from_the_other_organisation",
    "move_event_to_the_other_organisation",
    "move_decision_to_the_other_organisation",
    "replace_the_evidence_key",
}


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def original(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Original]:
    folder = tmp_path_factory.mktemp("chained")
    with own_database(request.param, folder) as url:
        yield build(url, folder, rounds=40 if request.param == "sqlite" else 16)


def kind_of(original: Original) -> str:
    return database_url(original.url).get_backend_name()


@contextmanager
def tampered(original: Original, name: str, seed: int, folder: Path) -> Iterator[tuple[str, str, str, Found]]:
    """A copy with one thing done to it: its URL, the organisation and the other one, and what must be found."""
    chance = random.Random(f"{name} {seed}")
    org_id, other = chance.sample(original.orgs, 2)
    with copied(kind_of(original), original.url, folder) as url:
        engine = create_engine(database_url(url))
        try:
            with engine.begin() as connection:
                expected = CASES[name](Attacker(connection, chance, org_id, other))
        finally:
            engine.dispose()
        yield url, org_id, other, expected


def is_there(sign: Sign, findings: tuple[Finding, ...]) -> bool:
    return any(found.kind == sign.kind and sign.words in found.detail and covers(found, sign) for found in findings)


def covers(found: Finding, sign: Sign) -> bool:
    """Whether a finding names these entries, and at most two neighbours that went wrong with them."""
    if found.first is None or found.last is None or sign.first is None or sign.last is None:
        return (found.first, found.last) == (sign.first, sign.last)
    more = (found.last - found.first) - (sign.last - sign.first)
    return found.first <= sign.first and sign.last <= found.last and more <= 2


def test_nothing_is_found_where_nothing_was_done(original: Original) -> None:
    entries = 0
    for org_id in original.orgs:
        known = {"trusted": [original.key.id], "anchors": [original.anchors[org_id]]}
        report = verified(original.url, org_id, **known)
        assert report.findings == ()
        assert (report.unlinked, report.erased, report.pruned) == (0, 0, 0)
        assert report.covered == report.entries
        assert report.rows > report.entries / 4
        entries += report.entries
    assert entries > 500


@pytest.mark.parametrize("name", CASES)
def test_it_is_found_and_where(original: Original, name: str, tmp_path: Path) -> None:
    for seed in range(SEEDS[kind_of(original)]):
        with tampered(original, name, seed, tmp_path) as (url, org_id, other, expected):
            report = verified(url, org_id, trusted=[original.key.id])
            for sign in expected:
                assert is_there(sign, report.findings), (seed, sign, report.findings[:20])
            if name not in SHARED:
                assert verified(url, other, trusted=[original.key.id]).findings == ()


@pytest.mark.parametrize("seed", range(2))
def test_an_older_state_is_found_by_the_checkpoint_kept_elsewhere(
    original: Original, seed: int, tmp_path: Path
) -> None:
    """Checkpoints, entries, events and rows are all as they once were: nothing inside the database can tell."""
    with copied(kind_of(original), original.url, tmp_path) as url:
        folder = tmp_path / f"elsewhere-{seed}"
        folder.mkdir()
        anchors = folder / "anchors.json"
        runtime = Runtime.open(url)
        try:
            org_id = original.orgs[seed]
            for _ in range(random.Random(seed).randint(1, 20)):
                with runtime.store.write(org_id) as tx:
                    tx.emit(Caller(org_id, "key_agent", "member"), "message.read", "inbox", "me", {})
            kept = make_checkpoint(runtime.store, org_id, original.key, anchors)
            known = read_anchors(anchors)
        finally:
            runtime.close()
        assert verified(url, org_id, anchors=[known[org_id]]).intact
    older = verified(original.url, org_id, trusted=[original.key.id])
    assert older.intact
    report = verified(original.url, org_id, anchors=[known[org_id]])
    assert [found[:3] for found in report.findings] == [("truncated", older.entries + 1, kept.read()["size"])]


def test_a_rewritten_chain_signed_with_another_key_passes_only_for_who_knows_no_key(
    original: Original, tmp_path: Path
) -> None:
    with tampered(original, "sign_a_rewritten_chain_with_another_key", 7, tmp_path) as (url, org_id, _, _):
        believed = {found.kind for found in verified(url, org_id, live_rows=False).findings}
        assert believed == set(), "the keys of the database are all that there is to believe"
        kept = verified(url, org_id, live_rows=False, anchors=[original.anchors[org_id]])
        assert [(found.kind, found.last) for found in kept.findings] == [("rewritten", kept.entries)]


def test_a_rotated_key_is_trusted_by_the_word_of_the_one_before(original: Original, tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    with copied(kind_of(original), original.url, tmp_path) as url:
        runtime = Runtime.open(url)
        try:
            org_id = original.orgs[0]
            first = load_key(path)
            make_checkpoint(runtime.store, org_id, first)
            second = rotate(runtime.store, path)
            make_checkpoint(runtime.store, org_id, second)
            both = [original.key.id, first.id]
            assert verify(runtime.store, org_id, trusted=both).intact
            assert verify(runtime.store, org_id, trusted=[original.key.id, second.id]).intact
            assert {found.kind for found in verify(runtime.store, org_id, trusted=both[:1]).findings} == {"signature"}
            with runtime.store.write(org_id) as tx:
                tx.execute(update(evidence_keys).where(evidence_keys.c.id == second.id).values(created_at="2020"))
            findings = verify(runtime.store, org_id, trusted=both).findings
            assert {found.kind for found in findings} == {"key", "signature"}
        finally:
            runtime.close()


def test_values_of_another_type_are_found_and_do_not_end_the_verification(tmp_path: Path) -> None:
    """SQLite keeps anything in any column."""
    url = str(tmp_path / "original.db")
    made = build(url, tmp_path, rounds=2)
    org_id = made.orgs[0]
    for column in ("salt", "content", "link"):
        with copied("sqlite", url, tmp_path) as copy, closing(sqlite3.connect(copy)) as connection:
            with connection:
                connection.execute(
                    f"UPDATE evidence_entries SET {column} = 'text' WHERE org_id = ? AND seq = 5", (org_id,)
                )
            assert any(found.first == 5 for found in verified(copy, org_id).findings), column
    for column in ("data", "event", "created_at", "actor_id", "resource_id"):
        with copied("sqlite", url, tmp_path) as copy, closing(sqlite3.connect(copy)) as connection:
            with connection:
                where = "id = (SELECT event_id FROM evidence_entries WHERE org_id = ? AND seq = 5)"
                connection.execute(f"UPDATE events SET {column} = x'00ff' WHERE {where}", (org_id,))
            assert any(found.first == 5 for found in verified(copy, org_id).findings), column
