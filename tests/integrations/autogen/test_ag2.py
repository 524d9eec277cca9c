"""AG2 1.x: real agents with the test model of the framework."""

from __future__ import annotations

import asyncio
import inspect
import json
import logging
from collections.abc import Callable
from typing import Any

import pytest
from ag2 import Agent, tool
from ag2.agent import TaskConfig
from ag2.events import ModelMessage, ModelResponse, ToolCallEvent, ToolCallsEvent, ToolErrorEvent, ToolResultEvent
from ag2.events.types import Usage
from ag2.middleware import BaseMiddleware, Middleware
from ag2.testing import TestConfig

from dashclaw import ConfigurationError, DashClaw, GuardBlockedError
from dashclaw.integrations.autogen import DashClawAutoGenIntegration

from ..conftest import ToolLog, actions, broken_steps

# Newer test models can be told to look at the errors of tools, as real ones do, instead of raising them.
LENIENT: dict[str, Any] = {}
if "raise_tool_errors" in inspect.signature(TestConfig.__init__).parameters:
    LENIENT["raise_tool_errors"] = False
lenient = pytest.mark.skipif(not LENIENT, reason="the test model of this version raises the errors of tools")


class Results(BaseMiddleware):
    """Keeps what the model is shown of its tools."""

    def __init__(self, event: Any, context: Any, seen: list[Any]) -> None:
        super().__init__(event, context)
        self._seen = seen

    async def on_llm_call(self, call_next: Any, events: Any, context: Any) -> Any:
        for event in events:
            if isinstance(event, ToolResultEvent) and event not in [known for known, _ in self._seen]:
                said = "".join(str(getattr(part, "content", part)) for part in event.result.parts)
                self._seen.append((event, said))
        return await call_next(events, context)


def calls(name: str, *arguments: dict[str, Any]) -> ModelResponse:
    made = [ToolCallEvent(id=f"c{n}", name=name, arguments=json.dumps(one)) for n, one in enumerate(arguments)]
    used = Usage(prompt_tokens=5, completion_tokens=2)
    return ModelResponse(tool_calls=ToolCallsEvent(made), usage=used, model="fake-1")


def says(text: str) -> ModelResponse:
    return ModelResponse(ModelMessage(text), usage=Usage(prompt_tokens=6, completion_tokens=3), model="fake-1")


def make(name: str, log: ToolLog, kind: str = "async") -> Any:
    def body(to: str) -> str:
        """Does what its name says."""
        log.append(to)
        return f"done for {to}"

    async def abody(to: str) -> str:
        """Does what its name says."""
        return body(to)

    return tool(abody if kind == "async" else body, name=name)


def agent(script: list[Any], tools: Any = (), name: str = "helper", **options: Any) -> tuple[Agent, list[Any]]:
    seen: list[Any] = []
    config = TestConfig(*script, **LENIENT)
    return Agent(name, config=config, tools=tools, middleware=[Middleware(Results, seen=seen)], **options), seen


def ask(asked: Agent) -> Any:
    return asyncio.run(asyncio.wait_for(asked.ask("go"), 60))


def observed(asked: Agent) -> Any:
    """Run a turn as those do that look at its stream."""

    async def turn() -> Any:
        async with asked.run("go") as running:
            running.start()
            return await running.result()

    return asyncio.run(asyncio.wait_for(turn(), 60))


every_way = pytest.mark.parametrize("way", [ask, observed])
every_kind = pytest.mark.parametrize("kind", ["async", "sync"])


def governed(claw: DashClaw, *agents: Agent, **options: Any) -> DashClawAutoGenIntegration:
    integration = DashClawAutoGenIntegration(claw, **options)
    for one in agents:
        assert integration.instrument_agent(one) is one
    return integration


@every_kind
@every_way
def test_an_allowed_call_runs_once_and_is_recorded(claw: DashClaw, log: ToolLog, way: Any, kind: str) -> None:
    asked, seen = agent([calls("read_mail", {"to": "ann"}), says("fine")], [make("read_mail", log, kind)])
    with governed(claw, asked):
        assert way(asked).body == "fine"
    log.once("ann")
    assert [said for _, said in seen] == ["done for ann"]
    (row,) = actions(claw, action_type="read_mail")
    assert (row["status"], row["output_summary"], row["agent_name"]) == ("completed", "done for ann", "helper")


@every_kind
@every_way
def test_a_blocked_call_never_runs_and_the_model_sees_why(claw: DashClaw, log: ToolLog, way: Any, kind: str) -> None:
    asked, seen = agent([calls("drop_mail", {"to": "ann"}), says("fine")], [make("drop_mail", log, kind)])
    with governed(claw, asked):
        assert way(asked).body == "fine"
    log.once()
    ((_, told),) = seen
    assert told.startswith("The tool drop_mail was NOT run")
    assert "No drops" in told
    assert [row["status"] for row in actions(claw, action_type="drop_mail")] == ["blocked"]


