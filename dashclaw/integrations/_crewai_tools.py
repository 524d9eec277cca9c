"""Tools of CrewAI whose bodies run under the decision about their call, and once for each decision."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import functools
import inspect
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Any

from dashclaw._governor import Gate, Governor
from dashclaw._log import logger
from dashclaw._tool_calls import ToolCall, arguments_of, fingerprint, text_of

from ._shielded import conclude, decide, failed

_MOST_OPEN = 1000
_OWN_RUN = "crewai.tools.base_tool"
_UNKNOWN = "Tool not found"
_NATIVE_ERROR = "Error executing tool: "


class ToolNotRunError(Exception):
    """Says to the model why a repetition of a call did not run."""


class ToolFailedError(Exception):
    """Stands for an error of a tool that CrewAI only passes on as text."""


class _Body:
    """What is called to run a tool, with ours in its place as long as `calls` need it."""

    def __init__(self, tool: Any, name: str, wrapper: Callable[..., Any]) -> None:
        self.tool = tool
        self.name = name
        self.wrapper = wrapper
        self.was_own = name in vars(tool)
        self.own = vars(tool).get(name)
        self.calls = 0


class Held:
    """One decided call, from the hook before it to the hook after it."""

    def __init__(self, gate: Gate, call: ToolCall, given: Any, tools: tuple[Any, ...]) -> None:
        self.gate = gate
        self.call = call
        self.given = given
        self.tools = tools
        self.decided_about = fingerprint(arguments_of(given))
        self.begun = 0
        self.running = False
        self.error: Exception | None = None
        self.token: contextvars.Token[Held | None] | None = None
        self.bodies: list[_Body] = []


class ToolRuns:
    """Knows which call of a tool is decided about, and runs the bodies of tools under it.

    The hooks of CrewAI only see a call before and after. CrewAI runs a tool that raises up to six times between them;
    each further run is decided about anew, and what a person approved does not run again.
    """

    def __init__(self, governor: Governor) -> None:
        self._governor = governor
        self._open: OrderedDict[int, Held] = OrderedDict()
        self._held: contextvars.ContextVar[Held | None] = contextvars.ContextVar("dashclaw_crewai_call", default=None)
        self._within: contextvars.ContextVar[bool] = contextvars.ContextVar("dashclaw_crewai_within", default=False)
        self._wrapped: dict[tuple[int, str], _Body] = {}
        self._lock = threading.Lock()

    @property
    def inside(self) -> bool:
        """Whether this runs in the body of a governed tool."""
        return self._within.get()

    def open(self, held: Held) -> None:
        """Let the tool that is called next in this context run under a decision."""
        self.remember(held)
        for tool in held.tools:
            for name in _bodies(tool):
                held.bodies.append(self._wrap(tool, name))
        held.token = self._held.set(held)

    def remember(self, held: Held) -> None:
        """Keep a call for the hook after it."""
        self._open[id(held.given)] = held
        while len(self._open) > _MOST_OPEN:
            self._unwrap(self._open.popitem(last=False)[1])

    def ended(self, given: Any) -> Held | None:
        """Return the call with these arguments, the same object, and forget it."""
        held = self._open.pop(id(given), None)
        if held is None:
            return None
        self._unwrap(held)
        if held.token is not None:
            # Another context has a variable of its own.
            with contextlib.suppress(ValueError):
                self._held.reset(held.token)
        return held

    def close(self) -> None:
        """Give tools their own bodies back; calls that are under way are not governed further."""
        with self._lock:
            for body in list(self._wrapped.values()):
                self._restore(body)
            self._wrapped.clear()
        self._open.clear()

    def _wrap(self, tool: Any, name: str) -> _Body:
        """Put a body under decisions for the time of a call: copies that users make of a tool stay their own."""
        with self._lock:
            body = self._wrapped.get((id(tool), name))
            if body is None:
                body = _Body(tool, name, self._around(tool, getattr(tool, name)))
                # Pydantic refuses attributes that are no fields; what is in the instance is found first.
                object.__setattr__(tool, name, body.wrapper)
                self._wrapped[(id(tool), name)] = body
            body.calls += 1
            return body

    def _unwrap(self, held: Held) -> None:
        with self._lock:
            for body in held.bodies:
                body.calls -= 1
                if body.calls == 0 and self._restore(body):
                    self._wrapped.pop((id(body.tool), body.name), None)
            held.bodies.clear()

    def _restore(self, body: _Body) -> bool:
        """Whether the tool has its own body again; not while somebody else's is around ours."""
        own = vars(body.tool)
        if own.get(body.name) is not body.wrapper:
            return False
        if body.was_own:
            object.__setattr__(body.tool, body.name, body.own)
        else:
            own.pop(body.name)
        return True

    def _around(self, tool: Any, original: Callable[..., Any]) -> Callable[..., Any]:
        if inspect.iscoroutinefunction(original):

            @functools.wraps(original)
            async def aheld(*args: Any, **kwargs: Any) -> Any:
                held = self._for(tool)
                if held is None:
                    return await original(*args, **kwargs)
                # A wait for a person must not stop the loop.
                gate = await asyncio.to_thread(self._admitted, held) if held.begun else self._admitted(held)
                with self._running(held, gate) as over:
                    return over(await _awaited(tool, original, args, kwargs))

            return aheld

        @functools.wraps(original)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            held = self._for(tool)
            if held is None:
                return original(*args, **kwargs)
            with self._running(held, self._admitted(held)) as over:
                result = original(*args, **kwargs)
                # CrewAI runs what an asynchronous tool returns in a loop of its own; here it runs inside.
                return over(asyncio.run(result) if asyncio.iscoroutine(result) else result)

        return wrapped

    def _for(self, tool: Any) -> Held | None:
        held = self._held.get()
        if held is None or held.running or not any(known is tool for known in held.tools):
            return None
        return held

    def _admitted(self, held: Held) -> Gate:
        try:
            return self._admit(held)
        except Exception as error:
            if error is held.error or isinstance(error, ToolNotRunError):
                raise
            gate = failed(self._governor, held.call.tool, error)
            if not gate.runs:
                raise ToolNotRunError(gate.message) from error
            return gate

    def _admit(self, held: Held) -> Gate:
        """Return the gate under which the body runs now.

        Raises what the run before it raised when a person had approved that one, and `ToolNotRunError`.
        """
        held.begun += 1
        gate = held.gate
        if held.begun > 1:
            if self._governor.mode == "enforce" and held.error is not None and _asked(gate):
                raise held.error
            gate = self._again(held)
        elif fingerprint(arguments_of(held.given)) != held.decided_about:
            conclude(self._governor, gate, error=asyncio.CancelledError("Another hook changed the arguments"))
            gate = self._again(held)
        if not gate.runs:
            raise ToolNotRunError(gate.message) from gate.error
        held.gate = gate
        return gate

    def _again(self, held: Held) -> Gate:
        call = held.call._replace(arguments=dict(held.given))
        return decide(self._governor, call.tool, lambda: call)

    @contextlib.contextmanager
    def _running(self, held: Held, gate: Gate) -> Iterator[Callable[[Any], Any]]:
        """Record how the body ends; the value given calls it a success."""
        results: list[Any] = []

        def over(result: Any) -> Any:
            results.append(result)
            return result

        within = self._within.set(True)
        held.running = True
        try:
            with gate.inside():
                yield over
        except BaseException as error:
            if isinstance(error, Exception):
                held.error = error
            conclude(self._governor, gate, error=error)
            raise
        else:
            conclude(self._governor, gate, results[0] if results else None)
        finally:
            held.running = False
            self._within.reset(within)


