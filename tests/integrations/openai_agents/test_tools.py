"""Function tools of the OpenAI Agents SDK: what must not run does not run."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import pytest
from agents import Agent, Runner, ToolInputGuardrailTripwireTriggered, UserError, function_tool, handoff

from dashclaw import AsyncDashClaw, ConfigurationError, DashClaw
from dashclaw.integrations.openai_agents import govern_agent, governed_tool
from dashclaw.local import LocalTransport

from ..conftest import ToolLog, actions, broken_steps
from .scripted import WAYS, call, model, run, text, told

every_way = pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)


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
        function_tool(abody, name_override="read_mail"),
        function_tool(body, name_override="drop_mail"),
        function_tool(abody, name_override="drop_rows"),
        function_tool(body, name_override="send_mail"),
    ]


def agent(log: ToolLog, *steps: Any, **fields: Any) -> Any:
    return Agent(name="clerk", model=model(*steps), tools=tools(log), **fields)


@every_way
def test_an_allowed_call_runs_once_and_is_recorded(claw: DashClaw, log: ToolLog, way: Callable[..., Any]) -> None:
    clerk = agent(log, call("read_mail", to="ann"), text("ready"))
    assert govern_agent(clerk, claw) is clerk
    assert way(clerk).final_output == "ready"
    log.once("ann")
    assert "done for ann" in told(clerk.model)
    (row,) = actions(claw)
    assert (row["action_type"], row["status"], row["declared_goal"]) == ("read_mail", "completed", "read_mail: Do it.")
    assert (row["input_summary"], row["output_summary"]) == ('{"to": "ann"}', "done for ann")
    assert (row["metadata"]["framework"], row["metadata"]["agent"]) == ("openai-agents", "clerk")


@every_way
@pytest.mark.parametrize("name", ["drop_mail", "drop_rows"])
def test_a_blocked_call_never_runs_and_the_model_sees_why(
    claw: DashClaw, log: ToolLog, way: Callable[..., Any], name: str
) -> None:
    clerk = govern_agent(agent(log, call(name, to="ann"), text("ready")), claw)
    result = way(clerk)
    assert result.final_output == "ready"
    log.once()
    assert "NOT run" in told(clerk.model)
    assert "No drops" in told(clerk.model)
    assert [row["status"] for row in actions(claw)] == ["blocked"]


@every_way
def test_raising_ends_the_run(claw: DashClaw, log: ToolLog, way: Callable[..., Any]) -> None:
    clerk = govern_agent(agent(log, call("drop_mail", to="ann"), text("ready")), claw, on_block="raise")
    with pytest.raises(ToolInputGuardrailTripwireTriggered) as caught:
        way(clerk)
    assert "No drops" in caught.value.output.output_info["reason"]
    log.once()


def test_calls_of_one_turn_are_decided_about_one_by_one(claw: DashClaw, log: ToolLog) -> None:
    wishes = [call("read_mail", "a", to="ann"), call("drop_mail", "b", to="bob"), call("read_mail", "c", to="cid")]
    clerk = govern_agent(agent(log, wishes, text("ready")), claw)
    run(clerk)
    assert sorted(log) == ["ann", "cid"]
    assert sorted(row["status"] for row in actions(claw)) == ["blocked", "completed", "completed"]


@every_way
def test_an_approval_is_waited_for_and_the_tool_runs_once(
    waiting: DashClaw, log: ToolLog, answering: Callable[..., Any], way: Callable[..., Any]
) -> None:
    person = answering("allow", seen=log.once)
    clerk = govern_agent(agent(log, call("send_mail", to="ann"), text("ready")), waiting)
    way(clerk)
    log.once("ann")
    assert len(person.answered) == 1


def test_what_a_person_denies_never_runs(waiting: DashClaw, log: ToolLog, answering: Callable[..., Any]) -> None:
    answering("deny", seen=log.once)
    clerk = govern_agent(agent(log, call("send_mail", to="ann"), text("ready")), waiting)
    run(clerk)
    log.once()
    assert "denied" in told(clerk.model)


def test_without_waiting_the_model_is_told_to_go_on(claw: DashClaw, log: ToolLog) -> None:
    clerk = govern_agent(agent(log, call("send_mail", to="ann"), text("ready")), claw)
    run(clerk)
    log.once()
    assert "has to approve" in told(clerk.model)


def test_without_a_server_the_fail_mode_decides(
    unreachable: Callable[[str], DashClaw], log: ToolLog, caplog: pytest.LogCaptureFixture
) -> None:
    run(govern_agent(agent(log, call("read_mail", to="ann"), text("ready")), unreachable("closed")))
    log.once()
    with caplog.at_level(logging.WARNING, "dashclaw"):
        run(govern_agent(agent(log, call("read_mail", to="ann"), text("ready")), unreachable("open")))
    log.once("ann")
    assert 'guard_failure is "open"' in caplog.text


ADAPTER = ["ToolGovernor.call", "ToolGovernor.keep", "ToolGovernor.taken", "fingerprint", "adecide"]


@pytest.mark.parametrize("approvals", ["client", "interrupt"])
@pytest.mark.parametrize("step", broken_steps("enforce") + ADAPTER)
def test_a_mistake_of_ours_never_lets_a_call_run(
    claw: DashClaw,
    log: ToolLog,
    step: str,
    approvals: str,
    breaking: Callable[[str], None],
    breaking_here: Callable[[str], None],
) -> None:
    clerk = govern_agent(agent(log, call("drop_mail", to="ann"), text("ready")), claw, approvals=approvals)
    (breaking_here if step in ADAPTER else breaking)(step)
    try:
        assert run(clerk).final_output in ("ready", None)
    except UserError as error:
        assert step in ADAPTER, error
    log.once()


@pytest.mark.parametrize("step", [*broken_steps("observe"), "fingerprint", "ToolGovernor.call", "ToolGovernor.taken"])
def test_a_mistake_of_ours_never_breaks_an_observed_host(
    claw: DashClaw,
    log: ToolLog,
    step: str,
    breaking: Callable[[str], None],
    breaking_here: Callable[[str], None],
) -> None:
    clerk = govern_agent(agent(log, call("drop_mail", to="ann"), text("ready")), claw, mode="observe")
    (breaking_here if step in (*ADAPTER, "fingerprint") and step != "fingerprint" else breaking)(step)
    assert run(clerk).final_output == "ready"
    log.once("ann")


def test_observing_stops_nothing(claw: DashClaw, log: ToolLog, caplog: pytest.LogCaptureFixture) -> None:
    wishes = [call("drop_mail", "a", to="ann"), call("send_mail", "b", to="bob")]
    clerk = govern_agent(agent(log, wishes, text("ready")), claw, mode="observe", approvals="interrupt")
    with caplog.at_level(logging.WARNING, "dashclaw"):
        assert run(clerk).final_output == "ready"
    assert sorted(log) == ["ann", "bob"]
    assert "only observed" in caplog.text


def test_concurrent_runs_do_not_mix(claw: DashClaw, log: ToolLog) -> None:
    clerks = [
        govern_agent(
            agent(log, call("read_mail" if place % 2 else "drop_mail", to=str(place)), text(f"ready {place}")), claw
        )
        for place in range(20)
    ]

    async def together() -> list[Any]:
        return await asyncio.gather(*(Runner.run(clerk, "go") for clerk in clerks))

    assert [result.final_output for result in asyncio.run(together())] == [f"ready {place}" for place in range(20)]
    assert sorted(log, key=int) == [str(place) for place in range(1, 20, 2)]
    for place, clerk in enumerate(clerks):
        assert ("done for" if place % 2 else "No drops") in told(clerk.model)


def test_an_asynchronous_client_serves_as_well(database: Any, log: ToolLog) -> None:
    async def through() -> Any:
        async with AsyncDashClaw(transport=LocalTransport.open(database), agent_id="agent", hitl_mode="off") as claw:
            wishes = [call("drop_mail", "a", to="ann"), call("read_mail", "b", to="bob")]
            return await Runner.run(govern_agent(agent(log, wishes, text("ready")), claw), "go")

    assert asyncio.run(through()).final_output == "ready"
    log.once("bob")


def failing() -> Any:
    raise LookupError("no such letter")


def test_an_error_of_a_tool_keeps_its_type(claw: DashClaw) -> None:
    def read_mail(to: str) -> str:
        """Read."""
        return str(failing())

    for tool, kind in (
        (function_tool(read_mail, failure_error_function=None), "LookupError"),
        (governed_tool(read_mail, claw), "LookupError"),
        (function_tool(read_mail), "ToolFailedError"),
    ):
        clerk = govern_agent(Agent(name="clerk", model=model(call("read_mail", to="a"), text("x")), tools=[tool]), claw)
        if getattr(tool, "_dashclaw", None) is None and kind == "LookupError":
            with pytest.raises(UserError) as caught:
                run(clerk)
            assert isinstance(caught.value.__cause__, LookupError)
            assert caught.value.__cause__.__traceback__ is not None
        else:
            assert run(clerk).final_output == "x"
        row = actions(claw)[-1]
        assert (row["status"], row["error_message"].partition(":")[0]) == ("failed", kind)


def test_a_governed_function_serves_any_agent(claw: DashClaw, log: ToolLog) -> None:
    def drop_mail(to: str) -> str:
        """Drop."""
        log.append(to)
        return "gone"

    tool = governed_tool(drop_mail, claw)
    assert governed_tool(tool, claw) is tool
    clerk = Agent(name="clerk", model=model(call("drop_mail", to="a"), text("ready")), tools=[tool])
    run(govern_agent(clerk, claw))
    log.once()
    assert len(actions(claw)) == 1


def test_agents_within_reach_are_governed(claw: DashClaw, log: ToolLog) -> None:
    far = Agent(name="far", model=model(call("drop_mail", to="far"), text("far ready")), tools=tools(log))
    near = agent(log, call("transfer_to_far", "hand_1"), handoffs=[handoff(far)])
    first = Agent(name="first", model=model(call("transfer_to_clerk", "hand_2")), handoffs=[near])
    far.handoffs.append(first)
    result = run(govern_agent(first, claw))
    assert (result.last_agent.name, result.final_output) == ("far", "far ready")
    assert "No drops" in told(far.model)
    inner = agent(log, call("drop_mail", to="inner"), text("inner ready"))
    asked = inner.as_tool("ask_clerk", "Ask the clerk")
    outer = Agent(name="outer", model=model(call("ask_clerk", input="x"), text("ready")), tools=[asked])
    run(govern_agent(outer, claw))
    log.once()
    inside = [row for row in actions(claw) if row["metadata"].get("agent") == "clerk"]
    outside = [row for row in actions(claw) if row["action_type"] == "ask_clerk"]
    assert inside[-1]["parent_action_id"] == outside[-1]["action_id"]


def test_clones_and_tools_that_are_added_later_are_governed(claw: DashClaw, log: ToolLog) -> None:
    clerk = govern_agent(Agent(name="clerk", model=model(), tools=[]), claw)
    other = clerk.clone(model=model(call("drop_mail", to="ann"), text("ready")))
    other.tools.extend(tools(log))
    run(other)
    log.once()
    assert "No drops" in told(other.model)


def test_a_tool_that_is_called_past_the_runner_is_governed(claw: DashClaw, log: ToolLog) -> None:
    from agents.tool_context import ToolContext

    tool = next(tool for tool in govern_agent(agent(log), claw).tools if tool.name == "drop_mail")
    context = ToolContext(context=None, tool_name="drop_mail", tool_call_id="x", tool_arguments='{"to": "a"}')
    assert "No drops" in asyncio.run(tool.on_invoke_tool(context, '{"to": "a"}'))
    log.once()


def test_options_are_checked(claw: DashClaw, waiting: DashClaw, log: ToolLog) -> None:
    with pytest.raises(ConfigurationError, match="approvals"):
        govern_agent(agent(log), claw, approvals="never")  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="hitl_mode"):
        govern_agent(agent(log), waiting, approvals="interrupt")
    with pytest.raises(ConfigurationError, match="mode"):
        govern_agent(agent(log), claw, mode="loud")
