"""LangChain: tool calls are decided about before they run, and calls of models are recorded.

`DashClawCallbackHandler` goes into `config={"callbacks": [...]}` of anything in LangChain or LangGraph;
`DashClawMiddleware` into `create_agent(..., middleware=[...])`, where the model is told why a tool did not run.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from uuid import UUID

from dashclaw._governor import Gate, Governor
from dashclaw._tool_calls import ToolCall, arguments_of
from dashclaw.errors import ConfigurationError

from ._framework import framework
from ._langchain_runs import Open, OpenRuns, ended_by, passed, session_of, told_by, usage_in
from ._shielded import conclude, failed, harmless

if TYPE_CHECKING:
    from langchain_core.callbacks import BaseCallbackHandler as _Handler

    from dashclaw._governor import Client

    from .langchain_agents import DashClawMiddleware
else:
    (_Handler,) = framework("langchain", "langchain-core", "0.3.40", "langchain_core.callbacks:BaseCallbackHandler")

__all__ = ["DashClawCallbackHandler", "DashClawMiddleware"]

_RETRY = "retry:attempt:"


def __getattr__(name: str) -> Any:
    if name == "DashClawMiddleware":
        from .langchain_agents import DashClawMiddleware

        return DashClawMiddleware
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


class DashClawCallbackHandler(_Handler):
    """Stops tool calls that must not run by raising a `Verdict`, and records calls of tools and models.

    One handler serves invoke, ainvoke, stream and batch, at the same time. `options` are those of `Governor`;
    `on_block` can only be "raise", because a callback has no value to return for a tool.
    """

    # Without it LangChain logs the verdict and runs the tool.
    raise_error = True
    # An asynchronous handler would not be waited for by tools that are run synchronously.
    run_inline = False

    def __init__(self, claw: Client, **options: Any) -> None:
        if options.setdefault("on_block", "raise") != "raise":
            raise ConfigurationError('A callback cannot return for a tool: on_block="return" needs DashClawMiddleware')
        self._governor = Governor(claw, **dict({"framework": "langchain"}, **options))
        self._open = OpenRuns()

    def on_tool_start(
        self,
        serialized: Mapping[str, Any] | None,
        input_str: str,
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        metadata: Mapping[str, Any] | None = None,
        inputs: Any = None,
        **_: Any,
    ) -> None:
        """Decide about the call; raises a `Verdict` or another `DashClawError` when the tool must not run."""
        tool = str((serialized or {}).get("name") or "tool")
        try:
            gate = self._decided(tool, serialized or {}, input_str, run_id, parent_run_id, metadata, inputs)
        except Exception as error:  # noqa: BLE001 - turned into a refusal, or logged where nothing may be stopped
            gate = failed(self._governor, tool, error)
        if gate.error is not None:
            raise gate.error

    @harmless
    def on_tool_end(self, output: Any, *, run_id: UUID, **_: Any) -> None:
        """Record what the tool gave back."""
        run = self._open.ended(run_id)
        if run is not None and run.gate is not None:
            content, error = told_by(output)
            conclude(self._governor, run.gate, content, error)

    @harmless
    def on_tool_error(self, error: BaseException, *, run_id: UUID, **_: Any) -> None:
        """Record that the tool failed."""
        run = self._open.ended(run_id)
        if run is not None and run.gate is not None:
            conclude(self._governor, run.gate, error=ended_by(error))

    @harmless
    def on_llm_start(
        self,
        serialized: Mapping[str, Any] | None,
        prompts: Any,
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        tags: list[str] | None = None,
        metadata: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Record that a model is called; prompts are not kept."""
        told, params = metadata or {}, kwargs.get("invocation_params") or {}
        model = told.get("ls_model_name") or params.get("model") or params.get("model_name")
        shown = model or (serialized or {}).get("name") or params.get("_type") or "a model"
        attempts = [tag[len(_RETRY) :] for tag in tags or () if tag.startswith(_RETRY)]
        fields = {
            "model": model,
            "parent_action_id": self._open.action_of(parent_run_id),
            "session_id": session_of(metadata),
            "risk_score": 0,
        }
        more = {"provider": told.get("ls_provider"), "attempt": int(attempts[-1]) if attempts else None}
        gate = self._governor.note(
            "llm.call",
            f"Call the model {shown}",
            metadata=more,
            **{name: value for name, value in fields.items() if value is not None},
        )
        self._open.begun(run_id, Open(gate.action_id or self._open.action_of(parent_run_id), gate, model))

    def on_chat_model_start(self, serialized: Mapping[str, Any] | None, messages: Any, **kwargs: Any) -> None:
        """Record that a chat model is called."""
        self.on_llm_start(serialized, messages, **kwargs)

    @harmless
    def on_retry(self, retry_state: Any, *, run_id: UUID, **_: Any) -> None:
        """Note that a model is asked once more."""
        run = self._open.find(run_id)
        if run is not None and run.gate is not None and run.gate.run is not None:
            run.gate.run.set(metadata={"retries": int(retry_state.attempt_number)})

    @harmless
    def on_llm_end(self, response: Any, *, run_id: UUID, **_: Any) -> None:
        """Record the tokens that the model reports."""
        run = self._open.ended(run_id)
        if run is not None and run.gate is not None:
            conclude(self._governor, run.gate, **usage_in(response, run.model))

    @harmless
    def on_llm_error(self, error: BaseException, *, run_id: UUID, **_: Any) -> None:
        """Record that the model failed."""
        run = self._open.ended(run_id)
        if run is not None and run.gate is not None:
            conclude(self._governor, run.gate, error=error)

    @harmless
    def on_chain_start(
        self, serialized: Any, inputs: Any, *, run_id: UUID, parent_run_id: UUID | None = None, **_: Any
    ) -> None:
        """Remember which action the parts of a chain belong to."""
        parent = self._open.action_of(parent_run_id)
        if parent is not None:
            self._open.begun(run_id, Open(parent))

    @harmless
    def on_chain_end(self, outputs: Any, *, run_id: UUID, **_: Any) -> None:
        """Forget the chain."""
        self._open.ended(run_id)

    @harmless
    def on_chain_error(self, error: BaseException, *, run_id: UUID, **_: Any) -> None:
        """Forget the chain."""
        self._open.ended(run_id)

    on_retriever_start, on_retriever_end, on_retriever_error = on_chain_start, on_chain_end, on_chain_error

    def _decided(
        self,
        tool: str,
        known: Mapping[str, Any],
        text: str,
        run_id: UUID,
        parent: UUID | None,
        metadata: Mapping[str, Any] | None,
        inputs: Any,
    ) -> Gate:
        before = passed.get()
        if before is not None and before.take(self._governor, tool, inputs):
            self._open.begun(run_id, Open(before.gate.action_id))
            return before.gate
        call = ToolCall(
            tool,
            arguments_of(text if inputs is None else inputs),
            known.get("description"),
            session_id=session_of(metadata),
            parent_action_id=self._open.action_of(parent),
        )
        gate = self._governor.start(call)
        if gate.runs:
            self._open.begun(run_id, Open(gate.action_id, gate))
        return gate
