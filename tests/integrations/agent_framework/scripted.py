"""A chat client that says what the test wants."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

from agent_framework import (
    BaseChatClient,
    ChatMiddlewareLayer,
    ChatResponse,
    ChatResponseUpdate,
    Content,
    FunctionInvocationLayer,
    Message,
    ResponseStream,
)

TOKENS_IN, TOKENS_OUT = 11, 7
USED: Any = {
    "input_token_count": TOKENS_IN,
    "output_token_count": TOKENS_OUT,
    "total_token_count": TOKENS_IN + TOKENS_OUT,
}


def call(name: str, call_id: str = "call_1", **arguments: Any) -> Content:
    """Return a model's wish to call a function."""
    return Content.from_function_call(call_id=call_id, name=name, arguments=json.dumps(arguments))


class Scripted(FunctionInvocationLayer, ChatMiddlewareLayer, BaseChatClient):  # type: ignore[misc]
    """Answers with these contents, texts, or lists of them, and raises errors among them."""

    def __init__(self, *steps: Any) -> None:
        super().__init__()
        self.steps = list(steps)
        self.given: list[Any] = []

    def told(self) -> str:
        """Return what the model got to read, in its last call."""
        return json.dumps([message.to_dict() for message in self.given[-1]], default=str)

    def _next(self, messages: Any) -> list[Content]:
        self.given.append(list(messages))
        step = self.steps.pop(0)
        if isinstance(step, Exception):
            raise step
        listed = step if isinstance(step, list) else [step]
        return [Content.from_text(part) if isinstance(part, str) else part for part in listed]

    def _inner_get_response(self, *, messages: Any, stream: bool = False, options: Any = None, **_: Any) -> Any:
        async def whole() -> ChatResponse:
            answer = Message("assistant", self._next(messages))
            return ChatResponse(messages=[answer], usage_details=USED)

        async def parts() -> Any:
            for part in self._next(messages):
                yield ChatResponseUpdate(contents=[part], role="assistant")
            yield ChatResponseUpdate(contents=[Content.from_usage(USED)], role="assistant")

        return ResponseStream(parts(), finalizer=ChatResponse.from_updates) if stream else whole()


def run(agent: Any, given: Any = "go", **options: Any) -> Any:
    """Run an agent."""
    return asyncio.run(agent.run(given, **options))


def run_streamed(agent: Any, given: Any = "go", **options: Any) -> Any:
    """Run an agent and take what it streams."""

    async def taken() -> Any:
        stream = agent.run(given, stream=True, **options)
        async for _ in stream:
            pass
        return await stream.get_final_response()

    return asyncio.run(taken())


WAYS: dict[str, Callable[..., Any]] = {"run": run, "run_streamed": run_streamed}
