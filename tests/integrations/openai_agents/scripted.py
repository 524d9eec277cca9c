"""A model that says what the test wants: the SDK's own where it has one, ours for older versions."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Callable
from types import SimpleNamespace
from typing import Any

os.environ["OPENAI_AGENTS_DISABLE_TRACING"] = "1"
os.environ.pop("OPENAI_API_KEY", None)

from agents import Model, ModelResponse, Runner, Usage
from openai.types.responses import (
    Response,
    ResponseCompletedEvent,
    ResponseFunctionToolCall,
    ResponseOutputMessage,
    ResponseOutputText,
    ResponseUsage,
)
from openai.types.responses.response_usage import InputTokensDetails, OutputTokensDetails

try:
    from agents.testing import ModelStep, ScriptedModel
except ImportError:
    ModelStep = ScriptedModel = None  # type: ignore[assignment, misc]

TOKENS_IN, TOKENS_OUT = 11, 7


def call(name: str, call_id: str = "call_1", **arguments: Any) -> Any:
    """Return a model's wish to call a tool."""
    return ResponseFunctionToolCall(
        id=call_id, call_id=call_id, type="function_call", name=name, arguments=json.dumps(arguments)
    )


def text(said: str) -> Any:
    """Return a model's message."""
    content = [ResponseOutputText(text=said, type="output_text", annotations=[])]
    return ResponseOutputMessage(id="msg_1", type="message", role="assistant", status="completed", content=content)


def model(*steps: Any) -> Any:
    """Return a model that answers with these items, or lists of them, and raises errors among them."""
    listed = [step if isinstance(step, (list, Exception)) else [step] for step in steps]
    if ScriptedModel is None:
        return _Scripted(listed)
    return ScriptedModel(
        [step if isinstance(step, Exception) else ModelStep(output=step, usage=_usage()) for step in listed]
    )


def told(found: Any) -> str:
    """Return what the model got to read, in its last call."""
    return json.dumps(found.calls[-1].input, default=str)


def _usage() -> Usage:
    return Usage(requests=1, input_tokens=TOKENS_IN, output_tokens=TOKENS_OUT, total_tokens=TOKENS_IN + TOKENS_OUT)


def _input(places: Any, named: Any) -> Any:
    return named["input"] if "input" in named else places[1]


class _Scripted(Model):
    def __init__(self, steps: list[Any]) -> None:
        self.steps = steps
        self.calls: list[Any] = []

    def _next(self, given: Any) -> list[Any]:
        self.calls.append(SimpleNamespace(input=json.loads(json.dumps(given, default=str))))
        step = self.steps.pop(0)
        if isinstance(step, Exception):
            raise step
        return list(step)

    async def get_response(self, *places: Any, **named: Any) -> ModelResponse:
        return ModelResponse(output=self._next(_input(places, named)), usage=_usage(), response_id=None)

    async def stream_response(self, *places: Any, **named: Any) -> AsyncIterator[Any]:
        yield ResponseCompletedEvent(
            type="response.completed",
            sequence_number=0,
            response=Response(
                id="resp_1",
                created_at=0,
                model="scripted",
                object="response",
                output=self._next(_input(places, named)),
                parallel_tool_calls=False,
                tool_choice="auto",
                tools=[],
                usage=ResponseUsage(
                    input_tokens=TOKENS_IN,
                    output_tokens=TOKENS_OUT,
                    total_tokens=TOKENS_IN + TOKENS_OUT,
                    input_tokens_details=InputTokensDetails(cached_tokens=0, cache_write_tokens=0),
                    output_tokens_details=OutputTokensDetails(reasoning_tokens=0),
                ),
            ),
        )


def run(agent: Any, given: Any = "go", **options: Any) -> Any:
    """Run an agent."""
    return asyncio.run(Runner.run(agent, given, **options))


def run_sync(agent: Any, given: Any = "go", **options: Any) -> Any:
    """Run an agent without a loop."""
    return Runner.run_sync(agent, given, **options)


def run_streamed(agent: Any, given: Any = "go", **options: Any) -> Any:
    """Run an agent and take what it streams."""

    async def taken() -> Any:
        result = Runner.run_streamed(agent, given, **options)
        async for _ in result.stream_events():
            pass
        return result

    return asyncio.run(taken())


WAYS: dict[str, Callable[..., Any]] = {"run": run, "run_sync": run_sync, "run_streamed": run_streamed}
