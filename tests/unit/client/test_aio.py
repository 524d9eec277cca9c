"""The asynchronous client: many waiters, cancellation, closing, and the same results as the synchronous one."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from dashclaw import AsyncDashClaw, DashClaw, DashClawError, NotSentError
from dashclaw._transport import Request, Response
from dashclaw.aio import TaskSeat
from dashclaw.testing import FakeTransport

from .support import eventually, patient

RISKY: dict[str, Any] = {"risk_score": 90}
WAITERS = 1000


class Gate(FakeTransport):
    """Holds up the requests of some verbs until they are let through."""

    def __init__(self, *verbs: str) -> None:
        super().__init__()
        self.open = {verb: threading.Event() for verb in verbs}
        self.reached = {verb: threading.Event() for verb in verbs}

    def send(self, request: Request, timeout: float) -> Response:
        if request.method in self.open:
            self.reached[request.method].set()
            assert self.open[request.method].wait(30)
        return super().send(request, timeout)


def run(main: Any, seconds: float = 60) -> Any:
    async def limited() -> Any:
        task = asyncio.ensure_future(main)
        done, _ = await asyncio.wait({task}, timeout=seconds)
        assert done, "it never ended"
        return await task

    return asyncio.run(limited())


async def until(condition: Callable[[], Any]) -> Any:
    """Wait for a condition without holding up the loop."""
    return await asyncio.to_thread(eventually, condition, 30.0)


@contextmanager
def no_thread_left() -> Iterator[None]:
    """Fails when the block leaves a thread of the client behind."""
    yield
    eventually(lambda: not [thread for thread in threading.enumerate() if thread.name.startswith("dashclaw")])


def opened(path: Path, **settings: Any) -> AsyncDashClaw:
    return AsyncDashClaw.local(path, agent_id="agent-1", **settings)


def test_a_thousand_tasks_wait_for_people_on_few_threads(tmp_path: Path) -> None:
    most = 0

    async def deploy(claw: AsyncDashClaw, number: int) -> str:
        nonlocal most
        async with claw.track("deploy", f"Ship {number}", risk_score=90) as action:
            most = max(most, threading.active_count())
            assert action.action_id is not None
            return action.action_id

    def approve(operator: DashClaw) -> None:
        eventually(lambda: operator.get_pending_approvals(limit=1)["total"] == WAITERS, 60.0)
        for offset in range(0, WAITERS, 200):
            for row in operator.get_actions(action_type="deploy", limit=200, offset=offset)["actions"]:
                operator.approve_action(row["action_id"], "allow")

    async def main() -> None:
        nonlocal most
        before = threading.active_count()
        async with opened(tmp_path / "dashclaw.db", hitl_mode="wait") as claw:
            tasks = [asyncio.create_task(deploy(claw, number)) for number in range(WAITERS)]
            with DashClaw.local(tmp_path / "dashclaw.db", agent_id="operator", operator=True) as operator:
                approving = asyncio.create_task(asyncio.to_thread(approve, operator))
                while not approving.done():
                    most = max(most, threading.active_count())
                    await asyncio.sleep(0.01)
                await approving
                found = await asyncio.gather(*tasks)
                assert len(set(found)) == WAITERS
                assert operator.get_actions(status="completed", limit=1)["total"] == WAITERS
        assert most - before < 40

    with no_thread_left():
        run(main(), 110)


def test_a_cancelled_call_returns_at_once_and_closing_waits_for_it() -> None:
    gate = Gate("GET")

    async def main() -> None:
        claw = AsyncDashClaw(agent_id="me", transport=gate)
        task = asyncio.create_task(claw.get_actions())
        await until(gate.reached["GET"].is_set)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not gate.open["GET"].is_set()
        closing = asyncio.create_task(claw.aclose())
        assert not (await asyncio.wait({closing}, timeout=0.1))[0]
        gate.open["GET"].set()
        await closing

    with no_thread_left():
        run(main())


def test_a_cancelled_wait_gives_up_its_place_and_leaves_the_action_waiting(tmp_path: Path) -> None:
    async def main() -> None:
        async with opened(tmp_path / "dashclaw.db") as claw:
            asked = await claw.create_action("deploy", "Ship it", **RISKY)
            task = asyncio.create_task(claw.wait_for_approval(asked["action_id"]))
            await until(lambda: claw._watching is not None and claw._watching.connected)
            assert claw._watcher()._seats
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await until(lambda: not claw._watcher()._seats)
            found = await claw.get_action(asked["action_id"])
            assert found["action"]["status"] == "pending_approval"

    with no_thread_left():
        run(main())


@pytest.mark.parametrize("turns", range(6))
def test_news_that_arrive_with_a_cancellation_do_not_hide_it(turns: int) -> None:
    async def main() -> None:
        async with AsyncDashClaw(agent_id="me", transport=FakeTransport()) as claw:
            seat = TaskSeat(claw._watcher(), "act_1")
            task = asyncio.create_task(seat.rest(30))
            for _ in range(3):
                await asyncio.sleep(0)
            seat.wake()
            for _ in range(turns):
                await asyncio.sleep(0)
            if task.cancel():
                with pytest.raises(asyncio.CancelledError):
                    await task

    run(main())


def test_a_cancelled_block_is_recorded_and_closing_waits_for_that() -> None:
    gate = Gate("PATCH")

    async def main() -> None:
        claw = AsyncDashClaw(agent_id="me", transport=gate)
        inside = asyncio.Event()

        async def work() -> None:
            async with claw.track("research", "look"):
                inside.set()
                await asyncio.Event().wait()

        task = asyncio.create_task(work())
        await inside.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        gate.assert_recorded(status="running")
        closing = asyncio.create_task(claw.aclose())
        assert not (await asyncio.wait({closing}, timeout=0.1))[0]
        gate.open["PATCH"].set()
        await closing
        row = gate.assert_recorded(status="cancelled")
        assert row["error_message"] == "CancelledError"
        assert isinstance(row["duration_ms"], int)

    with no_thread_left():
        run(main())


def test_a_block_cancelled_on_its_way_in_is_taken_back_and_never_runs() -> None:
    gate = Gate("POST", "PATCH")

    async def main() -> None:
        claw = AsyncDashClaw(agent_id="me", transport=gate)

        async def work() -> None:
            async with claw.track("research", "look"):
                raise AssertionError

        task = asyncio.create_task(work())
        await until(gate.reached["POST"].is_set)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        closing = asyncio.create_task(claw.aclose())
        await until(lambda: claw._closed)
        gate.open["POST"].set()
        await until(gate.reached["PATCH"].is_set)
        assert not (await asyncio.wait({closing}, timeout=0.2))[0]
        gate.open["PATCH"].set()
        await closing
        row = gate.assert_recorded(action_type="research")
        assert (row["status"], row["error_message"]) == ("cancelled", "Cancelled before it ran")

    with no_thread_left():
        run(main())


def test_a_block_cancelled_while_a_person_decides_is_withdrawn(tmp_path: Path) -> None:
    async def main() -> None:
        async with opened(tmp_path / "dashclaw.db", hitl_mode="wait") as claw:

            @claw.guarded("deploy", **RISKY)
            async def deploy() -> None:
                raise AssertionError

            task = asyncio.create_task(deploy())
            await until(lambda: claw._watching is not None and claw._watching.connected)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        async with opened(tmp_path / "dashclaw.db") as claw:
            (row,) = (await claw.get_actions())["actions"]
            assert row["status"] == "cancelled"
            assert (await claw.get_pending_approvals())["actions"] == []

    with no_thread_left():
        run(main())


def test_a_time_limit_around_a_block_is_a_cancellation(tmp_path: Path) -> None:
    async def main() -> None:
        async with opened(tmp_path / "dashclaw.db") as claw:
            inside = asyncio.Event()

            async def work() -> None:
                async with claw.track("research", "look"):
                    inside.set()
                    await asyncio.Event().wait()

            task = asyncio.create_task(work())
            await inside.wait()
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(task, 0.01)
        async with opened(tmp_path / "dashclaw.db") as claw:
            (row,) = (await claw.get_actions())["actions"]
            assert row["status"] == "cancelled"

    run(main())


def test_events_arrive_in_order_and_resume_where_the_last_was_seen(tmp_path: Path) -> None:
    async def take(events: AsyncIterator[Any], number: int) -> list[Any]:
        return [await events.__anext__() for _ in range(number)]

    async def main() -> None:
        async with opened(tmp_path / "dashclaw.db") as claw:
            events = claw.events(types="action.created", after="0")
            ids = [(await claw.create_action("research", f"look {number}"))["action_id"] for number in range(5)]
            first = await take(events, 2)
            await events.aclose()  # type: ignore[attr-defined]
            resumed = claw.events(types={"action.created"}, after=first[-1]["id"], timeout=30)
            rest = await take(resumed, 3)
            await resumed.aclose()  # type: ignore[attr-defined]
            assert [event["data"]["action_id"] for event in first + rest] == ids
            assert {event["event"] for event in first + rest} == {"action.created"}

    with no_thread_left():
        run(main())


def test_silence_ends_an_iterator_that_asks_for_it(tmp_path: Path) -> None:
    async def main() -> None:
        async with opened(tmp_path / "dashclaw.db") as claw:
            assert [event async for event in claw.events(timeout=0.05)] == []

    with no_thread_left():
        run(main())


def test_a_slow_consumer_loses_nothing(tmp_path: Path) -> None:
    number = 300  # More than are buffered between the reader and the task.

    async def main() -> None:
        async with opened(tmp_path / "dashclaw.db") as claw:
            events = claw.events(types="action.created", after="0")
            first = asyncio.create_task(events.__anext__())
            ids = [(await claw.create_action("research", "look"))["action_id"] for _ in range(number)]
            found = [(await first)["data"]["action_id"]]
            while len(found) < number:
                found.append((await events.__anext__())["data"]["action_id"])
            assert found == ids
            await events.aclose()  # type: ignore[attr-defined]

    with no_thread_left():
        run(main())


def test_cancelling_who_iterates_ends_its_stream() -> None:
    fake = FakeTransport()

    async def main() -> None:
        async with AsyncDashClaw(agent_id="me", transport=fake) as claw:

            async def listen() -> None:
                async for _ in claw.events():
                    raise AssertionError

            task = asyncio.create_task(listen())
            await until(lambda: any(thread.name == "dashclaw-relay" for thread in threading.enumerate()))
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await until(lambda: all(thread.name != "dashclaw-relay" for thread in threading.enumerate()))

    run(main())


def test_a_client_serves_two_event_loops_one_after_the_other(tmp_path: Path) -> None:
    claw = opened(tmp_path / "dashclaw.db", hitl_mode="wait")

    async def governed() -> str:
        claw.start_heartbeat(30)
        task = asyncio.create_task(claw.create_action("deploy", "Ship it", **RISKY))
        while not (pending := (await claw.get_pending_approvals())["actions"]):
            await asyncio.sleep(0.005)
        await claw.approve_action(pending[0]["action_id"], "allow")
        created = await task
        async with claw.track("research", "look", parent_action_id=created["action_id"]):
            pass
        assert created["action"]["status"] == "running"
        return created["action_id"]

    with no_thread_left():
        first, second = run(governed()), run(governed())
        assert first != second
        run(claw.aclose())


def test_closing_twice_is_harmless_and_a_closed_client_refuses() -> None:
    async def main() -> None:
        claw = AsyncDashClaw(agent_id="me", transport=FakeTransport(), retry=patient())
        await claw.heartbeat()
        await claw.aclose()
        await claw.aclose()
        claw.close()
        with pytest.raises(NotSentError, match="closed"):
            await claw.heartbeat()

    with no_thread_left():
        run(main())


def test_closing_without_a_loop_stops_heartbeats_and_threads() -> None:
    fake = FakeTransport()
    claw = AsyncDashClaw(agent_id="me", transport=fake)

    async def main() -> None:
        claw.start_heartbeat(0.001)
        while len(fake.memory.heartbeats) < 3:
            await asyncio.sleep(0.001)
        claw.stop_heartbeat()
        claw.stop_heartbeat()

    with no_thread_left():
        run(main())
        claw.close()


READS: list[tuple[str, tuple[Any, ...]]] = [
    ("get_actions", ()),
    ("get_action", ("{action}",)),
    ("get_action_trace", ("{action}",)),
    ("get_signals", ()),
    ("get_open_loops", ()),
    ("get_assumption", ("{assumption}",)),
    ("get_drift_report", ()),
    ("get_pending_approvals", ()),
    ("get_guard_decisions", ()),
    ("get_org", ()),
    ("get_org_by_id", ("org_default",)),
    ("get_org_keys", ("org_default",)),
    ("get_activity_logs", ()),
    ("get_action", ("act_unknown",)),
    ("get_org_by_id", ("org_unknown",)),
    ("approve_action", ("{action}", "allow")),
    ("approve_action", ("{action}", "perhaps")),
    ("update_outcome", ("{action}", "no status")),
    ("register_open_loop", ("act_unknown", "followup", "Look again")),
]


def shown(found: Any) -> Any:
    """A result or an error by value, without what names the moment or the request."""
    if isinstance(found, DashClawError):
        return type(found), found.message, found.status, found.code, found.details
    return {name: value for name, value in found.items() if name != "lastUpdated"}


def test_both_clients_give_the_same_results_and_errors(tmp_path: Path) -> None:
    path = tmp_path / "dashclaw.db"
    with DashClaw.local(path, agent_id="agent-1") as sync:
        ids = {"{action}": sync.create_action("research", "look")["action_id"]}
        ids["{assumption}"] = sync.register_assumption(ids["{action}"], "It is current")["assumption_id"]
        sync.register_open_loop(ids["{action}"], "followup", "Look again")
        sync.create_action("deploy", "Ship it", **RISKY)

        async def ask(claw: AsyncDashClaw, name: str, args: list[Any]) -> Any:
            try:
                return await getattr(claw, name)(*args)
            except DashClawError as error:
                return error

        async def main() -> None:
            async with opened(path) as claw:
                for name, template in READS:
                    args = [ids.get(part, part) for part in template]
                    expected: Any
                    try:
                        expected = getattr(sync, name)(*args)
                    except DashClawError as error:
                        expected = error
                    assert shown(await ask(claw, name, args)) == shown(expected), name

        run(main())
