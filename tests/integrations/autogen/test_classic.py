"""Classic AutoGen: chats of real agents, with a model that is a script."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import autogen
import pytest
from autogen import ConversableAgent, GroupChat, GroupChatManager

from dashclaw import ConfigurationError, DashClaw, GuardBlockedError
from dashclaw.integrations.autogen import DashClawAutoGenIntegration

from ..conftest import ToolLog, actions, broken_steps, eventually

NEW = hasattr(ConversableAgent, "run")


class Model:
    """A model client that says what its script holds, and keeps what it is shown."""

    def __init__(self, config: Any, script: list[Any], seen: list[Any]) -> None:
        self.script, self.seen = script, seen

    def create(self, params: dict[str, Any]) -> Any:
        self.seen.append(params["messages"][-1].get("content"))
        said = self.script.pop(0)
        if isinstance(said, BaseException):
            raise said
        # These are attributes that the framework sets where they exist.
        return SimpleNamespace(model="fake-1", said=said, cost=0.0, message_retrieval_function=None, config_id=None)

    def message_retrieval(self, response: Any) -> list[Any]:
        return [response.said]

    def cost(self, response: Any) -> float:
        return 0.01

    @staticmethod
    def get_usage(response: Any) -> dict[str, Any]:
        return {"prompt_tokens": 8, "completion_tokens": 2, "total_tokens": 10, "cost": 0.01, "model": "fake-1"}


def calls(tool: str, **arguments: Any) -> dict[str, Any]:
    called = {"name": tool, "arguments": json.dumps(arguments)}
    return {"role": "assistant", "content": "", "tool_calls": [{"id": "c1", "type": "function", "function": called}]}


class Pair:
    """An agent with a model, and one that runs its tools and code."""

    def __init__(self, script: list[Any], tools: dict[str, Any] | None = None, code: Any = False) -> None:
        self.seen: list[Any] = []
        self.assistant = thinking("assistant", script, self.seen)
        self.executor = ConversableAgent(
            "executor", llm_config=False, human_input_mode="NEVER", code_execution_config=code, function_map=tools or {}
        )

    def chat(self, way: str = "sync", turns: int = 2) -> Any:
        if way == "sync":
            return self.executor.initiate_chat(self.assistant, message="go", max_turns=turns, silent=True)
        return asyncio.run(
            self.executor.a_initiate_chat(self.assistant, message="go", max_turns=turns, silent=True),
        )


def thinking(name: str, script: list[Any], seen: list[Any] | None = None, tools: Any = ()) -> ConversableAgent:
    config = {"config_list": [{"model": "fake-1", "model_client_cls": "Model", "api_key": "x"}], "cache_seed": None}
    agent = ConversableAgent(name, llm_config=config, human_input_mode="NEVER", code_execution_config=False)
    for tool in tools:
        # It makes a new client, to which the model has to be given afterwards.
        agent.register_for_llm(description="A tool")(tool)
    agent.register_model_client(Model, script=script, seen=[] if seen is None else seen)
    return agent


def make(name: str, log: ToolLog, kind: str = "sync") -> dict[str, Callable[..., Any]]:
    def tool(to: str) -> str:
        log.append(to)
        return f"done for {to}"

    async def atool(to: str) -> str:
        return tool(to)

    return {name: atool if kind == "async" else tool}


def governed(claw: DashClaw, pair: Pair, **options: Any) -> DashClawAutoGenIntegration:
    integration = DashClawAutoGenIntegration(claw, **options)
    integration.instrument_agent(pair.executor)
    integration.instrument_agent(pair.assistant)
    return integration


every_way = pytest.mark.parametrize(("way", "kind"), [("sync", "sync"), ("async", "async"), ("async", "sync")])
mixed = pytest.mark.parametrize(("way", "kind"), [("sync", "sync"), ("async", "async"), ("sync", "async")])


@mixed
def test_an_allowed_call_runs_once_and_is_recorded(claw: DashClaw, log: ToolLog, way: str, kind: str) -> None:
    pair = Pair([calls("read_mail", to="ann"), "fine"], make("read_mail", log, kind))
    with governed(claw, pair):
        pair.chat(way)
    log.once("ann")
    assert pair.seen == ["go", "done for ann"]
    (row,) = actions(claw, action_type="read_mail")
    assert (row["status"], row["output_summary"], row["agent_name"]) == ("completed", "done for ann", "executor")


@mixed
def test_a_blocked_call_never_runs_and_the_model_sees_why(claw: DashClaw, log: ToolLog, way: str, kind: str) -> None:
    pair = Pair([calls("drop_mail", to="ann"), "fine"], make("drop_mail", log, kind))
    with governed(claw, pair):
        pair.chat(way)
    log.once()
    assert "NOT run" in pair.seen[1]
    assert "No drops" in pair.seen[1]
    assert [row["status"] for row in actions(claw, action_type="drop_mail")] == ["blocked"]


@mixed
def test_raising_ends_the_chat(claw: DashClaw, log: ToolLog, way: str, kind: str) -> None:
    pair = Pair([calls("drop_mail", to="ann"), "fine"], make("drop_mail", log, kind))
    with governed(claw, pair, on_block="raise"), pytest.raises(GuardBlockedError, match="No drops"):
        pair.chat(way)
    log.once()
    assert {row["status"] for row in actions(claw, action_type="agent.chat")} == {"failed"}


@mixed
def test_an_approval_is_waited_for_and_then_the_call_runs_once(
    waiting: DashClaw, log: ToolLog, answering: Callable[..., Any], way: str, kind: str
) -> None:
    pair = Pair([calls("send_mail", to="ann"), "fine"], make("send_mail", log, kind))
    person = answering("allow", seen=log.once)
    with governed(waiting, pair):
        pair.chat(way)
    log.once("ann")
    assert len(person.answered) == 1


def test_a_denied_call_never_runs(waiting: DashClaw, log: ToolLog, answering: Callable[..., Any]) -> None:
    pair = Pair([calls("send_mail", to="ann"), "fine"], make("send_mail", log))
    answering("deny")
    with governed(waiting, pair):
        pair.chat()
    log.once()
    assert "denied" in pair.seen[1]


def test_without_waiting_the_model_learns_that_a_person_is_needed(claw: DashClaw, log: ToolLog) -> None:
    pair = Pair([calls("send_mail", to="ann"), "fine"], make("send_mail", log))
    with governed(claw, pair):
        pair.chat()
    log.once()
    assert "has to approve" in pair.seen[1]


@every_way
def test_an_unreachable_server(
    unreachable: Callable[[str], DashClaw], log: ToolLog, caplog: pytest.LogCaptureFixture, way: str, kind: str
) -> None:
    closed = Pair([calls("read_mail", to="ann"), "fine"], make("read_mail", log, kind))
    with governed(unreachable("closed"), closed):
        closed.chat(way)
    log.once()
    assert "NOT run" in closed.seen[1]
    opened = Pair([calls("read_mail", to="ann"), "fine"], make("read_mail", log, kind))
    with governed(unreachable("open"), opened), caplog.at_level(logging.WARNING, "dashclaw"):
        opened.chat(way)
    log.once("ann")
    assert 'guard_failure is "open"' in caplog.text


@pytest.mark.parametrize("step", broken_steps("enforce"))
@every_way
def test_a_mistake_of_ours_never_runs_the_tool(
    claw: DashClaw, log: ToolLog, breaking: Callable[[str], None], step: str, way: str, kind: str
) -> None:
    pair = Pair([calls("read_mail", to="ann"), "fine"], make("read_mail", log, kind))
    with governed(claw, pair):
        breaking(step)
        pair.chat(way)
    broken = not (step == "Governor.start" and kind == "async") and not (step == "Governor.astart" and way == "sync")
    assert list(log) == [] or not broken or (way, kind, step) == ("async", "sync", "Governor.start")
    assert len(pair.seen) == 2


@pytest.mark.parametrize("step", broken_steps("observe"))
@every_way
def test_observing_never_breaks_the_host(
    claw: DashClaw, log: ToolLog, breaking: Callable[[str], None], step: str, way: str, kind: str
) -> None:
    pair = Pair([calls("drop_mail", to="ann"), "fine"], make("drop_mail", log, kind))
    with governed(claw, pair, mode="observe"):
        breaking(step)
        pair.chat(way)
    log.once("ann")
    assert pair.seen == ["go", "done for ann"]


def test_what_a_tool_raises_is_recorded_and_told_as_before(claw: DashClaw) -> None:
    def read_mail(to: str) -> str:
        raise LookupError(f"no {to}")

    pair = Pair([calls("read_mail", to="ann"), "fine"], {"read_mail": read_mail})
    with governed(claw, pair):
        pair.chat()
    assert pair.seen[1] == "Error: no ann"
    (row,) = actions(claw, action_type="read_mail")
    assert row["status"] == "failed"
    assert "no ann" in row["error_message"]


@pytest.mark.parametrize("way", ["sync", "async"])
def test_what_a_model_raises_reaches_the_caller(claw: DashClaw, way: str) -> None:
    class Overloaded(Exception):
        pass

    pair = Pair([Overloaded("try later")])
    with governed(claw, pair), pytest.raises(Overloaded, match="try later") as caught:
        pair.chat(way)
    assert "create" in [entry.name for entry in caught.traceback]
    assert {row["status"] for row in actions(claw)} == {"failed"}


@pytest.mark.parametrize("way", ["sync", "async"])
def test_chats_turns_and_tokens_are_recorded_with_their_parents(claw: DashClaw, log: ToolLog, way: str) -> None:
    pair = Pair([calls("read_mail", to="ann"), "fine"], make("read_mail", log))
    with governed(claw, pair):
        pair.chat(way)
    rows = actions(claw)
    (chat,) = [row for row in rows if row["action_type"] == "agent.chat"]
    turns = [row for row in rows if row["action_type"] == "agent.run"]
    assert {row["parent_action_id"] for row in turns} == {chat["action_id"]}
    assert [row["agent_name"] for row in turns] == ["assistant", "executor", "assistant"]
    assert "go" in turns[0]["input_summary"]
    assert turns[2]["output_summary"] == "fine"
    models = [row for row in rows if row["action_type"] == "llm.call"]
    assert [row["parent_action_id"] for row in models] == [turns[0]["action_id"], turns[2]["action_id"]]
    assert [(row["tokens_in"], row["tokens_out"], row["model"]) for row in models] == [(8, 2, "fake-1")] * 2
    (tool,) = [row for row in rows if row["action_type"] == "read_mail"]
    assert tool["parent_action_id"] == turns[1]["action_id"]
    assert {row["status"] for row in rows} == {"completed"}


def test_without_outputs_no_message_is_kept(claw: DashClaw) -> None:
    pair = Pair(["secret answer"])
    with governed(claw, pair, record_output=False):
        pair.chat(turns=1)
    assert "secret" not in json.dumps(actions(claw))
    assert all(not row["input_summary"] for row in actions(claw))


@pytest.mark.parametrize("legacy", [True, False])
def test_code_is_stopped(claw: DashClaw, tmp_path: Path, legacy: bool) -> None:
    code = code_config(tmp_path, legacy)
    flag = tmp_path / "ran"
    block = f"```python\nopen({str(flag)!r}, 'w').close()\nprint('it ran')\n```"
    stopped = Pair([block, "fine"], code=code)
    with governed(claw, stopped, action_type={"execute_code": "drop_code"}):
        stopped.chat()
    assert not flag.exists()
    assert "No drops" in stopped.seen[1]
    assert stopped.seen[1].startswith("exitcode: 1")
    (row,) = actions(claw, action_type="drop_code")
    assert row["risk_score"] == 70
    allowed = Pair([block, "fine"], code=code)
    with governed(claw, allowed):
        allowed.chat()
    assert flag.exists()
    assert "it ran" in allowed.seen[1]
    (row,) = actions(claw, action_type="execute_code")
    assert "it ran" in row["output_summary"]


def code_config(folder: Path, legacy: bool) -> Any:
    if legacy:
        return {"work_dir": str(folder), "use_docker": False, "timeout": 30}
    from autogen.coding import LocalCommandLineCodeExecutor

    return {"executor": LocalCommandLineCodeExecutor(work_dir=str(folder), timeout=30)}


@pytest.mark.parametrize("way", ["sync", "async"])
def test_a_group_chat_keeps_its_parents(claw: DashClaw, log: ToolLog, way: str) -> None:
    pair = Pair([calls("drop_mail", to="ann"), "fine"], make("drop_mail", log))
    group = GroupChat([pair.executor, pair.assistant], [], max_round=4, speaker_selection_method="round_robin")
    manager = GroupChatManager(group, llm_config=False, human_input_mode="NEVER")
    with DashClawAutoGenIntegration(claw) as integration:
        integration.instrument_agent(manager)
        if way == "sync":
            pair.executor.initiate_chat(manager, message="go", silent=True)
        else:
            asyncio.run(pair.executor.a_initiate_chat(manager, message="go", silent=True))
    log.once()
    assert "No drops" in pair.seen[1]
    rows = {row["action_id"]: row for row in actions(claw)}
    (blocked,) = [row for row in rows.values() if row["action_type"] == "drop_mail"]
    turn = rows[blocked["parent_action_id"]]
    managed = rows[turn["parent_action_id"]]
    chat = rows[managed["parent_action_id"]]
    assert [turn["agent_name"], managed["agent_name"]] == ["executor", "chat_manager"]
    assert chat["action_type"] == "agent.chat"
    assert chat["parent_action_id"] is None


@pytest.mark.skipif(not NEW, reason="not in this version")
def test_agents_that_the_framework_makes_to_run_tools_are_governed(claw: DashClaw, log: ToolLog) -> None:
    seen: list[Any] = []
    tool = autogen.tools.Tool(name="drop_mail", description="Drops", func_or_tool=make("drop_mail", log)["drop_mail"])
    agent = thinking("assistant", [calls("drop_mail", to="ann"), "TERMINATE"], seen, [tool])
    with DashClawAutoGenIntegration(claw) as integration:
        integration.instrument_agent(agent)
        agent.run(message="go", max_turns=3, user_input=False, summary_method="last_msg").process()
    log.once()
    assert "No drops" in seen[1]


@pytest.mark.skipif(not NEW, reason="not in this version")
def test_groups_run_their_tools_under_governance(claw: DashClaw, log: ToolLog) -> None:
    from autogen.agentchat import initiate_group_chat
    from autogen.agentchat.group.patterns import RoundRobinPattern

    seen: list[Any] = []
    tool = autogen.tools.Tool(name="drop_mail", description="Drops", func_or_tool=make("drop_mail", log)["drop_mail"])
    agent = thinking("assistant", [calls("drop_mail", to="ann"), "fine"], seen, [tool])
    other = thinking("other", ["nothing to add"] * 4)
    with DashClawAutoGenIntegration(claw) as integration:
        integration.instrument_agent(agent)
        pattern = RoundRobinPattern(initial_agent=agent, agents=[agent, other])
        initiate_group_chat(pattern=pattern, messages="go", max_rounds=5)
    log.once()
    (row,) = actions(claw, action_type="drop_mail")
    assert (row["status"], row["agent_name"]) == ("blocked", "assistant")
    assert row["parent_action_id"] is not None


def test_chats_at_the_same_time_do_not_mix(claw: DashClaw) -> None:
    def one(number: int) -> tuple[int, ToolLog, list[Any]]:
        log = ToolLog()
        tool = "drop_mail" if number % 2 else "read_mail"
        pair = Pair([calls(tool, to=f"n{number}"), "fine"], make(tool, log))
        integration.instrument_agent(pair.executor)
        integration.instrument_agent(pair.assistant)
        pair.chat()
        return number, log, pair.seen

    with DashClawAutoGenIntegration(claw) as integration, ThreadPoolExecutor(4) as pool:
        for number, log, seen in pool.map(one, range(8)):
            assert list(log) == ([] if number % 2 else [f"n{number}"])
            assert ("No drops" in seen[1]) == bool(number % 2)
    rows = actions(claw)
    chats = {row["action_id"]: [] for row in rows if row["action_type"] == "agent.chat"}
    for row in rows:
        if row["action_type"] == "agent.run":
            chats[row["parent_action_id"]].append(row["agent_name"])
    assert list(chats.values()) == [["assistant", "executor", "assistant"]] * 8


def test_closing_restores_what_was_there(claw: DashClaw, log: ToolLog, tmp_path: Path) -> None:
    pair = Pair([calls("drop_mail", to="ann"), "fine"], make("drop_mail", log), code_config(tmp_path, False))
    before = {name: value for name, value in vars(pair.executor).items() if callable(value)}
    executor, initiate = pair.executor._code_executor, ConversableAgent.initiate_chat
    replies = [entry["reply_func"] for entry in pair.executor._reply_func_list]
    integration = governed(claw, pair)
    assert integration.instrument_agent(pair.executor) is pair.executor
    assert ConversableAgent.initiate_chat is not initiate
    assert isinstance(pair.executor._code_executor, type(executor))
    integration.close()
    integration.close()
    assert {name: value for name, value in vars(pair.executor).items() if callable(value)} == before
    assert pair.executor._code_executor is executor
    assert [entry["reply_func"] for entry in pair.executor._reply_func_list] == replies
    assert ConversableAgent.initiate_chat is initiate
    pair.chat()
    log.once("ann")
    assert actions(claw) == []
    with pytest.raises(ConfigurationError, match="closed"):
        integration.instrument_agent(pair.executor)


def test_what_is_no_agent_is_refused(claw: DashClaw) -> None:
    with DashClawAutoGenIntegration(claw) as integration, pytest.raises(ConfigurationError, match="ConversableAgent"):
        integration.instrument_agent("assistant")


def test_agents_are_not_kept_alive(claw: DashClaw) -> None:
    import gc
    import weakref

    with DashClawAutoGenIntegration(claw) as integration:
        alive = weakref.ref(integration.instrument_agent(thinking("short", [])))
        eventually(lambda: gc.collect() is not None and alive() is None)