@every_way
def test_raising_ends_the_run(claw: DashClaw, log: ToolLog, way: Any) -> None:
    asked, _ = agent([calls("drop_mail", {"to": "ann"}), says("fine")], [make("drop_mail", log)])
    with governed(claw, asked, on_block="raise"), pytest.raises(GuardBlockedError, match="No drops"):
        way(asked)
    log.once()
    assert [row["status"] for row in actions(claw, action_type="agent.run")] == ["failed"]


@every_kind
@every_way
def test_an_approval_is_waited_for_and_then_the_call_runs_once(
    waiting: DashClaw, log: ToolLog, answering: Callable[..., Any], way: Any, kind: str
) -> None:
    asked, _ = agent([calls("send_mail", {"to": "ann"}), says("fine")], [make("send_mail", log, kind)])
    person = answering("allow", seen=log.once)
    with governed(waiting, asked):
        way(asked)
    log.once("ann")
    assert len(person.answered) == 1


def test_a_denied_call_never_runs(waiting: DashClaw, log: ToolLog, answering: Callable[..., Any]) -> None:
    asked, seen = agent([calls("send_mail", {"to": "ann"}), says("fine")], [make("send_mail", log)])
    answering("deny")
    with governed(waiting, asked):
        ask(asked)
    log.once()
    assert "denied" in seen[0][1]


def test_an_unreachable_server(
    unreachable: Callable[[str], DashClaw], log: ToolLog, caplog: pytest.LogCaptureFixture
) -> None:
    asked, seen = agent([calls("read_mail", {"to": "ann"}), says("fine")], [make("read_mail", log)])
    with governed(unreachable("closed"), asked):
        ask(asked)
    log.once()
    assert "NOT run" in seen[0][1]
    asked, _ = agent([calls("read_mail", {"to": "ann"}), says("fine")], [make("read_mail", log)])
    with governed(unreachable("open"), asked), caplog.at_level(logging.WARNING, "dashclaw"):
        ask(asked)
    log.once("ann")
    assert 'guard_failure is "open"' in caplog.text


# A synchronous decision is not on this way.
@pytest.mark.parametrize("step", [step for step in broken_steps("enforce") if step != "Governor.start"])
@every_kind
@every_way
def test_a_mistake_of_ours_never_runs_the_tool(
    claw: DashClaw, log: ToolLog, breaking: Callable[[str], None], step: str, way: Any, kind: str
) -> None:
    asked, seen = agent([calls("read_mail", {"to": "ann"}), says("fine")], [make("read_mail", log, kind)])
    with governed(claw, asked):
        breaking(step)
        way(asked)
    log.once()
    assert "NOT run" in seen[0][1]


@pytest.mark.parametrize("step", broken_steps("observe"))
@every_kind
@every_way
def test_observing_never_breaks_the_host(
    claw: DashClaw, log: ToolLog, breaking: Callable[[str], None], step: str, way: Any, kind: str
) -> None:
    asked, seen = agent([calls("drop_mail", {"to": "ann"}), says("fine")], [make("drop_mail", log, kind)])
    with governed(claw, asked, mode="observe"):
        breaking(step)
        assert way(asked).body == "fine"
    log.once("ann")
    assert [said for _, said in seen] == ["done for ann"]


@lenient
def test_arguments_that_are_no_json_never_run_a_tool(claw: DashClaw, log: ToolLog) -> None:
    bad = ModelResponse(tool_calls=ToolCallsEvent([ToolCallEvent(id="c1", name="read_mail", arguments="{")]))
    asked, seen = agent([bad, says("fine")], [make("read_mail", log)])
    with governed(claw, asked):
        ask(asked)
    log.once()
    assert len(seen) == 1


@lenient
def test_what_a_tool_raises_keeps_its_type(claw: DashClaw) -> None:
    def read_mail(to: str) -> str:
        raise LookupError(f"no {to}")

    asked, seen = agent([calls("read_mail", {"to": "ann"}), says("fine")], [tool(read_mail)])
    with governed(claw, asked):
        ask(asked)
    ((event, told),) = seen
    assert isinstance(event, ToolErrorEvent)
    assert isinstance(event.error, LookupError)
    assert "in read_mail" in told
    (row,) = actions(claw, action_type="read_mail")
    assert (row["status"], row["error_message"]) == ("failed", "LookupError: no ann")


@every_way
def test_what_a_model_raises_reaches_the_caller(claw: DashClaw, way: Any) -> None:
    class Overloaded(Exception):
        pass

    error = Overloaded("try later")

    class Failing(BaseMiddleware):
        async def on_llm_call(self, call_next: Any, events: Any, context: Any) -> Any:
            raise error

    asked = Agent("helper", config=TestConfig("never said"))
    with governed(claw, asked), pytest.raises(Overloaded) as caught:
        asked.add_middleware(Failing)
        way(asked)
    assert caught.value is error
    assert {row["status"] for row in actions(claw)} == {"failed"}


