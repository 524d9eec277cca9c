"""AutoGen AgentChat: real agents and teams, with the replaying model client of autogen-ext."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from autogen_agentchat.agents import AssistantAgent, CodeExecutorAgent
from autogen_agentchat.conditions import MaxMessageTermination
from autogen_agentchat.messages import TextMessage, ToolCallExecutionEvent
from autogen_agentchat.teams import RoundRobinGroupChat, SelectorGroupChat
from autogen_core import FunctionCall, SingleThreadedAgentRuntime
from autogen_core.models import CreateResult, FunctionExecutionResultMessage, RequestUsage
from autogen_core.tools import FunctionTool
from autogen_ext.models.replay import ReplayChatCompletionClient

from dashclaw import AsyncDashClaw, ConfigurationError, DashClaw, GuardBlockedError
from dashclaw.integrations.autogen import DashClawAutoGenIntegration
from dashclaw.local import LocalTransport

from ..conftest import ToolLog, actions, broken_steps

try:
    from autogen_core.tools import StaticWorkbench
except ImportError:
    StaticWorkbench = None

ABOUT = {
    "vision": False,
    "function_calling": True,
    "json_output": False,
    "family": "unknown",
    "structured_output": False,
}


class Model(ReplayChatCompletionClient):
    """Says what its script holds, and keeps what it is shown of tools; it can raise, too."""

    def __init__(self, script: list[Any]) -> None:
        super().__init__([one for one in script if not isinstance(one, BaseException)], model_info=ABOUT)
        self.raises = [one for one in script if isinstance(one, BaseException)]
        self.seen: list[Any] = []

    async def create(self, messages: Any, **kwargs: Any) -> Any:
        self._look(messages)
        return await super().create(messages, **kwargs)

    async def create_stream(self, messages: Any, **kwargs: Any) -> AsyncIterator[Any]:
        self._look(messages)
        async for item in super().create_stream(messages, **kwargs):
            yield item

    def _look(self, messages: Any) -> None:
        if self.raises:
            raise self.raises.pop()
        found = [message for message in messages if isinstance(message, FunctionExecutionResultMessage)]
        self.seen.extend((one.content, one.is_error) for one in (found[-1].content if found else []))


def calls(tool: str, *arguments: dict[str, Any]) -> CreateResult:
    made = [FunctionCall(id=f"c{n}", name=tool, arguments=json.dumps(one)) for n, one in enumerate(arguments)]
    usage = RequestUsage(prompt_tokens=5, completion_tokens=2)
    return CreateResult(finish_reason="function_calls", content=made, usage=usage, cached=False)


def says(text: str) -> CreateResult:
    usage = RequestUsage(prompt_tokens=6, completion_tokens=3)
    return CreateResult(finish_reason="stop", content=text, usage=usage, cached=False)


def make(name: str, log: ToolLog, kind: str = "async") -> FunctionTool:
    def tool(to: str) -> str:
        log.append(to)
        return f"done for {to}"

    async def atool(to: str) -> str:
        return tool(to)

    return FunctionTool(tool if kind == "sync" else atool, name=name, description=f"Does {name}")


def agent(script: list[Any], tools: Any = (), kind: str = "tools", name: str = "helper", **options: Any) -> Any:
    given = {"workbench": StaticWorkbench(list(tools))} if kind == "workbench" else {"tools": list(tools)}
    model = Model(script)
    return AssistantAgent(name, model_client=model, reflect_on_tool_use=True, **given, **options), model


def run(asked: Any) -> Any:
    return asyncio.run(asyncio.wait_for(asked.run(task="go"), 60))


def stream(asked: Any) -> Any:
    async def consume() -> Any:
        return [item async for item in asked.run_stream(task="go")]

    return asyncio.run(asyncio.wait_for(consume(), 60))


def team(asked: Any) -> Any:
    return run(RoundRobinGroupChat([asked], termination_condition=MaxMessageTermination(2)))


every_way = pytest.mark.parametrize("way", [run, stream, team])
every_kind = pytest.mark.parametrize(
    "kind",
    [
        "tools",
        pytest.param(
            "workbench", marks=pytest.mark.skipif(StaticWorkbench is None, reason="this version has no workbenches")
        ),
    ],
)


@contextlib.contextmanager
def governed(claw: DashClaw, *agents: Any, **options: Any) -> Any:
    with DashClawAutoGenIntegration(claw, **options) as integration:
        for one in agents:
            assert integration.instrument_agent(one) is one
        yield integration


@every_kind
@every_way
def test_an_allowed_call_runs_once_and_is_recorded(claw: DashClaw, log: ToolLog, way: Any, kind: str) -> None:
    asked, model = agent([calls("read_mail", {"to": "ann"}), says("fine")], [make("read_mail", log)], kind)
    with governed(claw, asked):
        way(asked)
    log.once("ann")
    assert model.seen == [("done for ann", False)]
    (row,) = actions(claw, action_type="read_mail")
    assert (row["status"], row["output_summary"], row["agent_name"]) == ("completed", "done for ann", "helper")
    assert row["declared_goal"] == "read_mail: Does read_mail"


@every_kind
@every_way
def test_a_blocked_call_never_runs_and_the_model_sees_why(claw: DashClaw, log: ToolLog, way: Any, kind: str) -> None:
    tools = [make("drop_mail", log, "sync")]
    asked, model = agent([calls("drop_mail", {"to": "ann"}), says("fine")], tools, kind)
    with governed(claw, asked):
        way(asked)
    log.once()
    ((told, is_error),) = model.seen
    assert "NOT run" in told
    assert "No drops" in told
    assert is_error
    assert [row["status"] for row in actions(claw, action_type="drop_mail")] == ["blocked"]


@every_kind
@every_way
def test_raising_ends_the_run_and_nothing_hangs(claw: DashClaw, log: ToolLog, way: Any, kind: str) -> None:
    asked, model = agent([calls("drop_mail", {"to": "ann"}), says("fine")], [make("drop_mail", log)], kind)
    # Newer teams make an error of their own of whatever an agent raises.
    expected = (RuntimeError, GuardBlockedError) if way is team else GuardBlockedError
    with governed(claw, asked, on_block="raise"), pytest.raises(expected, match="No drops"):
        way(asked)
    log.once()
    assert model.seen == []


@every_kind
@every_way
def test_an_approval_is_waited_for_and_then_the_call_runs_once(
    waiting: DashClaw, log: ToolLog, answering: Callable[..., Any], way: Any, kind: str
) -> None:
    asked, _ = agent([calls("send_mail", {"to": "ann"}), says("fine")], [make("send_mail", log)], kind)
    person = answering("allow", seen=log.once)
    with governed(waiting, asked):
        way(asked)
    log.once("ann")
    assert len(person.answered) == 1


@every_kind
def test_a_denied_call_never_runs(waiting: DashClaw, log: ToolLog, answering: Callable[..., Any], kind: str) -> None:
    asked, model = agent([calls("send_mail", {"to": "ann"}), says("fine")], [make("send_mail", log)], kind)
    answering("deny")
    with governed(waiting, asked):
        run(asked)
    log.once()
    assert "denied" in model.seen[0][0]


@every_kind
@every_way
def test_an_unreachable_server(
    unreachable: Callable[[str], DashClaw], log: ToolLog, caplog: pytest.LogCaptureFixture, way: Any, kind: str
) -> None:
    asked, model = agent([calls("read_mail", {"to": "ann"}), says("fine")], [make("read_mail", log)], kind)
    with governed(unreachable("closed"), asked):
        way(asked)
    log.once()
    assert "NOT run" in model.seen[0][0]
    asked, model = agent([calls("read_mail", {"to": "ann"}), says("fine")], [make("read_mail", log)], kind)
    with governed(unreachable("open"), asked), caplog.at_level(logging.WARNING, "dashclaw"):
        way(asked)
    log.once("ann")
    assert 'guard_failure is "open"' in caplog.text


# A synchronous decision is not on this way.
@pytest.mark.parametrize("step", [step for step in broken_steps("enforce") if step != "Governor.start"])
@every_kind
@pytest.mark.parametrize("way", [run, stream])
def test_a_mistake_of_ours_never_runs_the_tool(
    claw: DashClaw, log: ToolLog, breaking: Callable[[str], None], step: str, way: Any, kind: str
) -> None:
    asked, model = agent([calls("read_mail", {"to": "ann"}), says("fine")], [make("read_mail", log)], kind)
    with governed(claw, asked):
        breaking(step)
        way(asked)
    log.once()
    assert "NOT run" in model.seen[0][0]


@pytest.mark.parametrize("step", broken_steps("observe"))
@every_kind
@every_way
def test_observing_never_breaks_the_host(
    claw: DashClaw, log: ToolLog, breaking: Callable[[str], None], step: str, way: Any, kind: str
) -> None:
    asked, model = agent([calls("drop_mail", {"to": "ann"}), says("fine")], [make("drop_mail", log)], kind)
    with governed(claw, asked, mode="observe"):
        breaking(step)
        way(asked)
    log.once("ann")
    assert model.seen == [("done for ann", False)]


@every_kind
def test_what_a_tool_raises_is_recorded_and_told_as_before(claw: DashClaw, kind: str) -> None:
    def read_mail(to: str) -> str:
        raise LookupError(f"no {to}")

    tools = [FunctionTool(read_mail, description="Reads mail")]
    alone, untouched = agent([calls("read_mail", {"to": "ann"}), says("fine")], tools, kind)
    run(alone)
    asked, model = agent([calls("read_mail", {"to": "ann"}), says("fine")], tools, kind)
    with governed(claw, asked):
        run(asked)
    assert model.seen == untouched.seen
    (row,) = actions(claw, action_type="read_mail")
    assert row["status"] == "failed"
    assert "no ann" in row["error_message"]


@pytest.mark.parametrize("way", [run, stream])
def test_what_a_model_raises_reaches_the_caller(claw: DashClaw, way: Any) -> None:
    class Overloaded(Exception):
        pass

    asked, _ = agent([Overloaded("try later")])
    with governed(claw, asked), pytest.raises(Overloaded, match="try later") as caught:
        way(asked)
    assert "_look" in [entry.name for entry in caught.traceback]
    assert {row["status"] for row in actions(claw)} == {"failed"}


@pytest.mark.parametrize("streaming", [False, True])
@every_way
def test_turns_and_tokens_are_recorded_with_their_parents(
    claw: DashClaw, log: ToolLog, way: Any, streaming: bool
) -> None:
    script = [calls("read_mail", {"to": "ann"}), says("fine")]
    asked, _ = agent(script, [make("read_mail", log)], model_client_stream=streaming)
    with governed(claw, asked):
        way(asked)
    rows = actions(claw)
    (turn,) = [row for row in rows if row["action_type"] == "agent.run"]
    assert turn["declared_goal"] == "helper answers user"
    assert "go" in turn["input_summary"]
    assert turn["output_summary"] == "fine"
    parts = [row for row in rows if row["parent_action_id"] == turn["action_id"]]
    assert [row["action_type"] for row in parts] == ["llm.call", "read_mail", "llm.call"]
    assert [(row["tokens_in"], row["tokens_out"]) for row in parts] == [(5, 2), (None, None), (6, 3)]
    assert {row["status"] for row in rows} == {"completed"}


@pytest.mark.parametrize("started", [False, True])
def test_a_team_keeps_its_parents(claw: DashClaw, log: ToolLog, started: bool) -> None:
    async def chat() -> None:
        runtime = SingleThreadedAgentRuntime() if started else None
        if runtime is not None:
            runtime.start()
        asked, _ = agent([calls("drop_mail", {"to": "ann"}), says("fine")], [make("drop_mail", log)])
        other, _ = agent([says("agreed")], name="other")
        inner = RoundRobinGroupChat([asked, other], termination_condition=MaxMessageTermination(3), runtime=runtime)
        with governed(claw, inner):
            await asyncio.wait_for(inner.run(task="go"), 60)
        if runtime is not None:
            await runtime.stop()

    asyncio.run(chat())
    log.once()
    rows = actions(claw)
    (whole,) = [row for row in rows if row["action_type"] == "agent.chat"]
    assert whole["declared_goal"] == "Chat of helper, other"
    turns = [row for row in rows if row["action_type"] == "agent.run"]
    assert [(row["agent_name"], row["parent_action_id"]) for row in turns] == [
        ("helper", whole["action_id"]),
        ("other", whole["action_id"]),
    ]
    (blocked,) = [row for row in rows if row["action_type"] == "drop_mail"]
    assert (blocked["status"], blocked["parent_action_id"]) == ("blocked", turns[0]["action_id"])


def test_the_model_that_selects_speakers_is_recorded(claw: DashClaw) -> None:
    asked, _ = agent([says("fine")])
    other, _ = agent([says("agreed")], name="other")
    chooses = Model([says("other"), says("helper")])
    ends = MaxMessageTermination(2)
    chat = SelectorGroupChat([asked, other], model_client=chooses, termination_condition=ends)
    with governed(claw, chat):
        run(chat)
    rows = {row["action_id"]: row for row in actions(claw)}
    models = [row for row in rows.values() if row["action_type"] == "llm.call"]
    assert [(row["tokens_in"], row["tokens_out"]) for row in models] == [(6, 3)] * 2
    assert [rows[row["parent_action_id"]]["action_type"] for row in models] == ["agent.chat", "agent.run"]


def test_an_asynchronous_client_governs_as_well(database: Path, claw: DashClaw, log: ToolLog) -> None:
    asked, model = agent([calls("drop_mail", {"to": "ann"}), says("fine")], [make("drop_mail", log)])

    async def both() -> None:
        async with AsyncDashClaw(agent_id="agent", transport=LocalTransport.open(database)) as client:
            with governed(client, asked):
                await asyncio.wait_for(asked.run(task="go"), 60)

    asyncio.run(both())
    log.once()
    assert "No drops" in model.seen[0][0]
    assert "running" not in {row["status"] for row in actions(claw)}


def test_an_agent_that_is_a_tool_is_governed(claw: DashClaw, log: ToolLog) -> None:
    tools = pytest.importorskip("autogen_agentchat.tools")
    if not hasattr(tools, "AgentTool"):
        pytest.skip("this version has no agents as tools")
    inner, told = agent([calls("drop_mail", {"to": "ann"}), says("could not")], [make("drop_mail", log)], name="inner")
    outer, _ = agent([calls("inner", {"task": "drop it"}), says("fine")], [tools.AgentTool(inner)], name="outer")
    with governed(claw, outer):
        run(outer)
    log.once()
    assert "No drops" in told.seen[0][0]
    rows = {row["action_id"]: row for row in actions(claw)}
    (blocked,) = [row for row in rows.values() if row["action_type"] == "drop_mail"]
    turn = rows[blocked["parent_action_id"]]
    tool = rows[turn["parent_action_id"]]
    assert (turn["agent_name"], tool["action_type"], rows[tool["parent_action_id"]]["agent_name"]) == (
        "inner",
        "inner",
        "outer",
    )


@pytest.mark.filterwarnings("ignore:Using LocalCommandLineCodeExecutor", "ignore:No approval function")
def test_code_is_stopped(claw: DashClaw, tmp_path: Path) -> None:
    from autogen_ext.code_executors.local import LocalCommandLineCodeExecutor

    flag = tmp_path / "ran"
    task = TextMessage(content=f"```python\nopen({str(flag)!r}, 'w').close()\nprint('it ran')\n```", source="user")
    coder = CodeExecutorAgent("coder", code_executor=LocalCommandLineCodeExecutor(work_dir=tmp_path))

    def answer() -> str:
        return str(asyncio.run(coder.run(task=task)).messages[-1].content)

    with governed(claw, coder, action_type={"execute_code": "drop_code"}):
        assert "No drops" in answer()
    assert not flag.exists()
    assert [row["status"] for row in actions(claw, action_type="drop_code")] == ["blocked"]
    raising = governed(claw, coder, action_type={"execute_code": "drop_code"}, on_block="raise")
    with raising, pytest.raises(GuardBlockedError):
        answer()
    assert not flag.exists()
    with governed(claw, coder):
        assert "it ran" in answer()
    assert flag.exists()


def test_calls_and_runs_at_the_same_time_do_not_mix(claw: DashClaw) -> None:
    logs = [ToolLog() for _ in range(6)]
    made = []
    for number, log in enumerate(logs):
        tool = "drop_mail" if number % 2 else "read_mail"
        script = [calls(tool, *({"to": f"n{number}-{part}"} for part in range(3))), says("fine")]
        made.append(agent(script, [make(tool, log)], name=f"helper{number}"))

    async def everybody() -> None:
        await asyncio.wait_for(asyncio.gather(*(asked.run(task="go") for asked, _ in made)), 60)

    with governed(claw, *(asked for asked, _ in made)):
        asyncio.run(everybody())
    for number, log in enumerate(logs):
        assert sorted(log) == ([] if number % 2 else [f"n{number}-{part}" for part in range(3)])
    rows = actions(claw)
    turns = {row["action_id"]: row["agent_name"] for row in rows if row["action_type"] == "agent.run"}
    assert sorted(turns.values()) == [f"helper{number}" for number in range(6)]
    parts = [row for row in rows if row["parent_action_id"]]
    assert len(parts) == 6 * 5
    assert all(turns[row["parent_action_id"]] == row["agent_name"] for row in parts)


def test_a_consumer_that_leaves_a_stream_finds_everything_closed(claw: DashClaw, log: ToolLog) -> None:
    asked, _ = agent([calls("read_mail", {"to": "ann"}), says("fine")], [make("read_mail", log)])

    async def leave() -> None:
        async with contextlib.aclosing(asked.run_stream(task="go")) as items:
            async for item in items:
                if isinstance(item, ToolCallExecutionEvent):
                    break

    with governed(claw, asked):
        asyncio.run(leave())
        assert "running" not in {row["status"] for row in actions(claw)}


def test_closing_restores_what_was_there(claw: DashClaw, log: ToolLog) -> None:
    asked, _ = agent([calls("drop_mail", {"to": "ann"}), says("fine")], [make("drop_mail", log)])
    before = dict(vars(asked))
    with governed(claw, asked) as integration:
        integration.instrument_agent(asked)
        assert isinstance(asked._model_client, Model)
        assert vars(asked) != before
    assert vars(asked) == before
    run(asked)
    log.once("ann")
    assert actions(claw) == []


def test_an_agent_can_be_written_down_while_it_is_governed(claw: DashClaw, log: ToolLog) -> None:
    asked, _ = agent([says("fine")], [make("read_mail", log)])
    plain = asyncio.run(asked.save_state())
    with governed(claw, asked):
        assert asyncio.run(asked.save_state()) == plain


def test_an_agent_whose_tools_cannot_be_found_is_refused(claw: DashClaw, log: ToolLog) -> None:
    asked, _ = agent([says("fine")], [make("read_mail", log)])
    for name in ("_tools", "_workbench"):
        vars(asked).pop(name, None)
    with DashClawAutoGenIntegration(claw) as integration, pytest.raises(ConfigurationError, match="cannot stop"):
        integration.instrument_agent(asked)
