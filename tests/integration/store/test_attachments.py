"""Attachments in copies of a database, and documents that many save at once."""

from __future__ import annotations

import os
import tracemalloc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from dashclaw import DashClaw
from dashclaw.runtime.store.backup import backup, restore

from ..databases import database

MEBIBYTE = 1024 * 1024


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    with database(request.param, tmp_path) as found:
        yield found


def test_attachments_are_copied_and_put_back_without_holding_them(url: str, tmp_path: Path) -> None:
    given = [os.urandom(5 * MEBIBYTE) for _ in range(3)]
    files = [{"filename": "x.pdf", "mime_type": "application/pdf", "data": data} for data in given]
    with DashClaw.local(url, agent_id="me", starter_policies=False) as claw:
        keys = [file["id"] for file in claw.send_message("x", attachments=files)["message"]["attachments"]]
    copy = str(tmp_path / "copy.db")
    tracemalloc.start()
    try:
        backup(url, copy)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    restore(copy, url, force=True)
    with DashClaw.local(url, agent_id="me") as claw:
        assert [claw.get_attachment(key)["data"] for key in keys] == given
    assert peak < 10 * MEBIBYTE


def test_saves_at_the_same_time_make_a_version_each(url: str) -> None:
    with DashClaw.local(url, agent_id="me", starter_policies=False) as claw, ThreadPoolExecutor(8) as pool:
        saved = list(pool.map(lambda number: claw.save_shared_doc("Runbook", f"{number}")["doc"], range(12)))
        assert sorted(doc["version"] for doc in saved) == list(range(1, 13))
        assert len({doc["id"] for doc in saved}) == 1
        for doc in saved:
            assert claw.get_shared_doc(doc["id"], version=doc["version"])["doc"]["content"] == doc["content"]


def test_reading_at_the_same_time_counts_once(url: str) -> None:
    with DashClaw.local(url, agent_id="me", starter_policies=False) as claw, ThreadPoolExecutor(8) as pool:
        keys = [claw.send_message("x", to="me")["message_id"] for _ in range(5)]
        assert sum(found["updated"] for found in pool.map(claw.mark_read, [keys] * 8)) == 5
        assert claw.get_inbox(unread=True)["total"] == 0
