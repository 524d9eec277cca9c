"""What the three lines of AutoGen share: governed calls, records of what is not decided about, parents."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from typing import Any

from dashclaw._governor import Gate, Governor
from dashclaw._log import logger
from dashclaw._tool_calls import ToolCall, summary

from .._shielded import aconclude, adecide, conclude, decide

# What a call gave back, and the error it stands for where the framework made a value of one.
Told = Callable[[Any], "tuple[Any, BaseException | None]"]
CHAT, TURN, MODEL, CODE = "agent.chat", "agent.run", "llm.call", "execute_code"


class ToolFailed(Exception):
    """What is recorded of a tool whose error the framework has turned into a text."""


class Note:
    """A record that is open: its gate, and what to keep of its end."""

    def __init__(self, gate: Gate | None) -> None:
        self.gate = gate
        self.output: Any = None
        self.outcome: dict[str, Any] = {}

    @property
    def action_id(self) -> str | None:
        """The action of the record, where there is one."""
        return None if self.gate is None else self.gate.action_id

    def tokens(self, **outcome: Any) -> None:
        """Keep what a model reported: `tokens_in`, `tokens_out`, `model`, `cost_estimate` in USD; None is unknown."""
        self.outcome.update(outcome)


class Calls:
    """Runs calls that are governed, and records others; after `close` everything runs as if it were not here."""

    def __init__(self, governor: Governor) -> None:
        self.governor = governor
        self.closed = False

    def run(
        self,
        tool: str,
        make: Callable[[], ToolCall],
        body: Callable[[], Any],
        refuse: Callable[[Gate], Any],
        told: Told,
    ) -> Any:
        """Run `body` where the call may run, and return what it or else `refuse` returns."""
        if self.closed:
            return body()
        gate = decide(self.governor, tool, make)
        if not gate.runs:
            return refuse(gate)
        try:
            with inside(gate):
                result = body()
        except BaseException as error:
            conclude(self.governor, gate, error=error)
            raise
        conclude(self.governor, gate, *_told(told, result))
        return result

    async def arun(
        self,
        tool: str,
        make: Callable[[], ToolCall],
        body: Callable[[], Awaitable[Any]],
        refuse: Callable[[Gate], Any],
        told: Told,
    ) -> Any:
        """Run as `run` does, deciding off the event loop."""
        if self.closed:
            return await body()
        gate = await adecide(self.governor, tool, make)
        if not gate.runs:
            return refuse(gate)
        try:
            with inside(gate):
                result = await body()
        except BaseException as error:
            await aconclude(self.governor, gate, error=error)
            raise
        await aconclude(self.governor, gate, *_told(told, result))
        return result

    async def stream(
        self,
        tool: str,
        make: Callable[[], ToolCall],
        body: Callable[[], AsyncIterator[Any]],
        refuse: Callable[[Gate], Any],
        told: Told,
    ) -> AsyncIterator[Any]:
        """Yield what `body` yields, or else what `refuse` returns; the last item is the result."""
        if self.closed:
            async for item in body():
                yield item
            return
        gate = await adecide(self.governor, tool, make)
        if not gate.runs:
            yield refuse(gate)
            return
        last: Any = None
        try:
            async for last in stepped(body(), lambda: inside(gate)):
                yield last
        except BaseException as error:
            await aconclude(self.governor, gate, error=error)
            raise
        await aconclude(self.governor, gate, *_told(told, last))

    @contextmanager
    def noted(self, action_type: str, goal: str, given: Callable[[], Any], **fields: Any) -> Iterator[Note]:
        """Record what happens inside, whatever it is; `given` tells what it began with."""
        note = Note(self._opened(action_type, goal, given, fields))
        try:
            with inside(note.gate):
                yield note
        except BaseException as error:
            self._ended(note, error)
            raise
        self._ended(note, None)

    @asynccontextmanager
    async def anoted(
        self, action_type: str, goal: str, given: Callable[[], Any], *, enter: bool = True, **fields: Any
    ) -> AsyncIterator[Note]:
        """Record as `noted` does, off the event loop; a generator enters the record step by step instead."""
        note = Note(await self._aopened(action_type, goal, given, fields))
        try:
            with inside(note.gate if enter else None):
                yield note
        except BaseException as error:
            if note.gate is not None:
                await aconclude(self.governor, note.gate, None, _cause(error), **note.outcome)
            raise
        if note.gate is not None:
            await aconclude(self.governor, note.gate, note.output, **note.outcome)

    def _opened(self, action_type: str, goal: str, given: Callable[[], Any], fields: dict[str, Any]) -> Gate | None:
        if self.closed:
            return None
        try:
            return self.governor.note(action_type, goal, **self._fields(given, fields))
        except Exception as error:  # noqa: BLE001 - recording must not break the host
            _unrecorded(action_type, error)
            return None

    async def _aopened(
        self, action_type: str, goal: str, given: Callable[[], Any], fields: dict[str, Any]
    ) -> Gate | None:
        if self.closed:
            return None
        try:
            return await self.governor.anote(action_type, goal, **self._fields(given, fields))
        except Exception as error:  # noqa: BLE001 - recording must not break the host
            _unrecorded(action_type, error)
            return None

    def _fields(self, given: Callable[[], Any], fields: dict[str, Any]) -> dict[str, Any]:
        known = {name: value for name, value in fields.items() if value is not None}
        begun = given() if self.governor.record_output else None
        return dict(known, risk_score=0, **({} if begun is None else {"input_summary": summary(begun)}))

    def _ended(self, note: Note, error: BaseException | None) -> None:
        if note.gate is not None:
            conclude(self.governor, note.gate, note.output, _cause(error), **note.outcome)


def inside(gate: Gate | None) -> AbstractContextManager[None]:
    """Make calls in this context parts of a gate's action, where it has one; others keep the parent they have."""
    return contextlib.nullcontext() if gate is None or gate.action_id is None else gate.inside()


async def stepped(items: AsyncIterator[Any], entered: Callable[[], AbstractContextManager[Any]]) -> AsyncIterator[Any]:
    """Yield items, being `entered` only while the next one is made: a consumer in between sees nothing of it."""
    try:
        while True:
            with entered():
                try:
                    item = await items.__anext__()
                except StopAsyncIteration:
                    return
            yield item
    finally:
        end = getattr(items, "aclose", None)
        if end is not None:
            await end()


def _cause(error: BaseException | None) -> BaseException | None:
    """Return what to record of an error; a stream whose consumer has left is no failure."""
    return None if isinstance(error, GeneratorExit) else error


def _told(told: Told, result: Any) -> tuple[Any, BaseException | None]:
    try:
        return told(result)
    except Exception as error:  # noqa: BLE001 - the host goes on with what the call gave back
        _unrecorded("A result", error)
        return None, None


def _unrecorded(what: str, error: Exception) -> None:
    logger().warning("%s was not recorded", what, exc_info=error)
