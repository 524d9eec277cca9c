"""Approvals that interrupt a run, kept as the SDK's own `RunState` and gone on with in another process."""

from __future__ import annotations

import asyncio
import inspect
import subprocess
import sys
from pathlib import Path
from typing import Any

import agents
import pytest
from agents import Agent, RunState, function_tool

from dashclaw import DashClaw
from dashclaw.integrations.openai_agents import govern_agent, settle_approvals

from ..conftest import ToolLog, actions
from .scripted import WAYS, call, model, run, text, told

every_way = pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)


def agent(log: Any, *steps: Any, tool: Any = None) -> Any:
    def send_mail(to: str, times: int = 1) -> str:
        """Send."""
        log.append(to)
        return "sent"

    def read_mail(to: str) -> str:
        """Read."""
        log.append(to)
        return "read"

    tools = [tool or function_tool(send_mail), function_tool(read_mail)]
    return Agent(name="clerk", model=model(*steps), tools=tools)


def interrupting(claw: DashClaw, log: Any, *steps: Any, **options: Any) -> Any:
    return govern_agent(agent(log, *steps, **options), claw, approvals="interrupt")


def state_of(clerk: Any, kept: str, claw: DashClaw | None = None) -> Any:
    async def read() -> Any:
        state = await RunState.from_string(clerk, kept)
        if claw is not None:
            await settle_approvals(state, claw)
        return state

    return asyncio.run(read())


def pending(claw: DashClaw) -> list[str]:
    found: Any = claw.get_pending_approvals()["actions"]
    return [row["action_id"] for row in found]


@every_way
def test_a_run_is_interrupted_and_goes_on_with_the_approval_once(claw: DashClaw, log: ToolLog, way: Any) -> None:
    wishes = [call("send_mail", "a", to="ann"), call("read_mail", "b", to="bob")]
    result = way(interrupting(claw, log, wishes))
    log.once("bob")
    assert [(item.name, item.call_id) for item in result.interruptions] == [("send_mail", "a")]
    (action_id,) = pending(claw)
    kept = result.to_state().to_string()

    clerk = interrupting(claw, log)
    again = way(clerk, state_of(clerk, kept, claw))
    assert len(again.interruptions) == 1
    assert pending(claw) == [action_id]
    log.once("bob")

    claw.approve_action(action_id, "allow")
    clerk = interrupting(claw, log, text("ready"))
    assert way(clerk, state_of(clerk, kept, claw)).final_output == "ready"
    log.once("bob", "ann")
    row = next(row for row in actions(claw) if row["action_id"] == action_id)
    assert (row["status"], row["output_summary"]) == ("completed", "sent")

    clerk = interrupting(claw, log, text("too late"))
    assert way(clerk, state_of(clerk, kept, claw)).final_output == "too late"
    assert "runs once" in told(clerk.model)
    log.once("bob", "ann")


def test_what_was_denied_is_told_to_the_model(claw: DashClaw, log: ToolLog) -> None:
    kept = run(interrupting(claw, log, call("send_mail", to="ann"))).to_state().to_string()
    claw.approve_action(pending(claw)[0], "deny", reasoning="not to her")
    clerk = interrupting(claw, log, text("ready"))
    assert run(clerk, state_of(clerk, kept, claw)).final_output == "ready"
    tells = "rejection_message" in inspect.signature(RunState.reject).parameters
    assert ("not to her" if tells else "not approved") in told(clerk.model)
    log.once()


def test_the_frameworks_own_approval_does_not_stand_for_ours(claw: DashClaw, log: ToolLog) -> None:
    result = run(interrupting(claw, log, call("send_mail", to="ann")))
    state = result.to_state()
    state.approve(state.get_interruptions()[0])
    clerk = interrupting(claw, log, text("ready"))
    state = state_of(clerk, state.to_string())
    assert run(clerk, state).final_output == "ready"
    assert "has to approve" in told(clerk.model)
    log.once()
    assert len(pending(claw)) == 1


