"""Classic AutoGen (`import autogen`: pyautogen 0.2 and ag2 before 1.0): agents that talk to each other."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import functools
import inspect
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from dashclaw._governor import Gate
from dashclaw._tool_calls import ToolCall, arguments_of
from dashclaw.errors import ConfigurationError, MissingExtraError

from .._framework import release
from ._calls import CHAT, CODE, MODEL, TURN, Calls, Note, ToolFailed
from ._patches import Patches, StandIn

_FLOOR = "0.2.35"
_NEEDED = f'Classic AutoGen {_FLOOR} or newer is needed: pip install "ag2<1" or pip install pyautogen=={_FLOOR}'


class Classic:
    """Governs instances of `ConversableAgent`."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._patches = Patches()
        try:
            import autogen

            found = autogen.__version__
            if release(found) < release(_FLOOR):
                raise MissingExtraError(f"{_NEEDED} (found: {found})")
            from autogen import ConversableAgent
            from autogen.coding.base import CodeResult
        except MissingExtraError:
            raise
        except Exception as error:
            raise MissingExtraError(f"{_NEEDED} (autogen was found, but: {error!r})") from error
        self._code_result = CodeResult
        self._agent = ConversableAgent
        self._patches.replace(ConversableAgent, "initiate_chat", self._chat(ConversableAgent.initiate_chat))
        self._patches.replace(ConversableAgent, "a_initiate_chat", self._achat(ConversableAgent.a_initiate_chat))
        with contextlib.suppress(ImportError):
            from autogen.agentchat.group.group_tool_executor import GroupToolExecutor as Group

            self._patches.replace(Group, "register_agents_functions", self._grouped(Group.register_agents_functions))

    def instrument(self, agent: Any) -> None:
        """Govern an agent, and those of its group chat."""
        if agent in self._patches:
            return
        if not isinstance(agent, self._agent):
            raise ConfigurationError(f"{type(agent).__module__} is not the installed autogen")
        self._patches.add(agent)
        put = functools.partial(self._patches.replace, agent)
        put("execute_function", self._tool(agent, agent.execute_function))
        put("a_execute_function", self._atool(agent, agent.a_execute_function))
        put("execute_code_blocks", self._code(agent, agent.execute_code_blocks, _legacy_refusal, _legacy_result))
        executor = getattr(agent, "_code_executor", None)
        if executor is not None:
            run = self._code(agent, executor.execute_code_blocks, self._executor_refusal, _executor_result)
            put("_code_executor", StandIn(executor, execute_code_blocks=run))
        put("generate_reply", self._turn(agent, agent.generate_reply))
        put("a_generate_reply", self._aturn(agent, agent.a_generate_reply))
        put("_generate_oai_reply_from_client", self._model(agent, agent._generate_oai_reply_from_client))
        agent.replace_reply_func(self._agent.a_generate_oai_reply, _reply_in_context)
        if hasattr(agent, "_run_async_in_thread"):
            put("_run_async_in_thread", _run_in_thread)
        if hasattr(agent, "_create_or_get_executor"):
            put("_create_or_get_executor", self._executor_of(agent._create_or_get_executor))
        for member in _members(agent):
            if isinstance(member, self._agent):
                self.instrument(member)

    def close(self) -> None:
        """Restore agents and classes."""
        for thing in self._patches.things():
            if isinstance(thing, self._agent):
                thing.replace_reply_func(_reply_in_context, self._agent.a_generate_oai_reply)
        self._patches.undo()

    def _tool(self, agent: Any, execute: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(execute)
        def execute_function(func_call: Any, *args: Any, **kwargs: Any) -> Any:
            def refuse(gate: Gate) -> Any:
                return self._refused(gate, lambda: (False, _function_message(func_call, gate.message)))

            body = functools.partial(execute, func_call, *args, **kwargs)
            return self._calls.run(_name(func_call), lambda: _call(agent, func_call), body, refuse, _function_result)

        return execute_function

    def _atool(self, agent: Any, execute: Callable[..., Awaitable[Any]]) -> Callable[..., Any]:
        @functools.wraps(execute)
        async def a_execute_function(func_call: Any, *args: Any, **kwargs: Any) -> Any:
            def refuse(gate: Gate) -> Any:
                return self._refused(gate, lambda: (False, _function_message(func_call, gate.message)))

            body = functools.partial(execute, func_call, *args, **kwargs)
            make = functools.partial(_call, agent, func_call)
            return await self._calls.arun(_name(func_call), make, body, refuse, _function_result)

        return a_execute_function

    def _code(
        self, agent: Any, execute: Callable[..., Any], refusal: Callable[[str], Any], told: Callable[[Any], Any]
    ) -> Callable[..., Any]:
        def execute_code_blocks(code_blocks: Any, *args: Any, **kwargs: Any) -> Any:
            def refuse(gate: Gate) -> Any:
                return self._refused(gate, lambda: refusal(gate.message))

            def make() -> ToolCall:
                return ToolCall(CODE, _code_arguments(code_blocks), agent_name=_asker(agent))

            return self._calls.run(CODE, make, lambda: execute(code_blocks, *args, **kwargs), refuse, told)

        return execute_code_blocks

    def _refused(self, gate: Gate, value: Callable[[], Any]) -> Any:
        if self._calls.governor.on_block == "raise" and gate.error is not None:
            raise gate.error
        return value()

    def _executor_refusal(self, message: str) -> Any:
        return self._code_result(exit_code=1, output=message)

    def _turn(self, agent: Any, generate: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(generate)
        def generate_reply(*args: Any, **kwargs: Any) -> Any:
            goal, given = _turn_of(agent, args, kwargs)
            with self._calls.noted(TURN, goal, given, agent_name=agent.name) as note:
                note.output = generate(*args, **kwargs)
            return note.output

        return generate_reply

    def _aturn(self, agent: Any, generate: Callable[..., Awaitable[Any]]) -> Callable[..., Any]:
        @functools.wraps(generate)
        async def a_generate_reply(*args: Any, **kwargs: Any) -> Any:
            goal, given = _turn_of(agent, args, kwargs)
            async with self._calls.anoted(TURN, goal, given, agent_name=agent.name) as note:
                note.output = await generate(*args, **kwargs)
            return note.output

        return a_generate_reply

    def _model(self, agent: Any, generate: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(generate)
        def generate_from_client(llm_client: Any, *args: Any, **kwargs: Any) -> Any:
            goal = f"Model call of {agent.name}"
            with self._calls.noted(MODEL, goal, lambda: None, agent_name=agent.name) as note:

                def create(**config: Any) -> Any:
                    response = llm_client.create(**config)
                    _note_usage(note, llm_client, response)
                    return response

                note.output = generate(StandIn(llm_client, create=create), *args, **kwargs)
            return note.output

        return generate_from_client

    def _chat(self, initiate: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(initiate)
        def initiate_chat(sender: Any, recipient: Any, *args: Any, **kwargs: Any) -> Any:
            if not self._knows(sender, recipient):
                return initiate(sender, recipient, *args, **kwargs)
            with self._calls.noted(CHAT, _chat_goal(sender, recipient), lambda: kwargs.get("message")) as note:
                result = initiate(sender, recipient, *args, **kwargs)
                note.output = getattr(result, "summary", None) or None
            return result

        return initiate_chat

    def _achat(self, initiate: Callable[..., Awaitable[Any]]) -> Callable[..., Any]:
        @functools.wraps(initiate)
        async def a_initiate_chat(sender: Any, recipient: Any, *args: Any, **kwargs: Any) -> Any:
            if not self._knows(sender, recipient):
                return await initiate(sender, recipient, *args, **kwargs)
            begun = _chat_goal(sender, recipient)
            async with self._calls.anoted(CHAT, begun, lambda: kwargs.get("message")) as note:
                result = await initiate(sender, recipient, *args, **kwargs)
                note.output = getattr(result, "summary", None) or None
            return result

        return a_initiate_chat

    def _knows(self, *agents: Any) -> bool:
        if self._calls.closed:
            return False
        return any(one in self._patches for agent in agents for one in (agent, *_members(agent)))

    def _grouped(self, register: Callable[..., Any]) -> Callable[..., Any]:
        """Govern the agent that runs tools for a group, once one of those whose tools it takes is governed."""

        @functools.wraps(register)
        def register_agents_functions(executor: Any, agents: Any, *args: Any, **kwargs: Any) -> Any:
            result = register(executor, agents, *args, **kwargs)
            if self._knows(*agents):
                self.instrument(executor)
            return result

        return register_agents_functions

    def _executor_of(self, create: Callable[..., Any]) -> Callable[..., Any]:
        """Govern the agent that `run` makes to run the tools of this one."""

        @contextmanager
        def create_or_get_executor(*args: Any, **kwargs: Any) -> Iterator[Any]:
            with create(*args, **kwargs) as executor:
                if not self._calls.closed:
                    self.instrument(executor)
                yield executor

        return create_or_get_executor


def _members(agent: Any) -> list[Any]:
    return list(getattr(getattr(agent, "groupchat", None), "agents", ()))


def _asker(agent: Any) -> str:
    """Return who wants a call: the agent that runs tools for a group has been asked by another."""
    return str(getattr(agent, "_tool_call_originator", None) or agent.name)


def _name(func_call: Any) -> str:
    return str(func_call.get("name") or "function") if isinstance(func_call, dict) else "function"


def _call(agent: Any, func_call: Any) -> ToolCall:
    name = _name(func_call)
    # As the framework reads it, so that what is decided about is what will run.
    given = arguments_of(agent._format_json_str(func_call.get("arguments", "{}")))
    return ToolCall(name, given, inspect.getdoc(agent._function_map.get(name)), agent_name=_asker(agent))


def _function_message(func_call: Any, content: str) -> dict[str, str]:
    return {"name": _name(func_call), "role": "function", "content": content}


def _function_result(result: Any) -> tuple[Any, BaseException | None]:
    done, message = result
    content = message.get("content")
    return content, None if done else ToolFailed(str(content))


def _code_arguments(blocks: Any) -> dict[str, Any]:
    pairs = [block if isinstance(block, (tuple, list)) else (block.language, block.code) for block in blocks]
    return {"code": "\n\n".join(code for _, code in pairs), "languages": [language for language, _ in pairs]}


def _legacy_refusal(message: str) -> tuple[int, str]:
    return 1, message


def _legacy_result(result: Any) -> tuple[Any, BaseException | None]:
    exit_code, logs = result
    return logs, ToolFailed(f"exit code {exit_code}") if exit_code else None


def _executor_result(result: Any) -> tuple[Any, BaseException | None]:
    return result.output, ToolFailed(f"exit code {result.exit_code}") if result.exit_code else None


def _turn_of(agent: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[str, Callable[[], Any]]:
    messages = args[0] if args else kwargs.get("messages")
    sender = args[1] if len(args) > 1 else kwargs.get("sender")
    goal = f"{agent.name} answers {getattr(sender, 'name', 'a message')}"

    def given() -> Any:
        known = agent._oai_messages[sender] if messages is None else messages
        return known[-1] if known else None

    return goal, given


def _chat_goal(sender: Any, recipient: Any) -> str:
    return f"Chat of {sender.name} with {recipient.name}"


def _note_usage(note: Note, llm_client: Any, response: Any) -> None:
    with contextlib.suppress(Exception):
        place = getattr(response, "config_id", None)
        used = llm_client._clients[0 if place is None else place].get_usage(response) or {}
        note.tokens(
            tokens_in=used.get("prompt_tokens"),
            tokens_out=used.get("completion_tokens"),
            model=used.get("model") or getattr(response, "model", None),
            cost_estimate=used.get("cost") or None,
        )


async def _reply_in_context(recipient: Any, *args: Any, **kwargs: Any) -> Any:
    """Call the model in a thread as the framework does, with this context: the parent would be lost otherwise."""
    return await asyncio.to_thread(recipient.generate_oai_reply, *args, **kwargs)


def _run_in_thread(coroutine: Any) -> Any:
    """Run a coroutine in a thread as the framework does, with this context and with what it raises."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(contextvars.copy_context().run, asyncio.run, coroutine).result()
