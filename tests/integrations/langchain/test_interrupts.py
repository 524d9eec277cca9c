"""Approvals as interrupts of a graph: other processes go on after a person has decided."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from langchain.agents import create_agent
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

from dashclaw import DashClaw
from dashclaw.integrations.langchain import DashClawMiddleware

from ..conftest import ToolLog, actions
from .scripted import WAYS, Scripted, calls, says
from .test_handler import make

ROOT = Path(__file__).parents[3]
every_way = pytest.mark.parametrize("name", ["invoke", "ainvoke", "stream", "astream"])
GO = {"messages": [("user", "go")]}


def elsewhere(folder: Path, step: str) -> Any:
    """Run a step of the agent in another process."""
    command = [sys.executable, "-m", "tests.integrations.langchain.mail_agent", str(folder), step]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    if step == "crash":
        assert done.returncode == 3, done.stderr
        return None
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def dashclaw(folder: Path, *command: str) -> None:
    program = [sys.executable, "-m", "dashclaw", *command, "--db", str(folder / "dashclaw.db")]
    done = subprocess.run(program, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr


def sent(folder: Path) -> list[str]:
    place = folder / "sent.txt"
    return place.read_text().split() if place.exists() else []


def test_another_process_goes_on_and_the_tool_runs_once(database: Path, claw: DashClaw) -> None:
    folder = database.parent
    (question,) = elsewhere(folder, "ask")["asked"]
    assert (question["type"], question["tool"], question["arguments"]) == (
        "dashclaw_approval",
        "send_mail",
        '{"to": "ann"}',
    )
    # Whoever resumes does not approve by that.
    (again,) = elsewhere(folder, "resume")["asked"]
    assert again["action_id"] == question["action_id"]
    assert sent(folder) == []
    dashclaw(folder, "approvals", "approve", question["action_id"])
    assert elsewhere(folder, "resume") == {"asked": [], "told": ["sent"]}
    assert sent(folder) == ["ann"]
    elsewhere(folder, "resume")
    assert sent(folder) == ["ann"]
    (row,) = [row for row in actions(claw) if row["action_type"] == "send_mail"]
    assert (row["action_id"], row["status"], row["session_id"]) == (question["action_id"], "completed", "1")


def test_a_denial_reaches_the_model_of_another_process(database: Path) -> None:
    folder = database.parent
    (question,) = elsewhere(folder, "ask")["asked"]
    dashclaw(folder, "approvals", "deny", question["action_id"], "--reason", "not to ann")
    (told,) = elsewhere(folder, "resume")["told"]
    assert "A person denied it" in told
    assert "not to ann" in told
    assert sent(folder) == []


def test_what_was_approved_once_does_not_run_again_after_a_crash(database: Path) -> None:
    folder = database.parent
    (question,) = elsewhere(folder, "ask")["asked"]
    dashclaw(folder, "approvals", "approve", question["action_id"])
    elsewhere(folder, "crash")
    assert sent(folder) == ["ann"]
    (told,) = elsewhere(folder, "resume")["told"]
    assert "runs once" in told
    assert sent(folder) == ["ann"]


def interrupting(claw: DashClaw, log: ToolLog, script: list[Any], *names: str) -> Any:
    return create_agent(
        Scripted(script=script),
        [make(name, log, "both") for name in names],
        middleware=[DashClawMiddleware(claw, approvals="interrupt")],
        checkpointer=InMemorySaver(),
    )


def thread(name: str) -> dict[str, Any]:
    return {"configurable": {"thread_id": name}}


def interrupts(agent: Any, name: str) -> list[Any]:
    return [item for task in agent.get_state(thread(name)).tasks for item in task.interrupts]


def questions(agent: Any, name: str) -> list[Any]:
    return [item.value for item in interrupts(agent, name)]


@every_way
def test_a_thread_is_interrupted_and_goes_on(claw: DashClaw, log: ToolLog, name: str) -> None:
    agent = interrupting(claw, log, [calls("send_mail", to="ann"), says("done")], "send_mail")
    WAYS[name](agent, GO, thread("1"))
    log.once()
    (question,) = questions(agent, "1")
    claw.approve_action(question["action_id"], "allow")
    WAYS[name](agent, Command(resume=True), thread("1"))
    log.once("ann")
    assert questions(agent, "1") == []
    assert [row["status"] for row in actions(claw)] == ["completed"]


def test_calls_beside_one_that_waits_run_once(claw: DashClaw, log: ToolLog) -> None:
    both = calls("read_mail", to="ann", call_id="a")
    both.tool_calls += [
        {"name": "send_mail", "args": {"to": who}, "id": who, "type": "tool_call"} for who in ("bob", "eve")
    ]
    agent = interrupting(claw, log, [both, says("done")], "read_mail", "send_mail")
    agent.invoke(GO, thread("1"))
    log.once("ann")
    asked = {question["arguments"]: question["action_id"] for question in questions(agent, "1")}
    claw.approve_action(asked['{"to": "bob"}'], "allow")
    agent.invoke(Command(resume={item.id: True for item in interrupts(agent, "1")}), thread("1"))
    log.once("ann", "bob")
    claw.approve_action(asked['{"to": "eve"}'], "deny")
    waits = [item.id for item in interrupts(agent, "1") if item.value["action_id"] == asked['{"to": "eve"}']]
    found = agent.invoke(Command(resume=dict.fromkeys(waits, True)), thread("1"))
    log.once("ann", "bob")
    assert found["messages"][-1].content == "done"


def test_threads_do_not_share_approvals(claw: DashClaw, log: ToolLog) -> None:
    script = [calls("send_mail", to="ann"), calls("send_mail", to="ann"), says("done"), says("done")]
    agent = interrupting(claw, log, script, "send_mail")
    agent.invoke(GO, thread("1"))
    agent.invoke(GO, thread("2"))
    (first,), (second,) = questions(agent, "1"), questions(agent, "2")
    assert first["action_id"] != second["action_id"]
    claw.approve_action(first["action_id"], "allow")
    agent.invoke(Command(resume=True), thread("2"))
    log.once()
    agent.invoke(Command(resume=True), thread("1"))
    log.once("ann")


def test_a_later_call_that_is_the_same_asks_again(claw: DashClaw, log: ToolLog) -> None:
    script = [calls("send_mail", to="ann"), calls("send_mail", to="ann"), says("done")]
    agent = interrupting(claw, log, script, "send_mail")
    agent.invoke(GO, thread("1"))
    claw.approve_action(questions(agent, "1")[0]["action_id"], "allow")
    agent.invoke(Command(resume=True), thread("1"))
    log.once("ann")
    (second,) = questions(agent, "1")
    claw.approve_action(second["action_id"], "allow")
    agent.invoke(Command(resume=True), thread("1"))
    log.once("ann", "ann")


def test_without_a_checkpointer_the_model_learns_what_waits(claw: DashClaw, log: ToolLog) -> None:
    model = Scripted(script=[calls("send_mail", to="ann"), says("done")])
    agent = create_agent(model, [make("send_mail", log)], middleware=[DashClawMiddleware(claw, approvals="interrupt")])
    found = agent.invoke(GO)
    log.once()
    assert "A person has to approve it first" in found["messages"][-2].content


@pytest.mark.parametrize("name", ["invoke", "ainvoke"])
def test_without_a_server_the_thread_goes_on_without_the_tool(
    unreachable: Callable[[str], DashClaw], log: ToolLog, name: str
) -> None:
    agent = interrupting(unreachable("closed"), log, [calls("send_mail", to="ann"), says("done")], "send_mail")
    found = WAYS[name](agent, GO, thread("1"))
    log.once()
    assert "NOT run" in found["messages"][-2].content
