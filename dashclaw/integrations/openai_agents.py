"""OpenAI Agents SDK: the tools of agents are decided about before they run; runs, models and hand-offs are recorded."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import inspect
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Literal

from dashclaw._approval import fate, refusal
from dashclaw._call import AsyncDriver
from dashclaw._governor import Gate, Governor, message_for
from dashclaw._log import logger
from dashclaw.errors import ConfigurationError, NotFoundError

from ._framework import framework
from ._openai_tools import FLOOR, ToolGovernor, action_id_of, raised
from ._shielded import aconclude, conclude

if TYPE_CHECKING:
    from types import TracebackType

    from agents import FunctionTool as _FunctionTool
    from agents import RunHooks as _RunHooks
    from agents import function_tool as _function_tool

    from dashclaw._governor import Client

    Approvals = Literal["client", "interrupt"]
else:
    _FunctionTool, _RunHooks, _function_tool = framework(
        "openai-agents", "openai-agents", FLOOR, "agents:FunctionTool", "agents:RunHooks", "agents:function_tool"
    )


def govern_agent(agent: Any, claw: Client, *, approvals: Approvals = "client", **options: Any) -> Any:
    """Govern the tools of an agent and of all agents it can reach by hand-offs and as tools; return the agent.

    A call that must not run is answered with a message that says why; with `on_block="raise"` the run ends with
    `ToolInputGuardrailTripwireTriggered`. `approvals="interrupt"` interrupts the run while a person decides: keep its
    `RunState`, and in any process give it to `settle_approvals` and run it again. Otherwise the client's `hitl_mode`
    says whether the call waits. `options` are those of `Governor`. The log tells which tools are not governed, since
    they run at the provider.

    Raises `ConfigurationError` for an unknown `approvals`, and for "interrupt" with a client that waits by itself.
    """
    _govern(agent, _tools(claw, approvals, options), set())
    return agent


def governed_tool(tool: Any, claw: Client, *, approvals: Approvals = "client", **options: Any) -> Any:
    """Return a function, or a tool of the SDK, as a governed tool for any agent; the rest is as in `govern_agent`."""
    tools = _tools(claw, approvals, options)
    if inspect.isfunction(tool) or inspect.ismethod(tool):
        tool = _function_tool(_noting(tool))
    return tools.governed(tool, "any agent")


async def settle_approvals(state: Any, claw: Client) -> int:
    """Let a kept `RunState` go on with what people have decided; return how many of its interruptions are left.

    Those are calls that still wait, and what the program itself has to approve. Raises what `get_action` raises.
    """
    items = state.get_interruptions()
    left = len(items)
    for item in items:
        action_id = action_id_of(claw, item.agent.name, item.name, item.arguments, item.call_id or "")
        try:
            action = (await _answer(claw, action_id))["action"]
        except NotFoundError:
            continue
        if not action.get("approval") or fate(action) == "pending":
            continue
        left -= 1
        refused = refusal(action_id, action)
        if refused is None:
            state.approve(item)
        elif "rejection_message" in inspect.signature(state.reject).parameters:
            state.reject(item, rejection_message=message_for(item.name, refused))
        else:
            state.reject(item)
    return left


async def _answer(claw: Client, action_id: str) -> Any:
    if isinstance(claw, AsyncDriver):
        return await claw.get_action(action_id)
    return await asyncio.to_thread(claw.get_action, action_id)


def _tools(claw: Client, approvals: Approvals, options: dict[str, Any]) -> ToolGovernor:
    if approvals not in ("client", "interrupt"):
        raise ConfigurationError(f'approvals is "client" or "interrupt", not {approvals!r}')
    if approvals == "interrupt" and claw.hitl_mode == "wait":
        raise ConfigurationError('approvals="interrupt" needs a client with hitl_mode="off", which does not wait')
    governor = Governor(claw, **dict({"framework": "openai-agents"}, **options))
    return ToolGovernor(governor, approvals == "interrupt" and governor.mode == "enforce")


def _govern(agent: Any, tools: ToolGovernor, seen: set[int]) -> None:
    if id(agent) in seen:
        return
    seen.add(id(agent))
    for tool in agent.tools:
        nested = getattr(tool, "_agent_instance", None)
        if nested is not None:
            _govern(nested, tools, seen)
    agent.tools = [tools.governed(tool, agent.name) for tool in agent.tools]
    _listed(agent, tools)
    for target in agent.handoffs:
        if hasattr(target, "on_invoke_handoff"):
            _govern_handoff(target, tools)
        else:
            _govern(target, tools, seen)


def _listed(agent: Any, tools: ToolGovernor) -> None:
    """Govern what the agent lists for each turn: tools of MCP servers, and those that are added later."""
    kind = type(agent)
    if getattr(kind, "_dashclaw", False):
        return

    class Governed(kind):  # type: ignore[misc, valid-type]
        _dashclaw = True

        async def get_all_tools(self, run_context: Any) -> list[Any]:
            return [tools.governed(tool, self.name) for tool in await super().get_all_tools(run_context)]

    Governed.__name__, Governed.__qualname__, Governed.__module__ = kind.__name__, kind.__qualname__, kind.__module__
    # A class rather than an attribute: what `clone` copies of the agent is governed, too.
    agent.__class__ = Governed


def _govern_handoff(handoff: Any, tools: ToolGovernor) -> None:
    reach = handoff.on_invoke_handoff
    if getattr(reach, "_dashclaw", False):
        return

    @functools.wraps(reach)
    async def governed(*given: Any) -> Any:
        target = await reach(*given)
        _govern(target, tools, set())
        return target

    governed._dashclaw = True  # type: ignore[attr-defined]
    handoff.on_invoke_handoff = governed


def _noting(function: Callable[..., Any]) -> Callable[..., Any]:
    """Keep hold of what the function raises; the SDK makes a text of it."""

    @contextlib.contextmanager
    def noted() -> Iterator[None]:
        try:
            yield
        except BaseException as error:
            seen = raised.get()
            if seen is not None:
                seen.append(error)
            raise

    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def awatched(*args: Any, **kwargs: Any) -> Any:
            with noted():
                return await function(*args, **kwargs)

        return awatched

    @functools.wraps(function)
    def watched(*args: Any, **kwargs: Any) -> Any:
        with noted():
            return function(*args, **kwargs)

    return watched


class DashClawRunHooks(_RunHooks):
    """Records a run: it is an action, and its calls of models, its hand-offs and its tools are parts of it.

    Use it around one run, `with DashClawRunHooks(claw) as hooks: Runner.run_sync(agent, "…", hooks=hooks)`, or with
    `async with`; what the run raises is recorded and passed on. `options` are those of `Governor`. Nothing is stopped.
    """

    def __init__(self, claw: Client, **options: Any) -> None:
        self._governor = Governor(claw, **dict({"framework": "openai-agents"}, **options))
        self._open: dict[tuple[int, int], Gate] = {}
        self._whole: Gate | None = None
        self._entered = ExitStack()

    def __enter__(self) -> DashClawRunHooks:
        with _unbroken("a run"):
            self._whole = self._governor.note("agent.run", "Run an agent")
            self._entered.enter_context(self._whole.inside())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._entered.close()
        for gate in self._left():
            conclude(self._governor, gate, error=error)

    async def __aenter__(self) -> DashClawRunHooks:
        with _unbroken("a run"):
            self._whole = await self._governor.anote("agent.run", "Run an agent")
            self._entered.enter_context(self._whole.inside())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._entered.close()
        for gate in self._left():
            await aconclude(self._governor, gate, error=error)

    def _left(self) -> list[Gate]:
        """Return what is still open, the run itself last."""
        found = [*self._open.values(), *([self._whole] if self._whole else [])]
        self._open.clear()
        self._whole = None
        return found

    async def on_llm_start(self, context: Any, agent: Any, system_prompt: Any, input_items: Any) -> None:
        """Record the beginning of a call of a model."""
        with _unbroken("a call of a model"):
            gate = await self._governor.anote("llm.call", f"Model call of {agent.name}", model=_model(agent))
            self._open[id(context.usage), id(agent)] = gate

    async def on_llm_end(self, context: Any, agent: Any, response: Any) -> None:
        """Record the tokens of a call of a model."""
        gate = self._open.pop((id(context.usage), id(agent)), None)
        if gate is not None:
            used = response.usage
            await aconclude(
                self._governor,
                gate,
                response.output,
                tokens_in=getattr(used, "input_tokens", None),
                tokens_out=getattr(used, "output_tokens", None),
            )

    async def on_handoff(self, context: Any, from_agent: Any, to_agent: Any) -> None:
        """Record a hand-off."""
        with _unbroken("a hand-off"):
            gate = await self._governor.anote("agent.handoff", f"{from_agent.name} hands off to {to_agent.name}")
            await self._governor.afinish(gate)


def _model(agent: Any) -> str | None:
    model = agent.model
    return model if isinstance(model, str) else getattr(model, "model", None)


@contextlib.contextmanager
def _unbroken(what: str) -> Iterator[None]:
    """Log what goes wrong in here: recording must not break the run."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 - the host goes on without the record
        logger().warning("%s was not recorded", what, exc_info=error)
