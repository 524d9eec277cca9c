"""The tools of the OpenAI Agents SDK, each with a decision in front of what it does on this machine."""

from __future__ import annotations

import copy
import inspect
import json
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from hashlib import sha256
from typing import Any, NamedTuple

from dashclaw._governor import Gate, Governor
from dashclaw._log import logger
from dashclaw._tool_calls import ToolCall, arguments_of, fingerprint, text_of
from dashclaw.errors import ApprovalPendingError

from ._framework import framework
from ._shielded import aconclude, adecide

FLOOR = "0.8.0"
_FunctionTool, _Guardrail, _Verdict, _told_of = framework(
    "openai-agents",
    "openai-agents",
    FLOOR,
    "agents:FunctionTool",
    "agents:ToolInputGuardrail",
    "agents:ToolGuardrailFunctionOutput",
    "agents.tool:default_tool_error_function",
)
_MOST_KEPT = 1000
_FAILED = str(_told_of(None, Exception(""))).strip()
# What the body of a `governed_tool` raised, which the SDK turns into a text before anybody else sees it.
raised: ContextVar[list[BaseException] | None] = ContextVar("dashclaw_raised", default=None)


# A run, a tool, a call and its arguments.
Place = tuple[int, str, "str | None", str]


class ToolFailedError(Exception):
    """A tool of which only the message to the model is known."""


class _Kept(NamedTuple):
    """A decision on its way from where the SDK asks to where the tool runs; the usage object stands for the run."""

    gate: Gate
    usage: Any


class ToolGovernor:
    """Turns tools into governed copies; with `interrupts`, a call that waits for a person interrupts the run."""

    def __init__(self, governor: Governor, interrupts: bool) -> None:
        self.governor = governor
        self.interrupts = interrupts
        self._kept: OrderedDict[Place, _Kept] = OrderedDict()
        self._told: set[str] = set()

    def governed(self, tool: Any, agent: str) -> Any:
        """Return a governed copy; the tool itself where it is governed already, or runs at the provider."""
        if getattr(tool, "_dashclaw", None) is not None:
            return tool
        if isinstance(tool, _FunctionTool):
            return _Function(self, tool, agent).copy
        if callable(getattr(tool, "on_invoke_tool", None)):
            return _with(tool, on_invoke_tool=self._around(tool.name, agent, tool.on_invoke_tool, _typed))
        if callable(getattr(tool, "executor", None)):
            return _with(tool, executor=self._around(tool.name, agent, tool.executor, _commands))
        if getattr(tool, "editor", None) is not None:
            return _with(tool, editor=_Editor(self, tool, agent))
        if tool.name not in self._told:
            self._told.add(tool.name)
            logger().warning(
                "%s of %s is not governed: it does not run as a function of this program", tool.name, agent
            )
        return tool

    def call(self, tool: Any, agent: str, arguments: Any, call_id: str | None) -> ToolCall:
        """Describe a call; under its id it goes on with the approval that it asked for, in any process."""
        given = arguments_of(arguments)
        action_id = None
        if self.interrupts and call_id:
            # Providers exist whose ids of calls repeat: only where a run goes on with an approval do they matter.
            action_id = action_id_of(self.governor.claw, agent, tool.name, given, call_id)
        return ToolCall(
            tool.name,
            given,
            getattr(tool, "description", None),
            fields={"metadata": {"agent": agent}},
            action_id=action_id,
            call_id=call_id,
        )

    def keep(self, place: Place, context: Any, gate: Gate) -> None:
        """Keep a decision until the tool runs."""
        self._kept[place] = _Kept(gate, getattr(context, "usage", None))
        if len(self._kept) > _MOST_KEPT:
            self._kept.popitem(last=False)

    def taken(self, place: Place) -> Gate | None:
        """Return the decision that was kept, and forget it."""
        kept = self._kept.pop(place, None)
        return None if kept is None else kept.gate

    def stopped(self, gate: Gate) -> str:
        """Return what the model is told; raises the error instead with `on_block="raise"`."""
        if self.governor.on_block == "raise" and gate.error is not None:
            raise gate.error
        return gate.message

    async def run(self, gate: Gate, body: Callable[[], Any]) -> Any:
        """Run a tool that may run, and record how it ended."""
        token = raised.set([])
        try:
            with gate.inside():
                result = body()
                if inspect.isawaitable(result):
                    result = await result
            seen = raised.get()
        except BaseException as error:
            await aconclude(self.governor, gate, error=error)
            raise
        finally:
            raised.reset(token)
        await aconclude(self.governor, gate, result, _failure(result, seen))
        return result

    def _around(self, name: str, agent: str, function: Callable[..., Any], asked: Callable[..., Any]) -> Any:
        """Govern a function of the user that takes what the model asks for as its last argument."""

        async def governed(*given: Any) -> Any:
            described = _Named(name)
            gate = await adecide(self.governor, name, lambda: self.call(described, agent, *asked(given)))
            return await self.run(gate, lambda: function(*given)) if gate.runs else self.stopped(gate)

        return governed

    def around(self, name: str, agent: str, function: Callable[..., Any]) -> Any:
        """Govern one operation of an editor."""
        return self._around(name, agent, function, _operation)