@every_way
def test_turns_and_tokens_are_recorded_with_their_parents(claw: DashClaw, log: ToolLog, way: Any) -> None:
    asked, _ = agent([calls("read_mail", {"to": "ann"}), says("fine")], [make("read_mail", log)])
    with governed(claw, asked):
        way(asked)
    rows = actions(claw)
    (turn,) = [row for row in rows if row["action_type"] == "agent.run"]
    assert "go" in turn["input_summary"]
    assert turn["output_summary"] == "fine"
    parts = [row for row in rows if row["parent_action_id"] == turn["action_id"]]
    assert [row["action_type"] for row in parts] == ["llm.call", "read_mail", "llm.call"]
    assert [(row["tokens_in"], row["tokens_out"], row["model"]) for row in parts] == [
        (5, 2, "fake-1"),
        (None, None, None),
        (6, 3, "fake-1"),
    ]
    assert {row["status"] for row in rows} == {"completed"}


def test_subtasks_are_governed_although_they_do_not_inherit_middleware(claw: DashClaw, log: ToolLog) -> None:
    sub = TestConfig(calls("drop_mail", {"to": "ann"}), says("could not"), **LENIENT)
    asked, seen = agent(
        [calls("run_subtask", {"task": "drop the mail"}), says("fine")],
        [make("drop_mail", log)],
        tasks=TaskConfig(config=sub),
    )
    with governed(claw, asked):
        ask(asked)
    log.once()
    assert [said for _, said in seen] == ["could not"]
    rows = {row["action_id"]: row for row in actions(claw)}
    (blocked,) = [row for row in rows.values() if row["action_type"] == "drop_mail"]
    assert blocked["status"] == "blocked"
    turn = rows[blocked["parent_action_id"]]
    spawned = rows[turn["parent_action_id"]]
    assert spawned["action_type"] == "run_subtask"
    assert rows[spawned["parent_action_id"]]["agent_name"] == "helper"


def test_an_agent_that_is_a_tool_is_governed(claw: DashClaw, log: ToolLog) -> None:
    inner, told = agent([calls("drop_mail", {"to": "ann"}), says("could not")], [make("drop_mail", log)], "inner")
    outer, _ = agent(
        [calls("task_inner", {"objective": "drop it"}), says("fine")], [inner.as_tool(description="Drops")], "outer"
    )
    with governed(claw, outer):
        ask(outer)
    log.once()
    assert "No drops" in told[0][1]
    (blocked,) = actions(claw, action_type="drop_mail")
    assert blocked["agent_name"] == "inner"


def test_runs_and_calls_at_the_same_time_do_not_mix(claw: DashClaw) -> None:
    logs = [ToolLog() for _ in range(6)]
    made = []
    for number, log in enumerate(logs):
        name = "drop_mail" if number % 2 else "read_mail"
        script = [calls(name, *({"to": f"n{number}-{part}"} for part in range(3))), says("fine")]
        made.append(agent(script, [make(name, log)], f"helper{number}")[0])

    async def everybody() -> None:
        await asyncio.wait_for(asyncio.gather(*(asked.ask("go") for asked in made)), 60)

    with governed(claw, *made):
        asyncio.run(everybody())
    for number, log in enumerate(logs):
        assert sorted(log) == ([] if number % 2 else [f"n{number}-{part}" for part in range(3)])
    rows = actions(claw)
    turns = {row["action_id"]: row["agent_name"] for row in rows if row["action_type"] == "agent.run"}
    assert sorted(turns.values()) == [f"helper{number}" for number in range(6)]
    parts = [row for row in rows if row["parent_action_id"]]
    assert len(parts) == 6 * 5
    assert all(turns[row["parent_action_id"]] == row["agent_name"] for row in parts)


def test_closing_restores_what_was_there(claw: DashClaw, log: ToolLog) -> None:
    asked, _ = agent([calls("drop_mail", {"to": "ann"}), says("fine")], [make("drop_mail", log)])
    before, methods = list(asked._middleware), (Agent.ask, Agent.run)
    known = set(vars(asked))
    with governed(claw, asked) as integration:
        integration.instrument_agent(asked)
        assert len(asked._middleware) == len(before) + 1
    assert (asked._middleware, set(vars(asked))) == (before, known)
    assert (Agent.ask, Agent.run) == methods
    ask(asked)
    log.once("ann")
    assert actions(claw) == []


def test_what_is_no_agent_is_refused(claw: DashClaw) -> None:
    with DashClawAutoGenIntegration(claw) as integration, pytest.raises(ConfigurationError, match="ag2's Agent"):
        integration.instrument_agent(object())
