from __future__ import annotations

import logging
import threading
from datetime import datetime, timezone
from pathlib import Path

import pytest

from dashclaw.runtime.runtime import Runtime
from dashclaw.runtime.settings import Settings
from dashclaw.runtime.store.tables import idempotency
from dashclaw.server.upkeep import Upkeep, retention


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
