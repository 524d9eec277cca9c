"""Middleware for the agents of LangChain 1.0 and newer, and for `ToolNode` of LangGraph."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Literal

from dashclaw._governor import Gate, Governor
from dashclaw._tool_calls import ToolCall, arguments_of, fingerprint, summary
from dashclaw.errors import ApprovalPendingError, ConfigurationError

from ._framework import framework
from ._langchain_runs import Passed, ended_by, passed, session_of, told_by
from ._shielded import aconclude, adecide, conclude, decide

if TYPE_CHECKING:
    from langchain.agents.middleware import AgentMiddleware as _Middleware
    from langchain_core.messages import ToolMessage as _ToolMessage
    from langgraph.types import interrupt as _interrupt

    from dashclaw._governor import Client
else:
    _Middleware, _ToolMessage, _interrupt = framework(
        "langchain-agents",
        "langchain",
        "1.0.0",
        "langchain.agents.middleware:AgentMiddleware",
        "langchain_core.messages:ToolMessage",
        "langgraph.types:interrupt",
    )
_CHECKPOINTER = "__pregel_checkpointer"


class DashClawMiddleware(_Middleware):
    """Decides about each tool call of an agent; a call that must not run becomes a message that says why.

    `options` are those of `Governor`. With `on_block="raise"` the agent's run ends with the `Verdict` instead.
    `approvals="interrupt"` interrupts the graph while a person decides, where it has a checkpointer: resume the thread,
    with any value and in any process, once the approval was given; a value does not approve. Otherwise the
    client's `hitl_mode` says whether the call waits.

    Raises `ConfigurationError` for an unknown `approvals`, and for "interrupt" with a client that waits by itself.
    """

    def __init__(self, claw: Client, *, approvals: Literal["client", "interrupt"] = "client", **options: Any) -> None:
        super().__init__()
        if approvals not in ("client", "interrupt"):
            raise ConfigurationError(f'approvals is "client" or "interrupt", not {approvals!r}')
        if approvals == "interrupt" and claw.hitl_mode == "wait":
            raise ConfigurationError('approvals="interrupt" needs a client with hitl_mode="off", which does not wait')
        self._governor = Governor(claw, **dict({"framework": "langchain"}, **options))
        self._interrupts = approvals == "interrupt"

    def wrap_tool_call(self, request: Any, handler: Callable[[Any], Any]) -> Any:
        """Run the tool if it may run."""
        tool = request.tool_call["name"]
        gate = decide(self._governor, tool, lambda: self._call(request))
        while self._waits(request, gate):
            _interrupt(_question(request, gate))
            gate = decide(self._governor, tool, lambda: self._call(request))
        if not gate.runs:
            return self._stopped(request, gate)
        try:
            with self._inside(request, gate):
                result = handler(request)
        except BaseException as error:
            conclude(self._governor, gate, error=ended_by(error))
            raise
        output, failure = told_by(result)
        conclude(self._governor, gate, output, failure)
        return result

    async def awrap_tool_call(self, request: Any, handler: Callable[[Any], Awaitable[Any]]) -> Any:
        """Run the tool if it may run."""
        tool = request.tool_call["name"]
        gate = await adecide(self._governor, tool, lambda: self._call(request))
        while self._waits(request, gate):
            _interrupt(_question(request, gate))
            gate = await adecide(self._governor, tool, lambda: self._call(request))
        if not gate.runs:
            return self._stopped(request, gate)
        try:
            with self._inside(request, gate):
                result = await handler(request)
        except BaseException as error:
            await aconclude(self._governor, gate, error=ended_by(error))
            raise
        output, failure = told_by(result)
        await aconclude(self._governor, gate, output, failure)
        return result

    def _call(self, request: Any) -> ToolCall:
        call = request.tool_call
        found = ToolCall(
            call["name"],
            arguments_of(call["args"]),
            getattr(request.tool, "description", None),
            session_id=session_of(_configurable(request)),
            call_id=call["id"],
        )
        return found._replace(action_id=_same_again(request, found)) if self._can_interrupt(request) else found

    def _can_interrupt(self, request: Any) -> bool:
        return self._interrupts and _configurable(request).get(_CHECKPOINTER) is not None

    def _waits(self, request: Any, gate: Gate) -> bool:
        return isinstance(gate.error, ApprovalPendingError) and self._can_interrupt(request)

    def _stopped(self, request: Any, gate: Gate) -> Any:
        if self._governor.on_block == "raise" and gate.error is not None:
            raise gate.error
        call = request.tool_call
        return _ToolMessage(gate.message, tool_call_id=call["id"], name=call["name"], status="error")

    def _inside(self, request: Any, gate: Gate) -> ExitStack:
        """Let what the tool calls name this call as its parent, and the callback handler know that it was decided."""
        call = request.tool_call
        stack = ExitStack()
        stack.enter_context(gate.inside())
        token = passed.set(Passed(self._governor, gate, call["name"], call["args"]))
        stack.callback(passed.reset, token)
        return stack


def _configurable(request: Any) -> Any:
    config = getattr(request.runtime, "config", None) or {}
    return config.get("configurable") or {}


def _same_again(request: Any, call: ToolCall) -> str:
    """Return an id that is the same when the graph makes this call again after an interruption, and no other has."""
    place = _configurable(request)
    parts = (place.get("thread_id"), place.get("checkpoint_ns"), request.tool_call["id"], call.tool)
    return "act_" + sha256(repr((*map(str, parts), fingerprint(call.arguments))).encode()).hexdigest()[:40]


def _question(request: Any, gate: Gate) -> dict[str, Any]:
    """Return what the host gets to see of the interruption."""
    return {
        "type": "dashclaw_approval",
        "action_id": gate.action_id,
        "tool": request.tool_call["name"],
        "arguments": summary(request.tool_call["args"]),
        "message": str(gate.error),
    }
