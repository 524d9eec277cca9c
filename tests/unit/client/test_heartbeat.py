from __future__ import annotations

import asyncio
import gc
import threading

import pytest

from dashclaw import AsyncDashClaw, ConfigurationError, DashClaw, NotSentError
from dashclaw._heartbeat import Pulse
from dashclaw.testing import FakeTransport

from .support import eventually, patient


def beating() -> int:
    return sum(thread.name == "dashclaw-heartbeat" for thread in threading.enumerate())


def test_a_heartbeat_names_the_agent() -> None:
    fake = FakeTransport()
    DashClaw(agent_id="me", agent_name="Me", transport=fake).heartbeat("busy", "task_1", {"load": 1})
    assert fake.memory.heartbeats == [
        {"agent_id": "me", "agent_name": "Me", "status": "busy", "current_task_id": "task_1", "metadata": {"load": 1}}
    ]


def test_heartbeats_go_on_until_the_client_closes() -> None:
    fake = FakeTransport()
    claw = DashClaw(agent_id="me", transport=fake)
    claw.start_heartbeat(0.01)
    claw.start_heartbeat(0.01)
    assert beating() == 1
    eventually(lambda: len(fake.memory.heartbeats) >= 3)
    claw.stop_heartbeat()
    claw.stop_heartbeat()
    eventually(lambda: beating() == 0)
    claw.start_heartbeat(30)
    claw.close()
    eventually(lambda: beating() == 0)


def test_heartbeats_end_with_a_client_that_nobody_holds() -> None:
    claw = DashClaw(agent_id="me", transport=FakeTransport())
    claw.start_heartbeat(0.01)
    del claw
    gc.collect()
    eventually(lambda: beating() == 0)


def test_an_outage_is_logged_once_and_ends_nothing(caplog: pytest.LogCaptureFixture) -> None:
    fake = FakeTransport()
    claw = DashClaw(agent_id="me", transport=fake, retry=patient())
    fake.fail_next(NotSentError("down"), times=12)
    claw.start_heartbeat(0.005)
    eventually(lambda: len(fake.memory.heartbeats) >= 2)
    claw.close()
    assert [record.message for record in caplog.records] == [
        "Heartbeats do not arrive: down",
        "Heartbeats arrive again",
    ]


@pytest.mark.parametrize("interval", [0, -1, float("inf")])
def test_an_interval_is_positive(interval: float) -> None:
    with pytest.raises(ConfigurationError, match="interval"):
        Pulse(interval)


def test_an_asynchronous_client_beats_in_a_task() -> None:
    fake = FakeTransport()

    async def main() -> None:
        async with AsyncDashClaw(agent_id="me", transport=fake, retry=patient()) as claw:
            fake.fail_next(NotSentError("down"), times=3)
            claw.start_heartbeat(0.01)
            claw.start_heartbeat(0.01)
            while len(fake.memory.heartbeats) < 3:
                await asyncio.sleep(0.01)
            claw.stop_heartbeat()
            claw.start_heartbeat(30)

    asyncio.run(asyncio.wait_for(main(), 20))
    assert beating() == 0
