"""The asynchronous client: the same plans, driven with `await`.

Requests run in a small pool of threads, so concurrency is bounded by the pool; who waits for an approval holds
a future and no thread.
"""

from __future__ import annotations

import asyncio
import os
import threading
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, Any, AsyncIterator, Callable, Collection, Optional, Set, Type, Union

from ._call import AsyncDriver, Call, Flow, Send, Sleep, Step, T, Wait, Watch, Work
from ._govern import Run, begin, finish, status_after
from ._guarded import AsyncGuarded
from ._heartbeat import Pulse
from ._log import logger
from ._spans import Inside
from ._watch import Seat, Watcher
from .client import Client
from .errors import ClientClosedError, DashClawError

if TYPE_CHECKING:
    from types import TracebackType

    from .types import ServerEvent


class AsyncDashClaw(Client, AsyncDriver):
    """`DashClaw` for asyncio: the same settings and methods, each returning an awaitable.

    Cancelling a call returns at once; what was being recorded is then taken back in the background, and `aclose`
    waits for that. At most `concurrency` requests are under way at a time (set it before the first call).
    """

    concurrency = 16

    _threads: Optional[ThreadPoolExecutor] = None
    _threads_pid = 0
    _beating: Optional[asyncio.Task[None]] = None
    _winding_up: Optional[Set[Future[None]]] = None
    _closed = False

    async def _drive(self, plan: Union[Call[T], Flow[T]]) -> T:
        steps = self._steps(plan)
        answer: Any = None
        error: Optional[BaseException] = None
        flight: Optional[Future[Any]] = None
        try:
            while True:
                try:
                    step = steps.send(answer) if error is None else steps.throw(error)
                except StopIteration as done:
                    result: T = done.value
                    return result
                answer = error = flight = None
                try:
                    if isinstance(step, (Send, Work)):
                        flight = self._pool().submit(self._perform, step)
                        answer = await asyncio.wrap_future(flight)
                    else:
                        answer = await self._pause(step)
                except (asyncio.CancelledError, GeneratorExit) as told:
                    self._hand_over(steps, told, flight)
                    raise
                except Exception as raised:  # noqa: BLE001 - handed to the steps, which raise it or clean up
                    error = raised
        finally:
            answer = error = flight = None

    async def _pause(self, step: Step) -> Any:
        if isinstance(step, Sleep):
            return await asyncio.sleep(step.seconds)
        if isinstance(step, Watch):
            seat = TaskSeat(self._watcher(), step.topic)
            seat.watcher.admit(seat)
            return seat
        assert isinstance(step, Wait)
        assert isinstance(step.ticket, TaskSeat)
        return await step.ticket.rest(step.ticket.watcher.patience(step))

    def _pool(self) -> ThreadPoolExecutor:
        if self._closed:
            raise ClientClosedError("This client was closed")
        if self._threads is None or self._threads_pid != os.getpid():
            self._threads = ThreadPoolExecutor(self.concurrency, thread_name_prefix="dashclaw")
            self._threads_pid = os.getpid()
        return self._threads

    def later(self, flow: Flow[Any]) -> None:
        """Drive a flow in the background."""
        self._hand_over(self._steps(flow), None)

    def _hand_over(
        self, steps: Flow[Any], error: Optional[BaseException], flight: Optional[Future[Any]] = None
    ) -> None:
        """Let a worker thread finish steps whose task was told to stop, once what is under way has ended."""

        over: Future[None] = Future()
        unfinished = self._winding_up = self._winding_up or set()
        unfinished.add(over)

        def wind_up() -> None:
            try:
                self._block(steps, error)
            except BaseException as raised:  # noqa: BLE001 - nobody is left to tell
                if raised is not error:
                    logger().warning("Cleaning up after a cancelled call failed: %r", raised)
            finally:
                unfinished.discard(over)
                over.set_result(None)

        def submit(_: Any = None) -> None:
            try:
                self._pool().submit(wind_up)
            except (ClientClosedError, RuntimeError):
                # The pool takes no more work, and the event loop must not be held up.
                threading.Thread(target=wind_up, name="dashclaw-last").start()

        if flight is None or flight.cancel() or flight.done():
            submit()
        else:
            flight.add_done_callback(submit)

    def track(self, action_type: str, declared_goal: str, **fields: Any) -> AsyncTracked:
        """Return an asynchronous context manager that governs and records the block inside it.

        The block never runs when the action is blocked, pending, denied or expired: then entering raises a
        `Verdict`. Leaving records completed, failed or cancelled and the duration; a failure to record is logged.
        `fields` are those of `create_action`.
        """
        return self.tracked(Run(action_type, declared_goal, fields))

    def tracked(self, run: Run) -> AsyncTracked:
        """Return the context manager for a run made elsewhere."""
        return AsyncTracked(self, run)

    def guarded(
        self, action_type: str, *, declared_goal: Union[str, Callable[..., str], None] = None, **fields: Any
    ) -> AsyncGuarded:
        """Return a decorator that runs each call of an async function under `track`.

        `declared_goal` is text or a function of the call's arguments; without it the function's name and the first
        line of its docstring are used.
        """
        return AsyncGuarded(self, action_type, declared_goal, fields)

    def events(
        self,
        *,
        types: Union[str, Collection[str], None] = None,
        after: Optional[str] = None,
        timeout: Optional[float] = None,
    ) -> AsyncIterator[ServerEvent]:
        """Yield the organisation's events as they happen, each `{"id", "event", "data"}`.

        `types` keeps only these names; among them "connected" and "disconnected" tell of the connection. `after` is
        the id of the last event seen; the iterator ends when none came for `timeout` seconds. It resumes by itself
        where a connection broke. Closing it closes its stream. A consumer that is slow holds up its own stream only.
        Raises an `ApiError` when the server refuses the stream.
        """
        from ._events import EventSource, Selection
        from ._relay import relay

        return relay(Selection(types, timeout), EventSource(self._exchange, after))

    def start_heartbeat(self, interval: float = 60) -> None:
        """Send a heartbeat now and every `interval` seconds from a task; a second start changes nothing."""
        if self._beating is None or self._beating.done():
            self._beating = asyncio.get_running_loop().create_task(self._beat(Pulse(interval)))

    async def _beat(self, pulse: Pulse) -> None:
        while True:
            try:
                await self.heartbeat()
            except DashClawError as error:
                pulse.note(error)
            else:
                pulse.note(None)
            await asyncio.sleep(pulse.interval)

    def stop_heartbeat(self) -> None:
        """Stop sending heartbeats; harmless when none are sent."""
        if self._beating is not None:
            self._beating.cancel()
            self._beating = None

    async def aclose(self) -> None:
        """Stop everything, wait for what is under way, and close the connections; closing twice is harmless."""
        self.stop_heartbeat()
        pool, self._closed = self._threads, True
        if pool is not None:
            await asyncio.get_running_loop().run_in_executor(None, self._drain, pool)
        self._release()

    def _drain(self, pool: ThreadPoolExecutor) -> None:
        """Return when nothing is under way any more."""
        pool.shutdown()
        while self._winding_up:
            wait(list(self._winding_up))

    def close(self) -> None:
        """Close without waiting for what is under way, for where nothing can be awaited."""
        self.stop_heartbeat()
        self._closed = True
        if self._threads is not None:
            self._threads.shutdown(wait=False)
        self._release()

    async def __aenter__(self) -> AsyncDashClaw:
        return self

    async def __aexit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        await self.aclose()


