"""Microsoft Agent Framework: function calls are decided about before they run, calls of models are recorded."""

from __future__ import annotations

import json
import sys
from collections.abc import Awaitable, Callable
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Literal

from dashclaw._governor import Gate, Governor
from dashclaw._log import logger
from dashclaw._tool_calls import ToolCall, arguments_of, fingerprint, plain
from dashclaw.errors import ApprovalPendingError, ConfigurationError

from ._framework import framework
from ._shielded import aconclude, adecide

if TYPE_CHECKING:
    from agent_framework import ChatMiddleware as _ChatMiddleware
    from agent_framework import Content as _Content
    from agent_framework import FunctionMiddleware as _FunctionMiddleware
    from agent_framework import MiddlewareTermination as _Termination
    from agent_framework import UserInputRequiredException as _InputRequired

    from dashclaw._governor import Client

    Next = Callable[[], Awaitable[None]]
else:
    _FunctionMiddleware, _ChatMiddleware, _Content, _Termination, _InputRequired = framework(
        "agent-framework",
        "agent-framework-core",
        "1.3.0",
        "agent_framework:FunctionMiddleware",
        "agent_framework:ChatMiddleware",
        "agent_framework:Content",
        "agent_framework:MiddlewareTermination",
        "agent_framework:UserInputRequiredException",
    )


class DashClawFunctionMiddleware(_FunctionMiddleware):
    """Decides about each function call; one that must not run is answered with a message that says why.

    With `on_block="raise"` the agent's run ends with `MiddlewareFailure` instead, caused by the `Verdict`; before 1.15
    the framework has no such end. `approvals="interrupt"` ends the run with a request of the framework's own while a
    person decides: once that was done, answer it with `approved=True`, in any process. Such an answer does not stand
    for the decision. Otherwise the client's `hitl_mode` says whether the call waits. `options` are those of `Governor`.

    Raises `ConfigurationError` for an unknown `approvals`, for "interrupt" with a client that waits by itself, and for
    `on_block="raise"` with a framework that does not know it.
    """

    def __init__(self, claw: Client, *, approvals: Literal["client", "interrupt"] = "client", **options: Any) -> None:
        if approvals not in ("client", "interrupt"):
            raise ConfigurationError(f'approvals is "client" or "interrupt", not {approvals!r}')
        if approvals == "interrupt" and claw.hitl_mode == "wait":
            raise ConfigurationError('approvals="interrupt" needs a client with hitl_mode="off", which does not wait')
        self._governor = Governor(claw, **dict({"framework": "agent-framework"}, **options))
        self._interrupts = approvals == "interrupt" and self._governor.mode == "enforce"
        self._failure = _failure() if self._governor.on_block == "raise" else None

    async def process(self, context: Any, call_next: Next) -> None:
        """Run the function if it may run."""
        tool = context.function.name
        gate = await adecide(self._governor, tool, lambda: self._call(context))
        if not gate.runs:
            self._stop(context, gate)
            return
        try:
            with gate.inside():
                await call_next()
        except (_Termination, _InputRequired):
            # Ways of other middleware and of nested agents to end a call, not failures of it.
            await aconclude(self._governor, gate)
            raise
        except BaseException as error:
            await aconclude(self._governor, gate, error=error)
            raise
        await aconclude(self._governor, gate, **_told(lambda: {"output": _shown(context.result)}))

    def _call(self, context: Any) -> ToolCall:
        arguments = arguments_of(plain(context.arguments))
        action_id, call_id = None, context.metadata.get("call_id")
        if self._interrupts and call_id:
            same = json.dumps([self._governor.claw.agent_id, context.function.name, call_id, fingerprint(arguments)])
            action_id = f"act_{sha256(same.encode()).hexdigest()[:40]}"
        return ToolCall(
            context.function.name,
            arguments,
            context.function.description,
            session_id=getattr(context.session, "session_id", None),
            action_id=action_id,
            call_id=call_id,
        )

    def _stop(self, context: Any, gate: Gate) -> None:
        call_id = context.metadata.get("call_id")
        answered = context.metadata.get("approval_response") is not None
        if self._interrupts and isinstance(gate.error, ApprovalPendingError) and call_id and not answered:
            context.result = _request(context, call_id, gate)
            return
        if self._failure is not None:
            raise self._failure(gate.message) from gate.error
        context.result = gate.message


