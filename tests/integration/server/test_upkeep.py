from __future__ import annotations

import logging
import sys
import threading
from datetime import datetime, timezone
from pathlib import Path

import pytest

from dashclaw.runtime.bootstrap import DEFAULT_ORG, ensure_default_org
from dashclaw.runtime.evidence.keys import key_path
from dashclaw.runtime.runtime import Runtime
from dashclaw.runtime.settings import Settings
from dashclaw.runtime.store import evidence
from dashclaw.runtime.store.engine import Store
from dashclaw.runtime.store.tables import idempotency
from dashclaw.server.upkeep import Upkeep, checkpoints, links, retention


def test_a_job_runs_at_once_and_again_even_when_it_fails(caplog: pytest.LogCaptureFixture) -> None:
    runs: list[int] = []
    enough = threading.Event()

    def job() -> None:
        runs.append(len(runs))
        if len(runs) == 3:
            enough.set()
        raise ValueError("broken job")

    with caplog.at_level(logging.ERROR, logger="dashclaw"):
        upkeep = Upkeep("test", job, 0.01)
        assert enough.wait(10)
        upkeep.close()
    assert "Upkeep failed: test" in caplog.text
    done = len(runs)
    assert not upkeep._thread.is_alive()
    assert len(runs) == done


def test_the_server_forgets_what_is_kept_long_enough(tmp_path: Path) -> None:
    def long_ago() -> datetime:
        return datetime(2020, 1, 1, tzinfo=timezone.utc)

    path = str(tmp_path / "old.db")
    old = Runtime.open(path, settings=Settings(), clock=long_ago)
    with old.store.write() as tx:
        answer = {"org_id": "org_default", "key": "k", "fingerprint": "f", "status": 200, "body": "{}"}
        tx.insert(idempotency, {**answer, "created_at": tx.stamp})
    old.close()
    runtime = Runtime.open(path, settings=Settings())
    upkeep = retention(runtime)
    upkeep.close()
    with runtime.store.read() as tx:
        assert tx.all(idempotency.select()) == []
    runtime.close()


def left_behind(path: str) -> None:
    """A database whose last writer was killed before it linked its events."""
    store = Store.open(path)
    ensure_default_org(store, starter_policies=True)
    store.close()


def test_the_server_links_what_a_killed_process_left_and_signs_it(tmp_path: Path) -> None:
    path = str(tmp_path / "left.db")
    left_behind(path)
    runtime = Runtime.open(path, settings=Settings())
    links(runtime).close()
    with runtime.store.read() as tx:
        head = evidence.head(tx, DEFAULT_ORG)
        assert head is not None
        assert (head.size > 0, evidence.tail(tx, DEFAULT_ORG, head.event_id)) == (True, 0)
    checkpoints(runtime).close()
    with runtime.store.read() as tx:
        signed = evidence.last_checkpoint(tx, DEFAULT_ORG)
        assert signed is not None
        assert signed["size"] == head.size + 1, "the key's registration is in the chain too"
    runtime.close()


def test_without_cryptography_the_server_says_once_that_nothing_is_signed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = str(tmp_path / "left.db")
    left_behind(path)
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives", None)
    runtime = Runtime.open(path, settings=Settings())
    links(runtime).close()
    with caplog.at_level(logging.WARNING, logger="dashclaw"):
        upkeep = checkpoints(runtime)
        upkeep._wake.set()
        upkeep.close()
    assert caplog.text.count("No checkpoints of the evidence are made") == 1
    assert "Upkeep failed" not in caplog.text
    assert not key_path(runtime.store.url, runtime.settings).exists()
    runtime.close()