async def _awaited(tool: Any, original: Callable[..., Any], args: Any, kwargs: Any) -> Any:
    own = getattr(original, "__func__", None) is getattr(type(tool), "ainvoke", original)
    if own and not inspect.iscoroutinefunction(getattr(tool, "func", None)):
        # As CrewAI does, in a thread; but in this context, so that what the tool starts knows its parent.
        return await asyncio.to_thread(type(tool).invoke, tool, *args, **kwargs)
    return await original(*args, **kwargs)


def tools_of(tool: Any) -> tuple[Any, ...]:
    """Return the objects whose bodies may be run for a call: CrewAI's own of the tool, and the user's."""
    original = getattr(tool, "_original_tool", None)
    return tuple(found for found in (tool, original) if found is not None)


def unseen(held: Held, result: Any) -> BaseException | None:
    """Return how a call ended whose body was not seen to run, such as one that CrewAI answered from its cache."""
    text = text_of(result)
    runs = [getattr(getattr(type(tool), "run", None), "__module__", _OWN_RUN) for tool in held.tools]
    if text == _UNKNOWN or (runs and set(runs) == {_OWN_RUN}):
        return asyncio.CancelledError(f"CrewAI answered without running the tool: {text[:200]}")
    # A `run` of the user's own is called without a body that we know.
    return ToolFailedError(text) if text.startswith(_NATIVE_ERROR) else None


def _bodies(tool: Any) -> tuple[str, ...]:
    """Return the names of what CrewAI calls to run a tool."""
    names = ("invoke", "ainvoke") if hasattr(tool, "invoke") else ("func",) if "func" in vars(tool) else ("_run",)
    missing = [name for name in names if not callable(getattr(tool, name, None))]
    if missing:
        logger().debug("The tool %s has no %s", text_of(getattr(tool, "name", tool)), missing)
    return tuple(name for name in names if name not in missing)


def _asked(gate: Gate) -> bool:
    """Whether a person had to decide."""
    return gate.run is not None and gate.run.decision.get("decision") == "require_approval"
