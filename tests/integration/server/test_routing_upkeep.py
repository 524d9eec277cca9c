"""The server takes back what took too long and runs schedules by itself, and tells of tasks what is committed."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from dashclaw import DashClaw
from dashclaw.runtime.store.tables import routing_tasks
from dashclaw.server import upkeep

from ...unit.client.support import eventually
from ..databases import database
from ..runtime.checker import checking
from ..serving import Served, served


class Clock:
    """Time that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = datetime(2026, 3, 1, 12, 0, tzinfo=timezone.utc)

    def __call__(self) -> datetime:
        self.now += timedelta(microseconds=1)
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["sqlite", "postgresql"])
def server(request: pytest.FixtureRequest, tmp_path: Path, clock: Clock) -> Iterator[Served]:
    with database(request.param, tmp_path) as url, served(url, clock=clock) as found:
        yield found


def test_time_outs_and_schedules_need_no_request(server: Served, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upkeep, "ROUTING_SECONDS", 0.02)
    with DashClaw(server.url, server.agent_key, agent_id="me") as claw, closing(upkeep.routing(server.runtime)):
        claw.register_routing_agent("forge")
        claw.submit_routing_task("Slow", timeout_seconds=600, max_retries=0)
        claw.create_agent_schedule("forge", "Build", "0 * * * *")
        clock.now += timedelta(hours=1)

        # A request would catch up as well: the database is asked.
        def statuses() -> dict[str, str]:
            with server.runtime.store.read() as tx:
                return {row["title"]: row["status"] for row in tx.all(routing_tasks.select())}

        wanted = {"Slow": "escalated", "Build": "assigned"}
        assert eventually(lambda: statuses() == wanted, 30)


def test_what_is_committed_together_is_told_too(server: Served) -> None:
    with checking() as checker, DashClaw(server.url, server.agent_key, agent_id="me") as claw:
        claw.register_routing_agent("forge", max_concurrent=8)
        start = threading.Barrier(8)

        def work(number: int) -> None:
            task = claw.submit_routing_task(f"Task {number}", callback_url=checker.url)
            start.wait(20)
            claw.complete_routing_task(task["task_id"], number)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)

        def results() -> list[Any]:
            return sorted(asked.body["task"]["result"] for asked in checker.asked)

        assert eventually(lambda: len(results()) == 8 and results(), 30) == list(range(8))
        assert server.runtime.courier.settle(30)