class AsyncTracked:
    """What `AsyncDashClaw.track` returns: entering governs the block, leaving records how it ended."""

    def __init__(self, client: AsyncDashClaw, run: Run) -> None:
        self._client = client
        self._run = run
        self._inside = Inside(run)

    async def __aenter__(self) -> Run:
        run = await self._client._drive(begin(self._client, self._run))
        self._inside.__enter__()
        return run

    async def __aexit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self._inside.__exit__(kind, error, trace)
        steps = finish(self._client, self._run, error)
        if status_after(error) == "cancelled":
            # The task was told to stop: recording that must not hold it up.
            self._client.later(steps)
        else:
            await self._client._drive(steps)


class TaskSeat(Seat):
    """A ticket for a waiting task."""

    def __init__(self, watcher: Watcher, topic: str) -> None:
        super().__init__(watcher, topic)
        self._loop = asyncio.get_running_loop()
        self._news = asyncio.Event()

    def wake(self) -> None:
        """Tell the waiting task, from any thread."""
        try:
            self._loop.call_soon_threadsafe(self._news.set)
        except RuntimeError:
            self.close()  # the loop is closed, nobody waits any more

    async def rest(self, seconds: float) -> None:
        """Wait for news at most some seconds."""
        # Not `asyncio.wait_for`: before Python 3.12 it loses a cancellation that meets the news.
        alarm = self._loop.call_later(seconds, self._news.set)
        try:
            await self._news.wait()
        finally:
            alarm.cancel()
        self._news.clear()


__all__ = ["AsyncDashClaw", "AsyncTracked"]
