"""Governed functions: every call of one runs under `track`."""

from __future__ import annotations

import contextvars
import functools
import threading
from typing import TYPE_CHECKING, Any, Awaitable, Callable, Mapping, Optional, TypeVar, Union

from ._call import AsyncDriver, Caller, Flow, Ticket, Watch
from ._govern import Run, begin, finish, status_after
from ._spans import Inside
from .errors import ConfigurationError

if TYPE_CHECKING:
    from typing import ParamSpec  # novm

    from ._call import SyncDriver
    from .aio import AsyncDashClaw

    P = ParamSpec("P")

R = TypeVar("R")
Goal = Union[str, Callable[..., str], None]


class _Decorator:
    """What both decorators know: what to declare for each call."""

    def __init__(self, action_type: str, declared_goal: Goal, fields: Mapping[str, Any]) -> None:
        self.action_type = action_type
        self.declared_goal = declared_goal
        self.fields = fields

    def run(self, function: Callable[..., Any], args: Any, kwargs: Any) -> Run:
        """Return the run that stands for one call."""
        return Run(self.action_type, goal_of(function, self.declared_goal, args, kwargs), self.fields)


class Guarded(_Decorator):
    """What `DashClaw.guarded` returns."""

    def __init__(self, client: SyncDriver, action_type: str, declared_goal: Goal, fields: Mapping[str, Any]) -> None:
        super().__init__(action_type, declared_goal, fields)
        self._client = client

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        """Return the governed function."""
        if is_async(function):
            wrapper: Callable[P, R] = functools.wraps(function)(self._around_async(function))
            return wrapper

        @functools.wraps(function)
        def governed(*args: P.args, **kwargs: P.kwargs) -> R:
            client, run = self._client, self.run(function, args, kwargs)
            client._drive(begin(client, run))
            try:
                with Inside(run):
                    result = function(*args, **kwargs)
            except BaseException as error:
                client._drive(finish(client, run, error))
                raise
            client._drive(finish(client, run, None))
            return result

        return governed

    def _around_async(self, function: Callable[..., Any]) -> Callable[..., Any]:
        async def governed(*args: Any, **kwargs: Any) -> Any:
            run = self.run(function, args, kwargs)
            await enter(self._client, run, begin)
            try:
                with Inside(run):
                    result = await function(*args, **kwargs)
            except BaseException as error:
                await conclude(self._client, run, error)
                raise
            await conclude(self._client, run, None)
            return result

        return governed


async def enter(client: Union[SyncDriver, AsyncDashClaw], run: Run, entry: Callable[[Caller, Run], Flow[Run]]) -> None:
    """Drive the flow that decides about a run, off the event loop, whichever client it is."""
    if isinstance(client, AsyncDriver):
        await client._drive(entry(client, run))
        return
    import asyncio

    work = _InThread(client, run, entry)
    context = contextvars.copy_context()
    try:
        await asyncio.get_running_loop().run_in_executor(None, context.run, work.begin)
    except asyncio.CancelledError:
        work.abandon()
        raise


async def conclude(client: Union[SyncDriver, AsyncDashClaw], run: Run, error: Optional[BaseException]) -> None:
    """Record how a run ended, off the event loop."""
    told_to_stop = status_after(error) == "cancelled"
    if isinstance(client, AsyncDriver):
        if told_to_stop:
            client.later(finish(client, run, error))
        else:
            await client._drive(finish(client, run, error))
        return
    import asyncio

    over = asyncio.get_running_loop().run_in_executor(None, client._drive, finish(client, run, error))
    # A task that was told to stop must not be held up by what is recorded of it.
    if not told_to_stop:
        await over


class _InThread:
    """Governs one call of an async function by a synchronous client, off the event loop."""

    def __init__(self, client: SyncDriver, run: Run, entry: Callable[[Caller, Run], Flow[Run]]) -> None:
        self._client = client
        self._run = run
        self._entry = entry
        self._lock = threading.Lock()
        self._abandoned = False
        self._begun = False
        self._ticket: Optional[Ticket] = None

    def begin(self) -> None:
        """Return when the work may run."""
        self._client._drive(self._until_abandoned(self._entry(self._client, self._run)))
        with self._lock:
            self._begun = True
            abandoned = self._abandoned
        if abandoned:
            self.finish(_cancelled())

    def _until_abandoned(self, flow: Flow[Run]) -> Flow[Run]:
        """Pass a flow's steps on; once the work is abandoned the flow learns it in place of its next answer."""
        answer: Any = None
        error: Optional[BaseException] = None
        told = False
        while True:
            try:
                step = flow.send(answer) if error is None else flow.throw(error)
            except StopIteration as done:
                result: Run = done.value
                return result
            answer = error = None
            try:
                answer = yield step
            except BaseException as raised:  # noqa: BLE001 - handed to the flow, which raises it or cleans up
                error = raised
            if isinstance(step, Watch):
                self._ticket = answer
            if self._abandoned and error is None and not told:
                told, error = True, _cancelled()

    def abandon(self) -> None:
        """Have it recorded that the work was cancelled before it ran, and end the wait for a person."""
        with self._lock:
            self._abandoned = True
            begun, ticket = self._begun, self._ticket
        if ticket is not None:
            ticket.wake()
        if begun:
            self.finish(_cancelled())

    def finish(self, error: Optional[BaseException]) -> None:
        """Record how the work ended."""
        self._client._drive(finish(self._client, self._run, error))


def _cancelled() -> BaseException:
    return KeyboardInterrupt("Cancelled before it ran")


class AsyncGuarded(_Decorator):
    """What `AsyncDashClaw.guarded` returns."""

    def __init__(self, client: AsyncDashClaw, action_type: str, declared_goal: Goal, fields: Mapping[str, Any]) -> None:
        super().__init__(action_type, declared_goal, fields)
        self._client = client

    def __call__(self, function: Callable[P, Awaitable[R]]) -> Callable[P, Awaitable[R]]:
        """Return the governed function; raises `ConfigurationError` for one that is not async."""
        if not is_async(function):
            raise ConfigurationError("AsyncDashClaw guards async functions; use DashClaw for others")

        @functools.wraps(function)
        async def governed(*args: P.args, **kwargs: P.kwargs) -> R:
            async with self._client.tracked(self.run(function, args, kwargs)):
                return await function(*args, **kwargs)

        return governed


def is_async(function: Any) -> bool:
    """Whether calling returns an awaitable; refuses generators, whose body runs after the call."""
    import inspect

    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise ConfigurationError("A generator cannot be guarded, its body runs after the call: use track inside it")
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(type(function).__call__)


def goal_of(function: Callable[..., Any], declared_goal: Any, args: Any, kwargs: Any) -> str:
    """Return the goal of one call: the text given, what the given function makes of the arguments, or a default."""
    if callable(declared_goal):
        return str(declared_goal(*args, **kwargs))
    if declared_goal is not None:
        return str(declared_goal)
    name = getattr(function, "__qualname__", None) or type(function).__name__
    lines = (getattr(function, "__doc__", None) or "").strip().splitlines()
    return f"{name}: {lines[0]}" if lines else str(name)