class DashClawChatMiddleware(_ChatMiddleware):
    """Records each call of a model with its tokens and errors; nothing is stopped. `options` as in `Governor`."""

    def __init__(self, claw: Client, **options: Any) -> None:
        self._governor = Governor(claw, **dict({"framework": "agent-framework"}, **options))

    async def process(self, context: Any, call_next: Next) -> None:
        """Call the model."""
        gate = await self._noted(context)
        try:
            await call_next()
        except BaseException as error:
            await aconclude(self._governor, gate, error=error)
            raise
        if context.stream and context.result is not None:
            self._follow(context.result, gate)
        else:
            await self._ended(gate, context.result)

    async def _noted(self, context: Any) -> Gate:
        try:
            model = (context.options or {}).get("model") or getattr(context.client, "model", None)
            return await self._governor.anote("llm.call", f"Model call of {type(context.client).__name__}", model=model)
        except Exception as error:  # noqa: BLE001 - the host goes on without the record
            logger().warning("A call of a model was not recorded", exc_info=error)
            return Gate(None)

    async def _ended(self, gate: Gate, response: Any) -> None:
        await aconclude(self._governor, gate, **_told(lambda: _usage(response)))

    def _follow(self, stream: Any, gate: Gate) -> None:
        """Record the end of a stream, whichever way it ends."""

        async def finished(response: Any) -> Any:
            await self._ended(gate, response)
            return response

        async def left() -> None:
            # Runs while the error is handled that ended the stream; its regular end comes as one, too.
            error = sys.exc_info()[1]
            if error is not None and not isinstance(error, StopAsyncIteration):
                await aconclude(self._governor, gate, error=error)

        stream.with_result_hook(finished)
        stream.with_cleanup_hook(left)


def dashclaw_middleware(claw: Client, **options: Any) -> list[Any]:
    """Return the middleware for `Agent(middleware=[...])`: functions are decided about, models recorded.

    `options` are those of `DashClawFunctionMiddleware`.
    """
    recorded = {name: value for name, value in options.items() if name in ("mode", "record_output", "fields")}
    return [DashClawFunctionMiddleware(claw, **options), DashClawChatMiddleware(claw, **recorded)]


def _request(context: Any, call_id: str, gate: Gate) -> Any:
    """Return the framework's request for an approval, bound to the call as the framework knows it."""
    call = _Content.from_function_call(call_id, context.function.name, arguments=arguments_of(plain(context.arguments)))
    occurrence = context.metadata.get("function_call_occurrence_id")
    if occurrence:
        call.id = occurrence
    named = {"dashclaw_action_id": gate.action_id}
    return _Content.from_function_approval_request(occurrence or call_id, call, additional_properties=named)


def _failure() -> Any:
    import agent_framework

    found = getattr(agent_framework, "MiddlewareFailure", None)
    if found is None:
        raise ConfigurationError('on_block="raise" needs agent-framework-core 1.15.0 or newer')
    return found


def _told(read: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Return what is known of how a call ended; what cannot be read is left out."""
    try:
        return read()
    except Exception as error:  # noqa: BLE001 - the call has happened, only its record is incomplete
        logger().warning("The end of a call is recorded without its details", exc_info=error)
        return {}


def _usage(response: Any) -> dict[str, Any]:
    used = getattr(response, "usage_details", None) or {}
    return {
        "output": getattr(response, "text", None),
        "tokens_in": used.get("input_token_count"),
        "tokens_out": used.get("output_token_count"),
        "model": getattr(response, "model", None),
    }


def _shown(result: Any) -> Any:
    """Return what a function gave: its texts, where the framework has made contents of it."""
    if isinstance(result, list) and all(hasattr(part, "text") for part in result):
        return "".join(part.text or "" for part in result)
    return result