class _Function:
    """A function tool: asked about by `needs_approval` or a guardrail of the SDK, and at the latest when it runs."""

    def __init__(self, tools: ToolGovernor, tool: Any, agent: str) -> None:
        self._tools = tools
        self._tool = tool
        self._agent = agent
        self._own = tool.needs_approval
        self.copy = copy.copy(tool)
        self._invoke = self.copy.on_invoke_tool
        self.copy.on_invoke_tool = self._governed
        guardrail = _Guardrail(guardrail_function=self._check, name="dashclaw")
        self.copy.tool_input_guardrails = [*(tool.tool_input_guardrails or []), guardrail]
        if tools.interrupts or callable(self._own):
            self.copy.needs_approval = self._needs_approval
        self.copy._dashclaw = self

    async def _needs_approval(self, context: Any, arguments: Any, call_id: str) -> bool:
        if await self._own_says(context, arguments, call_id):
            return True
        if not self._tools.interrupts:
            return False
        place, gate = await self._decided(context, arguments, call_id)
        if isinstance(gate.error, ApprovalPendingError):
            return True
        if place is not None:
            self._tools.keep(place, context, gate)
        return False

    async def _own_says(self, context: Any, arguments: Any, call_id: str) -> bool:
        """Whether the user's own setting asks for an approval that the SDK itself looks after."""
        prepare = getattr(self._invoke, "prepare_arguments", None)
        if callable(self._own) and prepare is not None:
            # The SDK does not ask a setting about arguments other than those that the tool will see.
            prepared = prepare(json.dumps(arguments), self._tool.name)
            if prepared is not None and not prepared.unchanged:
                return True
        return await _truth(self._own, context, arguments, call_id)

    async def _check(self, data: Any) -> Any:
        context = data.context
        place, gate = await self._decided(context, context.tool_arguments, context.tool_call_id)
        told = {"action_id": gate.action_id}
        if gate.runs:
            if place is not None:
                self._tools.keep(place, context, gate)
            return _Verdict.allow(told)
        if self._tools.interrupts and isinstance(gate.error, ApprovalPendingError) and self._unanswered(context):
            # The SDK can ask its guardrails before it interrupts; the tool is decided about again before it runs.
            return _Verdict.allow(told)
        told["reason"] = gate.message
        if self._tools.governor.on_block == "raise":
            return _Verdict.raise_exception(told)
        return _Verdict.reject_content(gate.message, told)

    async def _governed(self, context: Any, arguments: str) -> Any:
        _, gate = await self._decided(context, arguments, getattr(context, "tool_call_id", None))
        if not gate.runs:
            return self._tools.stopped(gate)
        return await self._tools.run(gate, lambda: self._invoke(context, arguments))

    async def _decided(self, context: Any, arguments: Any, call_id: str | None) -> tuple[Place | None, Gate]:
        place = kept = None
        try:
            run = id(getattr(context, "usage", None))
            place = (run, self._tool.name, call_id, fingerprint(arguments_of(arguments)))
            kept = self._tools.taken(place)
        except Exception as error:  # noqa: BLE001 - what was decided is only asked again
            logger().warning("%s is decided about again", self._tool.name, exc_info=error)

        def make() -> ToolCall:
            return self._tools.call(self._tool, self._agent, arguments, call_id)

        return place, kept or await adecide(self._tools.governor, self._tool.name, make)

    def _unanswered(self, context: Any) -> bool:
        status = context.get_approval_status(self._tool.name, context.tool_call_id)
        return status is None


class _Editor:
    """The editor of an `ApplyPatchTool`: each change of a file is decided about."""

    def __init__(self, tools: ToolGovernor, tool: Any, agent: str) -> None:
        for name in ("create_file", "update_file", "delete_file"):
            setattr(self, name, tools.around(name, agent, getattr(tool.editor, name)))


def action_id_of(claw: Any, agent: str, tool: str, arguments: Any, call_id: str) -> str:
    """Return the action that stands for a call, the same in every process."""
    same = json.dumps([claw.agent_id, agent, tool, call_id, fingerprint(arguments_of(arguments))])
    return f"act_{sha256(same.encode()).hexdigest()[:40]}"


class _Named(NamedTuple):
    name: str


def _with(tool: Any, **changed: Any) -> Any:
    found = copy.copy(tool)
    for name, value in changed.items():
        setattr(found, name, value)
    found._dashclaw = True
    return found


async def _truth(setting: Any, *asked: Any) -> bool:
    found = setting(*asked) if callable(setting) else setting
    return bool(await found if isinstance(found, Awaitable) else found)


def _typed(given: tuple[Any, ...]) -> tuple[Any, str | None]:
    return {"input": given[-1]}, getattr(given[0], "tool_call_id", None)


def _commands(given: tuple[Any, ...]) -> tuple[Any, str | None]:
    data = given[-1].data
    action = data.action
    commands = getattr(action, "commands", None)
    return {"command": action.command if commands is None else commands}, data.call_id


def _operation(given: tuple[Any, ...]) -> tuple[Any, str | None]:
    operation = given[-1]
    return {"path": operation.path, "diff": operation.diff}, None


def _failure(result: Any, seen: list[BaseException] | None) -> BaseException | None:
    """Return what went wrong in a tool whose failure the SDK has turned into a text for the model."""
    if seen:
        return seen[-1]
    failed = isinstance(result, str) and result.startswith(_FAILED)
    return ToolFailedError(text_of(result)) if failed else None
