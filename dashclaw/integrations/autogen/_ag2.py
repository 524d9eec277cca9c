"""AG2 1.x (`import ag2`): a middleware at the innermost place of each agent."""

from __future__ import annotations

import contextvars
import functools
from collections.abc import Awaitable, Callable
from typing import Any

from dashclaw._governor import Gate
from dashclaw._tool_calls import ToolCall
from dashclaw.errors import ConfigurationError, DashClawError

from .._framework import framework
from ._calls import MODEL, TURN, Calls
from ._patches import Patches

_FLOOR = "1.0.0"


class Ag2:
    """Governs agents of `ag2` 1.x, and those that they ask or make while they run."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._patches = Patches()
        self._running: contextvars.ContextVar[bool] = contextvars.ContextVar("dashclaw_ag2", default=False)
        self._agent, base, result, failure = framework(
            "ag2",
            "ag2",
            _FLOOR,
            "ag2:Agent",
            "ag2.middleware:BaseMiddleware",
            "ag2.events:ToolResultEvent",
            "ag2.events:ToolErrorEvent",
        )
        self._middleware = _middleware(calls, self._running, base, result, failure)
        self._patches.replace(self._agent, "ask", self._asked(self._agent.ask))
        self._patches.replace(self._agent, "run", self._run(self._agent.run))

    def instrument(self, agent: Any) -> None:
        """Govern an agent, and the agents among its tools."""
        if agent in self._patches:
            return
        if not isinstance(agent, self._agent):
            raise ConfigurationError(f"{type(agent).__module__} is not the installed ag2")
        self._patches.add(agent)
        agent.add_middleware(_Factory(self._middleware, agent.name))
        for tool in agent.tools:
            if isinstance(getattr(tool, "agent", None), self._agent):
                self.instrument(tool.agent)

    def close(self) -> None:
        """Take the middleware away again."""
        for thing in self._patches.things():
            if isinstance(thing, self._agent):
                thing._middleware[:] = [one for one in thing._middleware if not self._is_ours(one)]
        self._patches.undo()

    def _is_ours(self, factory: Any) -> bool:
        return isinstance(factory, _Factory) and factory.kind is self._middleware

    def _asked(self, ask: Callable[..., Awaitable[Any]]) -> Callable[..., Any]:
        @functools.wraps(ask)
        async def asked(agent: Any, *args: Any, **kwargs: Any) -> Any:
            self._reached(agent)
            return await ask(agent, *args, **kwargs)

        return asked

    def _run(self, run: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(run)
        def opened(agent: Any, *args: Any, **kwargs: Any) -> Any:
            self._reached(agent)
            return run(agent, *args, **kwargs)

        return opened

    def _reached(self, agent: Any) -> None:
        """Govern an agent that a governed one asks: subtasks are given its tools and not its middleware."""
        if self._running.get() and not self._calls.closed:
            self.instrument(agent)


class _Factory:
    """Makes the middleware of one turn of an agent."""

    def __init__(self, kind: Any, name: str) -> None:
        self.kind = kind
        self.name = name

    def __call__(self, event: Any, context: Any) -> Any:
        return self.kind(event, context, self.name)


def _middleware(calls: Calls, running: contextvars.ContextVar[bool], base: Any, result: Any, failure: Any) -> Any:
    class DashClawMiddleware(base):
        """Decides about the tools of a turn, and records the turn and its calls of models."""

        def __init__(self, event: Any, context: Any, name: str) -> None:
            super().__init__(event, context)
            self._name = name
            self._stop: DashClawError | None = None

        async def on_turn(self, call_next: Callable[..., Awaitable[Any]], event: Any, context: Any) -> Any:
            token = running.set(True)
            try:
                async with calls.anoted(
                    TURN, f"{self._name} answers", lambda: _question(event), agent_name=self._name
                ) as note:
                    response = await call_next(event, context)
                    note.output = response.content
                return response
            finally:
                running.reset(token)

        async def on_llm_call(self, call_next: Callable[..., Awaitable[Any]], events: Any, context: Any) -> Any:
            if self._stop is not None:
                raise self._stop
            goal = f"Model call of {self._name}"
            async with calls.anoted(MODEL, goal, lambda: None, agent_name=self._name) as note:
                response = await call_next(events, context)
                note.tokens(**_usage(response))
            return response

        async def on_tool_execution(self, call_next: Callable[..., Awaitable[Any]], event: Any, context: Any) -> Any:
            def make() -> ToolCall:
                return ToolCall(
                    event.name, event.serialized_arguments, agent_name=self._name, call_id=getattr(event, "id", None)
                )

            def refuse(gate: Gate) -> Any:
                if calls.governor.on_block == "raise":
                    self._stop = gate.error
                return result.from_call(event, result=gate.message)

            def told(answer: Any) -> tuple[Any, BaseException | None]:
                if isinstance(answer, failure):
                    return None, answer.error
                return _content(answer), None

            return await calls.arun(event.name, make, lambda: call_next(event, context), refuse, told)

    return DashClawMiddleware


def _question(event: Any) -> Any:
    parts = getattr(event, "parts", None)
    return getattr(event, "content", None) if parts is None else [getattr(part, "content", part) for part in parts]


def _content(answer: Any) -> Any:
    found = getattr(answer, "result", None)
    parts = getattr(found, "parts", None)
    if parts is None:
        return found
    said = [getattr(part, "content", getattr(part, "data", part)) for part in parts]
    return said[0] if len(said) == 1 else said


def _usage(response: Any) -> dict[str, Any]:
    used = getattr(response, "usage", None)
    counts = {"tokens_in": getattr(used, "prompt_tokens", None), "tokens_out": getattr(used, "completion_tokens", None)}
    found: dict[str, Any] = {name: None if count is None else int(count) for name, count in counts.items()}
    return dict(found, model=getattr(response, "model", None))
