"""A model of CrewAI that says what a test wrote down, and crews around it."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable
from typing import Any

from crewai import Agent, BaseLLM, Crew, Task
from crewai.events.types.llm_events import LLMCallType
from crewai.llms.base_llm import llm_call_context
from crewai.tools import BaseTool, tool
from pydantic import PrivateAttr

USAGE = {"prompt_tokens": 10, "completion_tokens": 4, "total_tokens": 14}
# How agents call tools: in the text of an answer, or as calls of the model's interface.
PATHS = {"react": False, "native": True}
WAYS: dict[str, Callable[[Crew], Any]] = {
    "kickoff": lambda crew: crew.kickoff(),
    "akickoff": lambda crew: asyncio.run(crew.akickoff()),
}


class Call:
    """An answer that calls a tool."""

    def __init__(self, name: str, **arguments: Any) -> None:
        self.name, self.arguments = name, arguments


class Scripted(BaseLLM):
    """Says one answer after another, the last one again and again; an error is raised."""

    _native: bool = PrivateAttr(default=False)
    _answers: list[Any] = PrivateAttr(default_factory=list)
    _seen: list[Any] = PrivateAttr(default_factory=list)
    _lock: Any = PrivateAttr(default_factory=threading.Lock)

    def script(self, native: bool, *answers: Any) -> Scripted:
        """Set what it says, and how it calls tools."""
        self._native, self._answers = native, list(answers)
        return self

    @property
    def told(self) -> str:
        """What the model was told last, as text."""
        last = self._seen[-1]
        return str(last if isinstance(last, str) else last[-2:])

    def supports_function_calling(self) -> bool:
        return self._native

    def call(
        self,
        messages: Any,
        tools: Any = None,
        callbacks: Any = None,
        available_functions: Any = None,
        from_task: Any = None,
        from_agent: Any = None,
        response_model: Any = None,
    ) -> Any:
        with self._lock:
            # CrewAI goes on with the same list.
            self._seen.append(messages if isinstance(messages, str) else list(messages))
            answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        with llm_call_context():
            return self._answered(answer, messages, from_task, from_agent)

    def _answered(self, answer: Any, messages: Any, from_task: Any, from_agent: Any) -> Any:
        self._emit_call_started_event(messages=messages, from_task=from_task, from_agent=from_agent)
        if isinstance(answer, Exception):
            self._emit_call_failed_event(error=str(answer), from_task=from_task, from_agent=from_agent)
            raise answer
        said = self._said(answer)
        self._track_token_usage_internal(USAGE)
        self._emit_call_completed_event(
            response=said,
            call_type=LLMCallType.LLM_CALL,
            from_task=from_task,
            from_agent=from_agent,
            messages=messages,
            usage=USAGE,
        )
        return said

    async def acall(self, *args: Any, **kwargs: Any) -> Any:
        return self.call(*args, **kwargs)

    def _said(self, answer: Any) -> Any:
        if self._native:
            calls = answer if isinstance(answer, list) else [answer]
            if not isinstance(calls[0], Call):
                return answer
            return [
                {
                    "id": f"call_{place}",
                    "type": "function",
                    "function": {"name": call.name, "arguments": json.dumps(call.arguments)},
                }
                for place, call in enumerate(calls)
            ]
        if isinstance(answer, Call):
            return f"Thought: I need it\nAction: {answer.name}\nAction Input: {json.dumps(answer.arguments)}\n"
        return f"Thought: I now know\nFinal Answer: {answer}"


def model(native: bool, *answers: Any, name: str = "fake-1") -> Scripted:
    """Return a model that says this."""
    return Scripted(model=name).script(native, *answers)


def function_tool(name: str, body: Callable[..., Any], asynchronous: bool = False) -> BaseTool:
    """Return a tool as most people write one."""
    if asynchronous:

        @tool(name)
        async def astep(to: str) -> str:
            """Do it."""
            return str(body(to))

        return astep

    @tool(name)
    def step(to: str) -> str:
        """Do it."""
        return str(body(to))

    return step


class ClassTool(BaseTool):
    """A tool as a class of the user's."""

    name: str = "class_tool"
    description: str = "Do it."
    _body: Any = PrivateAttr(default=None)

    def _run(self, to: str) -> str:
        return str(self._body(to))


def class_tool(name: str, body: Callable[..., Any]) -> BaseTool:
    """Return a tool that is an object of a class."""
    made = ClassTool(name=name)
    made._body = body
    return made


KINDS: dict[str, Callable[..., BaseTool]] = {"function": function_tool, "class": class_tool}


def agent_of(llm: Scripted, *tools: BaseTool, role: str = "worker", **options: Any) -> Agent:
    """Return an agent."""
    options.setdefault("max_iter", 6)
    return Agent(role=role, goal="g", backstory="b", llm=llm, tools=list(tools), verbose=False, **options)


def crew_of(*agents: Agent, **options: Any) -> Crew:
    """Return a crew with a task for its first agent."""
    task = Task(description="do the thing", expected_output="text", agent=agents[0])
    return Crew(agents=list(agents), tasks=[task], verbose=False, **options)
