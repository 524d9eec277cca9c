"""Functions of the Microsoft Agent Framework: what must not run does not run."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import agent_framework
import pytest
from agent_framework import Agent, tool

from dashclaw import AsyncDashClaw, ConfigurationError, DashClaw, GuardBlockedError
from dashclaw.integrations import agent_framework as adapter
from dashclaw.integrations.agent_framework import DashClawFunctionMiddleware, dashclaw_middleware
from dashclaw.local import LocalTransport

from ..conftest import ToolLog, actions, broken_steps
from .scripted import TOKENS_IN, TOKENS_OUT, WAYS, Scripted, call, run

every_way = pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
ENDS = hasattr(agent_framework, "MiddlewareFailure")


def tools(log: ToolLog) -> list[Any]:
    def body(to: str, times: int = 1) -> str:
        """Do it."""
        log.append(to)
        return f"done for {to}"

    async def abody(to: str) -> str:
        """Do it."""
        log.append(to)
        return f"done for {to}"

    return [
        tool(abody, name="read_mail", description="Do it."),
        tool(body, name="drop_mail"),
        tool(abody, name="drop_rows"),
        tool(body, name="send_mail"),
    ]


def agent(log: ToolLog, claw: Any, *steps: Any, **options: Any) -> Any:
    return Agent(Scripted(*steps), name="clerk", tools=tools(log), middleware=dashclaw_middleware(claw, **options))


def calls(claw: DashClaw) -> list[dict[str, Any]]:
    return [row for row in actions(claw) if row["action_type"] != "llm.call"]


@every_way
def test_an_allowed_call_runs_once_and_is_recorded(claw: DashClaw, log: ToolLog, way: Callable[..., Any]) -> None:
    clerk = agent(log, claw, call("read_mail", to="ann"), "ready")
    assert way(clerk).text == "ready"
    log.once("ann")
    assert "done for ann" in clerk.client.told()
    (row,) = calls(claw)
    assert (row["action_type"], row["status"], row["declared_goal"]) == ("read_mail", "completed", "read_mail: Do it.")
    assert (row["input_summary"], row["output_summary"]) == ('{"to": "ann"}', "done for ann")
    assert row["metadata"]["framework"] == "agent-framework"


@every_way
@pytest.mark.parametrize("name", ["drop_mail", "drop_rows"])
def test_a_blocked_call_never_runs_and_the_model_sees_why(
    claw: DashClaw, log: ToolLog, way: Callable[..., Any], name: str
) -> None:
    clerk = agent(log, claw, call(name, to="ann"), "ready")
    assert way(clerk).text == "ready"
    log.once()
    assert "NOT run" in clerk.client.told()
    assert "No drops" in clerk.client.told()
    assert [row["status"] for row in calls(claw)] == ["blocked"]


@pytest.mark.skipif(not ENDS, reason="the framework has no way yet")
@every_way
def test_raising_ends_the_run(claw: DashClaw, log: ToolLog, way: Callable[..., Any]) -> None:
    clerk = agent(log, claw, call("drop_mail", to="ann"), "ready", on_block="raise")
    with pytest.raises(agent_framework.MiddlewareFailure, match="No drops") as caught:
        way(clerk)
    assert isinstance(caught.value.__cause__, GuardBlockedError)
    log.once()


def test_calls_of_one_turn_are_decided_about_one_by_one(claw: DashClaw, log: ToolLog) -> None:
    wishes = [call("read_mail", "a", to="ann"), call("drop_mail", "b", to="bob"), call("read_mail", "c", to="cid")]
    run(agent(log, claw, wishes, "ready"))
    assert sorted(log) == ["ann", "cid"]
    assert sorted(row["status"] for row in calls(claw)) == ["blocked", "completed", "completed"]


@every_way
def test_an_approval_is_waited_for_and_the_function_runs_once(
    waiting: DashClaw, log: ToolLog, answering: Callable[..., Any], way: Callable[..., Any]
) -> None:
    person = answering("allow", seen=log.once)
    way(agent(log, waiting, call("send_mail", to="ann"), "ready"))
    log.once("ann")
    assert len(person.answered) == 1


def test_what_a_person_denies_never_runs(waiting: DashClaw, log: ToolLog, answering: Callable[..., Any]) -> None:
    answering("deny", seen=log.once)
    clerk = agent(log, waiting, call("send_mail", to="ann"), "ready")
    run(clerk)
    log.once()
    assert "denied" in clerk.client.told()


def test_without_a_server_the_fail_mode_decides(
    unreachable: Callable[[str], DashClaw], log: ToolLog, caplog: pytest.LogCaptureFixture
) -> None:
    run(agent(log, unreachable("closed"), call("read_mail", to="ann"), "ready"))
    log.once()
    with caplog.at_level(logging.WARNING, "dashclaw"):
        run(agent(log, unreachable("open"), call("read_mail", to="ann"), "ready"))
    log.once("ann")
    assert 'guard_failure is "open"' in caplog.text


def put(monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise ZeroDivisionError("a mistake of ours")

    holder, _, name = step.rpartition(".")
    monkeypatch.setattr(getattr(adapter, holder) if holder else adapter, name, fail)


ADAPTER = [
    "DashClawFunctionMiddleware._call",
    "DashClawFunctionMiddleware._stop",
    "adecide",
    "fingerprint",
    "plain",
]


@pytest.mark.parametrize("approvals", ["client", "interrupt"])
@pytest.mark.parametrize("step", broken_steps("enforce"))
def test_a_mistake_of_ours_never_lets_a_call_run(
    claw: DashClaw, log: ToolLog, step: str, approvals: str, breaking: Callable[[str], None]
) -> None:
    clerk = agent(log, claw, call("drop_mail", to="ann"), "ready", approvals=approvals)
    breaking(step)
    assert run(clerk).text == "ready"
    log.once()


@pytest.mark.parametrize("step", ADAPTER)
def test_a_mistake_of_the_adapter_never_lets_a_call_run(
    claw: DashClaw, log: ToolLog, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    clerk = agent(log, claw, call("drop_mail", to="ann"), "ready", approvals="interrupt")
    put(monkeypatch, step)
    assert run(clerk).text == "ready"
    log.once()


@pytest.mark.parametrize("step", broken_steps("observe"))
def test_a_mistake_of_ours_never_breaks_an_observed_host(
    claw: DashClaw, log: ToolLog, step: str, breaking: Callable[[str], None]
) -> None:
    clerk = agent(log, claw, call("drop_mail", to="ann"), "ready", mode="observe")
    breaking(step)
    assert run(clerk).text == "ready"
    log.once("ann")


@pytest.mark.parametrize("step", ["DashClawFunctionMiddleware._call", "plain", "_shown", "_usage"])
@every_way
def test_a_mistake_of_the_adapter_never_breaks_an_observed_host(
    claw: DashClaw, log: ToolLog, step: str, way: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    clerk = agent(log, claw, call("drop_mail", to="ann"), "ready", mode="observe")
    put(monkeypatch, step)
    assert way(clerk).text == "ready"
    log.once("ann")
    assert "done for ann" in clerk.client.told()


def test_observing_stops_nothing(claw: DashClaw, log: ToolLog, caplog: pytest.LogCaptureFixture) -> None:
    wishes = [call("drop_mail", "a", to="ann"), call("send_mail", "b", to="bob")]
    with caplog.at_level(logging.WARNING, "dashclaw"):
        assert run(agent(log, claw, wishes, "ready", mode="observe", approvals="interrupt")).text == "ready"
    assert sorted(log) == ["ann", "bob"]
    assert "only observed" in caplog.text


def test_concurrent_runs_do_not_mix(claw: DashClaw, log: ToolLog) -> None:
    clerks = [
        agent(log, claw, call("read_mail" if place % 2 else "drop_mail", to=str(place)), f"ready {place}")
        for place in range(20)
    ]

    async def together() -> list[Any]:
        return await asyncio.gather(*(clerk.run("go") for clerk in clerks))

    assert [result.text for result in asyncio.run(together())] == [f"ready {place}" for place in range(20)]
    assert sorted(log, key=int) == [str(place) for place in range(1, 20, 2)]
    for place, clerk in enumerate(clerks):
        assert ("done for" if place % 2 else "No drops") in clerk.client.told()


def test_an_asynchronous_client_serves_as_well(database: Path, log: ToolLog) -> None:
    async def through() -> Any:
        async with AsyncDashClaw(transport=LocalTransport.open(database), agent_id="agent", hitl_mode="off") as claw:
            wishes = [call("drop_mail", "a", to="ann"), call("read_mail", "b", to="bob")]
            return await agent(log, claw, wishes, "ready").run("go")

    assert asyncio.run(through()).text == "ready"
    log.once("bob")


def test_an_error_of_a_function_keeps_its_type(claw: DashClaw) -> None:
    seen: list[BaseException] = []

    @tool
    def read_mail(to: str) -> str:
        """Read."""
        raise LookupError("no such letter")

    class Watching(agent_framework.FunctionMiddleware):
        async def process(self, context: Any, call_next: Any) -> None:
            try:
                await call_next()
            except Exception as error:
                seen.append(error)
                raise

    clerk = Agent(
        Scripted(call("read_mail", to="a"), "ready"),
        tools=[read_mail],
        middleware=[Watching(), *dashclaw_middleware(claw)],
    )
    assert run(clerk).text == "ready"
    assert isinstance(seen[0], LookupError)
    assert seen[0].__traceback__ is not None
    (row,) = calls(claw)
    assert (row["status"], row["error_message"]) == ("failed", "LookupError: no such letter")


@every_way
def test_calls_of_models_are_recorded(claw: DashClaw, log: ToolLog, way: Callable[..., Any]) -> None:
    way(agent(log, claw, call("read_mail", to="ann"), "ready"))
    rows = [row for row in actions(claw) if row["action_type"] == "llm.call"]
    assert [row["status"] for row in rows] == ["completed", "completed"]
    assert [(row["tokens_in"], row["tokens_out"]) for row in rows] == [(TOKENS_IN, TOKENS_OUT)] * 2


@every_way
def test_an_error_of_a_model_keeps_its_type(claw: DashClaw, log: ToolLog, way: Callable[..., Any]) -> None:
    with pytest.raises(LookupError, match="no such model"):
        way(agent(log, claw, LookupError("no such model")))
    (row,) = actions(claw)
    assert (row["action_type"], row["status"]) == ("llm.call", "failed")
    assert row["error_message"] == "LookupError: no such model"


def test_an_agent_used_as_a_function_has_its_calls_as_parts(claw: DashClaw, log: ToolLog) -> None:
    inner = agent(log, claw, call("drop_mail", to="ann"), "inner ready").as_tool(name="ask_clerk")
    outer = Agent(Scripted(call("ask_clerk", task="x"), "ready"), tools=[inner], middleware=dashclaw_middleware(claw))
    assert run(outer).text == "ready"
    log.once()
    rows = {row["action_type"]: row for row in calls(claw)}
    assert rows["drop_mail"]["parent_action_id"] == rows["ask_clerk"]["action_id"]


def test_options_are_checked(claw: DashClaw, waiting: DashClaw) -> None:
    with pytest.raises(ConfigurationError, match="approvals"):
        DashClawFunctionMiddleware(claw, approvals="never")  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="hitl_mode"):
        DashClawFunctionMiddleware(waiting, approvals="interrupt")
    with pytest.raises(ConfigurationError, match="mode"):
        DashClawFunctionMiddleware(claw, mode="loud")
    if not ENDS:
        with pytest.raises(ConfigurationError, match=r"1\.15"):
            DashClawFunctionMiddleware(claw, on_block="raise")
