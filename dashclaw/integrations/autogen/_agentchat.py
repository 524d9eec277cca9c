"""AutoGen AgentChat (`autogen_agentchat`): assistants, agents that run code, and teams of them."""

from __future__ import annotations

import contextlib
import functools
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable
from contextvars import ContextVar
from typing import Any

from dashclaw._governor import Gate
from dashclaw._tool_calls import ToolCall
from dashclaw.errors import ConfigurationError, DashClawError

from .._framework import framework
from ._calls import CHAT, CODE, MODEL, TURN, Calls, Note, ToolFailed, inside, stepped
from ._patches import Patches, StandIn

_FLOOR = "0.4.9"
# After these nothing of the turn runs any more that raising would leave behind.
_TOOLS_OVER = frozenset({"ToolCallExecutionEvent", "CodeExecutionEvent", "Response"})


class _Turn:
    """What an agent does between being asked and its response; `stop` is the verdict that ends it."""

    def __init__(self, agent: Any) -> None:
        self.agent = agent
        self.stop: DashClawError | None = None


_turn: ContextVar[_Turn | None] = ContextVar("dashclaw_autogen_turn", default=None)


class _Refused(Exception):
    """Raised for a tool that must not run; the framework shows its text to the model."""


class AgentChat:
    """Governs agents and teams of `autogen_agentchat`.

    A call that must not run is answered, never raised: an exception out of a workbench leaves the agent waiting
    for ever. With `on_block="raise"` the turn raises once its tools are over.
    """

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._patches = Patches()
        self._chats: weakref.WeakKeyDictionary[Any, str | None] = weakref.WeakKeyDictionary()
        self._agent, self._assistant, self._coder, self._team, code_executor = framework(
            "autogen",
            "autogen-agentchat",
            _FLOOR,
            "autogen_agentchat.agents:BaseChatAgent",
            "autogen_agentchat.agents:AssistantAgent",
            "autogen_agentchat.agents:CodeExecutorAgent",
            "autogen_agentchat.teams:BaseGroupChat",
            "autogen_core.code_executor",
        )
        self._code_result = code_executor.CodeResult

    def instrument(self, agent: Any) -> None:
        """Govern an agent or a team, and what is inside."""
        if agent in self._patches:
            return
        self._patches.add(agent)
        put = functools.partial(self._patches.replace, agent)
        client = getattr(agent, "_model_client", None)
        if client is not None:
            put("_model_client", self._client(agent, client))
        if isinstance(agent, self._team):
            put("run_stream", self._chat(agent, agent.run_stream))
        else:
            self._tools(agent)
            put("on_messages", self._answer(agent, agent.on_messages))
            put("on_messages_stream", self._answer_stream(agent, agent.on_messages_stream))
        for part in self._parts(agent):
            self.instrument(part)

    def close(self) -> None:
        """Restore agents and teams."""
        self._patches.undo()

    def _tools(self, agent: Any) -> None:
        known = vars(agent)
        if "_workbench" in known:
            benches = known["_workbench"]
            several = isinstance(benches, (list, tuple))
            governed = [self._bench(agent, bench) for bench in (benches if several else [benches])]
            self._patches.replace(agent, "_workbench", governed if several else governed[0])
        elif "_tools" in known:
            self._patches.replace(agent, "_tools", [self._tool(agent, tool) for tool in known["_tools"]])
        elif isinstance(agent, self._assistant):
            raise ConfigurationError(f"{agent.name} keeps its tools where this version of DashClaw cannot stop them")
        if "_code_executor" in known:
            executor = known["_code_executor"]
            run = self._code(agent, executor.execute_code_blocks)
            self._patches.replace(agent, "_code_executor", StandIn(executor, execute_code_blocks=run))
        elif isinstance(agent, self._coder):
            raise ConfigurationError(f"{agent.name} runs code where this version of DashClaw cannot stop it")

    def _parts(self, agent: Any) -> list[Any]:
        """Return the agents and teams inside: participants, a wrapped agent or team, and those that are tools."""
        known = vars(agent)
        benches = known.get("_workbench") or []
        benches = list(benches) if isinstance(benches, (list, tuple)) else [benches]
        tools = [tool for bench in benches for tool in getattr(bench, "_tools", ())] + list(known.get("_tools") or ())
        found = [*(known.get("_participants") or ()), known.get("_team"), known.get("_wrapped_agent")]
        found += [getattr(tool, "_task_runner", None) for tool in tools]
        return [part for part in found if isinstance(part, (self._agent, self._team))]

    def _bench(self, agent: Any, bench: Any) -> Any:
        tools = framework("autogen", "autogen-agentchat", _FLOOR, "autogen_core.tools")[0]
        result, content = tools.ToolResult, tools.TextResultContent

        def make(name: str, arguments: Any) -> ToolCall:
            tool = next((tool for tool in getattr(bench, "_tools", ()) if tool.name == name), None)
            return ToolCall(name, arguments or {}, getattr(tool, "description", None), agent_name=agent.name)

        def refuse(name: str, gate: Gate) -> Any:
            _stop(self._calls, gate)
            return result(name=name, result=[content(content=gate.message)], is_error=True)

        async def call_tool(name: str, arguments: Any = None, *args: Any, **kwargs: Any) -> Any:
            body = functools.partial(bench.call_tool, name, arguments, *args, **kwargs)
            asked = functools.partial(make, name, arguments)
            return await self._calls.arun(name, asked, body, functools.partial(refuse, name), _tool_result)

        def call_tool_stream(name: str, arguments: Any = None, *args: Any, **kwargs: Any) -> AsyncIterator[Any]:
            body = functools.partial(bench.call_tool_stream, name, arguments, *args, **kwargs)
            asked = functools.partial(make, name, arguments)
            return self._calls.stream(name, asked, body, functools.partial(refuse, name), _tool_result)

        return StandIn(bench, call_tool=call_tool, call_tool_stream=call_tool_stream)

    def _tool(self, agent: Any, tool: Any) -> Any:
        def refuse(gate: Gate) -> Any:
            _stop(self._calls, gate)
            raise _Refused(gate.message)

        async def run_json(args: Any, *rest: Any, **kwargs: Any) -> Any:
            def make() -> ToolCall:
                return ToolCall(tool.name, args, tool.description, agent_name=agent.name)

            body = functools.partial(tool.run_json, args, *rest, **kwargs)
            return await self._calls.arun(tool.name, make, body, refuse, _plain)

        return StandIn(tool, run_json=run_json)

    def _code(self, agent: Any, execute: Callable[..., Awaitable[Any]]) -> Callable[..., Any]:
        def refuse(gate: Gate) -> Any:
            _stop(self._calls, gate)
            return self._code_result(exit_code=1, output=gate.message)

        async def execute_code_blocks(code_blocks: Any, *args: Any, **kwargs: Any) -> Any:
            def make() -> ToolCall:
                code = "\n\n".join(block.code for block in code_blocks)
                languages = [block.language for block in code_blocks]
                return ToolCall(CODE, {"code": code, "languages": languages}, agent_name=agent.name)

            body = functools.partial(execute, code_blocks, *args, **kwargs)
            return await self._calls.arun(CODE, make, body, refuse, _code_told)

        return execute_code_blocks

    def _client(self, agent: Any, client: Any) -> Any:
        name = _name(agent)
        goal = f"Model call of {name}"

        async def create(*args: Any, **kwargs: Any) -> Any:
            async with self._calls.anoted(MODEL, goal, lambda: None, agent_name=name) as note:
                result = await client.create(*args, **kwargs)
                _note_usage(note, client, result)
            return result

        async def create_stream(*args: Any, **kwargs: Any) -> AsyncIterator[Any]:
            async with self._calls.anoted(MODEL, goal, lambda: None, enter=False, agent_name=name) as note:
                async for item in stepped(client.create_stream(*args, **kwargs), lambda: inside(note.gate)):
                    if not isinstance(item, str):
                        _note_usage(note, client, item)
                    yield item

        return StandIn(client, create=create, create_stream=create_stream)

    def _answer(self, agent: Any, answer: Callable[..., Awaitable[Any]]) -> Callable[..., Any]:
        @functools.wraps(answer)
        async def on_messages(messages: Any, *args: Any, **kwargs: Any) -> Any:
            outer = _turn.get()
            if outer is not None and outer.agent is agent:
                return await answer(messages, *args, **kwargs)
            turn = _Turn(agent)
            async with self._noted_turn(agent, messages) as note:
                with _entered(turn):
                    response = await answer(messages, *args, **kwargs)
                if turn.stop is not None:
                    raise turn.stop
                note.output = _text(response.chat_message)
            return response

        return on_messages

    def _answer_stream(self, agent: Any, answer: Callable[..., AsyncIterator[Any]]) -> Callable[..., Any]:
        @functools.wraps(answer)
        async def on_messages_stream(messages: Any, *args: Any, **kwargs: Any) -> AsyncIterator[Any]:
            outer = _turn.get()
            if outer is not None and outer.agent is agent:
                async for item in answer(messages, *args, **kwargs):
                    _end_stopped(outer, item)
                    yield item
                return
            turn = _Turn(agent)
            async with self._noted_turn(agent, messages, enter=False) as note:

                @contextlib.contextmanager
                def entered() -> Any:
                    with inside(note.gate), _entered(turn):
                        yield

                async for item in stepped(answer(messages, *args, **kwargs), entered):
                    _end_stopped(turn, item)
                    if type(item).__name__ == "Response":
                        note.output = _text(item.chat_message)
                    yield item

        return on_messages_stream

    def _noted_turn(self, agent: Any, messages: Any, enter: bool = True) -> Any:
        sources = sorted({message.source for message in messages})
        goal = f"{agent.name} answers {', '.join(sources) or 'nobody'}"
        return self._calls.anoted(
            TURN,
            goal,
            lambda: [{"source": message.source, "content": _text(message)} for message in messages],
            enter=enter,
            agent_name=agent.name,
            # A runtime that was started before does not know the chat by its context.
            parent_action_id=self._chats.get(agent),
        )

    def _chat(self, team: Any, run: Callable[..., AsyncIterator[Any]]) -> Callable[..., Any]:
        @functools.wraps(run)
        async def run_stream(*args: Any, **kwargs: Any) -> AsyncIterator[Any]:
            members = self._parts(team)
            goal = f"Chat of {', '.join(map(_name, members))}"
            task = kwargs.get("task")
            parent = self._chats.get(team)
            async with self._calls.anoted(
                CHAT, goal, lambda: _text(task), enter=False, parent_action_id=parent
            ) as note:
                for member in members:
                    self._chats[member] = note.action_id
                try:
                    async for item in stepped(run(*args, **kwargs), lambda: inside(note.gate)):
                        if type(item).__name__ == "TaskResult":
                            note.output = item.stop_reason
                        yield item
                finally:
                    for member in members:
                        self._chats.pop(member, None)

        return run_stream


