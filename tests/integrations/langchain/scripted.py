"""A chat model that says what a test tells it to, and ways to call anything of LangChain."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from typing import Any

from langchain_core.language_models import BaseChatModel, BaseLLM
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult, Generation, LLMResult
from pydantic import PrivateAttr


def usage(read: int, written: int) -> dict[str, Any]:
    return {"input_tokens": read, "output_tokens": written, "total_tokens": read + written}


def says(text: str, read: int = 7, written: int = 2) -> AIMessage:
    return AIMessage(text, usage_metadata=usage(read, written), response_metadata={"model_name": "scripted-1"})


def calls(tool: str, read: int = 11, written: int = 3, call_id: str = "call_1", **arguments: Any) -> AIMessage:
    return AIMessage(
        "",
        tool_calls=[{"name": tool, "args": arguments, "id": call_id}],
        usage_metadata=usage(read, written),
        response_metadata={"model_name": "scripted-1"},
    )


class Scripted(BaseChatModel):
    """Answers with `script`, in order; an exception in it is raised. Streams in chunks, the usage in the last."""

    script: list[Any]
    _at: int = PrivateAttr(0)
    _lock: Any = PrivateAttr(default_factory=threading.Lock)

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def bind_tools(self, tools: Any, **kwargs: Any) -> Any:
        return self

    def _next(self, messages: list[Any]) -> Any:
        with self._lock:
            found = self.script[self._at]
            self._at += 1
        if callable(found):
            found = found(messages)
        if isinstance(found, BaseException):
            raise found
        return found

    def _generate(self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> ChatResult:
        return ChatResult(generations=[ChatGeneration(message=self._next(messages))])

    def _stream(
        self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> Iterator[ChatGenerationChunk]:
        found = self._next(messages)
        for letter in found.content:
            yield ChatGenerationChunk(message=AIMessageChunk(letter))
        pieces = [
            {"name": call["name"], "args": _json(call["args"]), "id": call["id"], "index": place}
            for place, call in enumerate(found.tool_calls)
        ]
        last = AIMessageChunk(
            "",
            tool_call_chunks=pieces,
            usage_metadata=found.usage_metadata,
            response_metadata=found.response_metadata,
        )
        yield ChatGenerationChunk(message=last)


class Completing(BaseLLM):
    """A model of the older kind, which tells its tokens beside the text."""

    @property
    def _llm_type(self) -> str:
        return "completing"

    def _generate(self, prompts: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> LLMResult:
        told = {"token_usage": {"prompt_tokens": 21, "completion_tokens": 5}, "model_name": "completing-1"}
        return LLMResult(generations=[[Generation(text="done")] for _ in prompts], llm_output=told)


def _json(value: Any) -> str:
    import json

    return json.dumps(value)


async def _all(stream: Any) -> list[Any]:
    return [item async for item in stream]


WAYS: dict[str, Callable[[Any, Any, Any], Any]] = {
    "invoke": lambda thing, given, config: thing.invoke(given, config),
    "ainvoke": lambda thing, given, config: asyncio.run(thing.ainvoke(given, config)),
    "stream": lambda thing, given, config: list(thing.stream(given, config)),
    "astream": lambda thing, given, config: asyncio.run(_all(thing.astream(given, config))),
    "batch": lambda thing, given, config: thing.batch([given], config)[0],
    "abatch": lambda thing, given, config: asyncio.run(thing.abatch([given], config))[0],
}