@pytest.mark.parametrize("setting", [True, "function"])
def test_a_tools_own_need_of_approval_comes_first(claw: DashClaw, log: ToolLog, setting: Any) -> None:
    async def always(context: Any, arguments: Any, call_id: str) -> bool:
        return True

    def read_mail(to: str) -> str:
        """Read."""
        log.append(to)
        return "read"

    for approvals in ("client", "interrupt"):
        tool = function_tool(read_mail, needs_approval=always if setting == "function" else True)
        clerk = Agent(name="clerk", model=model(call("read_mail", to="ann"), text("ready")), tools=[tool])
        result = run(govern_agent(clerk, claw, approvals=approvals))  # type: ignore[arg-type]
        assert len(result.interruptions) == 1
        assert list(log) == []
        state = result.to_state()
        assert asyncio.run(settle_approvals(state, claw)) == 1
        state.approve(state.get_interruptions()[0])
        assert run(clerk, state).final_output == "ready"
        log.once("ann")
        log.clear()


def test_an_agent_used_as_a_tool_is_interrupted_as_well(claw: DashClaw, log: ToolLog) -> None:
    def outer(inner_steps: list[Any], steps: list[Any]) -> Any:
        asked = agent(log, *inner_steps).as_tool("ask_clerk", "Ask the clerk")
        boss = Agent(name="boss", model=model(*steps), tools=[asked])
        return govern_agent(boss, claw, approvals="interrupt")

    boss = outer([call("send_mail", "in_1", to="ann")], [call("ask_clerk", "out_1", input="x")])
    result = run(boss)
    assert [item.name for item in result.interruptions] == ["send_mail"]
    log.once()
    claw.approve_action(pending(claw)[0], "allow")
    state = result.to_state()
    assert asyncio.run(settle_approvals(state, claw)) == 0
    boss.tools[0]._agent_instance.model = model(text("inner ready"))
    boss.model = model(text("ready"))
    assert run(boss, state).final_output == "ready"
    log.once("ann")


PROCESS = """
import asyncio, sys
from pathlib import Path
from tests.integrations.openai_agents.scripted import call, model, text
from agents import Agent, Runner, RunState, function_tool
from dashclaw import DashClaw
from dashclaw.integrations.openai_agents import govern_agent, settle_approvals

database, kept, log = map(Path, sys.argv[1:])


@function_tool
def send_mail(to: str) -> str:
    "Send."
    with log.open("a") as out:
        out.write(to + "\\n")
    return "sent"


async def main(claw):
    steps = [text("ready")] if kept.exists() else [call("send_mail", to="ann")]
    agent = govern_agent(Agent(name="clerk", model=model(*steps), tools=[send_mail]), claw, approvals="interrupt")
    given = "go"
    if kept.exists():
        given = await RunState.from_string(agent, kept.read_text())
        assert await settle_approvals(given, claw) == 0
    result = await Runner.run(agent, given)
    kept.write_text(result.to_state().to_string())
    print(len(result.interruptions), result.final_output)


with DashClaw.local(database, agent_id="agent", hitl_mode="off") as claw:
    asyncio.run(main(claw))
"""


def test_another_process_goes_on(database: Path, tmp_path: Path) -> None:
    kept, log = tmp_path / "state.json", tmp_path / "log"
    root = Path(__file__).parents[3]

    def process(*command: str) -> str:
        done = subprocess.run([sys.executable, *command], cwd=root, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    program = ("-c", PROCESS, str(database), str(kept), str(log))
    assert process(*program) == "1 None"
    assert not log.exists()
    with DashClaw.local(database, agent_id="person") as claw:
        (action_id,) = pending(claw)
    process("-m", "dashclaw", "approvals", "approve", action_id, "--db", str(database))
    assert process(*program) == "0 ready"
    assert log.read_text() == "ann\n"


@pytest.mark.skipif(not hasattr(agents, "ToolExecutionConfig"), reason="the SDK cannot ask its guardrails first yet")
def test_guardrails_that_are_asked_before_an_approval_do_not_answer_for_it(claw: DashClaw, log: ToolLog) -> None:
    config = agents.RunConfig(tool_execution=agents.ToolExecutionConfig(pre_approval_tool_input_guardrails=True))
    kept = run(interrupting(claw, log, call("send_mail", to="ann")), run_config=config).to_state().to_string()
    log.once()
    (action_id,) = pending(claw)
    claw.approve_action(action_id, "allow")
    clerk = interrupting(claw, log, text("ready"))
    assert run(clerk, state_of(clerk, kept, claw), run_config=config).final_output == "ready"
    log.once("ann")