@contextlib.contextmanager
def _entered(turn: _Turn) -> Any:
    token = _turn.set(turn)
    try:
        yield
    finally:
        _turn.reset(token)


def _stop(calls: Calls, gate: Gate) -> None:
    """Have the turn that is going on raise, where the user wants that."""
    turn = _turn.get()
    if calls.governor.on_block == "raise" and turn is not None:
        turn.stop = gate.error


def _end_stopped(turn: _Turn, item: Any) -> None:
    if turn.stop is not None and type(item).__name__ in _TOOLS_OVER:
        raise turn.stop


def _tool_result(result: Any) -> tuple[Any, BaseException | None]:
    text = result.to_text()
    return text, ToolFailed(text) if result.is_error else None


def _code_told(result: Any) -> tuple[Any, BaseException | None]:
    return result.output, ToolFailed(f"exit code {result.exit_code}") if result.exit_code else None


def _plain(result: Any) -> tuple[Any, BaseException | None]:
    return result, None


def _name(part: Any) -> str:
    """Return the name of an agent or a team; older teams have none."""
    return str(getattr(part, "name", type(part).__name__))


def _text(message: Any) -> Any:
    """Return what a message says, however it says it."""
    if isinstance(message, (list, tuple)):
        return [_text(one) for one in message]
    return getattr(message, "content", message)


def _note_usage(note: Note, client: Any, result: Any) -> None:
    used = getattr(result, "usage", None)
    if used is not None:
        note.tokens(
            tokens_in=used.prompt_tokens,
            tokens_out=used.completion_tokens,
            model=getattr(client, "_create_args", {}).get("model"),
        )
