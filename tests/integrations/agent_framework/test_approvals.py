"""Approvals as the framework's own requests, answered in another run or process."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from agent_framework import Agent, AgentSession, Content, Message, tool

from dashclaw import DashClaw
from dashclaw.integrations.agent_framework import dashclaw_middleware

from ..conftest import ToolLog, actions
from .scripted import WAYS, Scripted, call, run

every_way = pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)


def agent(log: Any, claw: DashClaw, *steps: Any) -> Any:
    @tool
    def send_mail(to: str, times: int = 1) -> str:
        """Send."""
        log.append(to)
        return "sent"

    return Agent(Scripted(*steps), tools=[send_mail], middleware=dashclaw_middleware(claw, approvals="interrupt"))


def asked(way: Any, clerk: Any) -> str:
    """Run an agent until it asks; return what to keep."""
    session = clerk.create_session()
    (request,) = way(clerk, session=session).user_input_requests
    return json.dumps({"session": session.to_dict(), "request": request.to_dict()})


def answered(way: Any, clerk: Any, kept: str, approved: bool = True) -> str:
    """Go on with what was kept; return what the model got to read."""
    found = json.loads(kept)
    session = AgentSession.from_dict(found["session"])
    response = Content.from_dict(found["request"]).to_function_approval_response(approved)
    assert way(clerk, Message("user", [response]), session=session).text == "ready"
    return str(clerk.client.told())


def pending(claw: DashClaw) -> list[str]:
    found: Any = claw.get_pending_approvals()["actions"]
    return [row["action_id"] for row in found]


@every_way
def test_a_run_ends_with_a_request_and_goes_on_with_the_approval_once(claw: DashClaw, log: ToolLog, way: Any) -> None:
    kept = asked(way, agent(log, claw, call("send_mail", to="ann")))
    log.once()
    (action_id,) = pending(claw)
    request = json.loads(kept)["request"]
    assert request["additional_properties"]["dashclaw_action_id"] == action_id
    assert request["function_call"]["name"] == "send_mail"

    assert "has to approve" in answered(way, agent(log, claw, "ready"), kept)
    log.once()
    assert pending(claw) == [action_id]

    claw.approve_action(action_id, "allow")
    assert "sent" in answered(way, agent(log, claw, "ready"), kept)
    log.once("ann")
    row = next(row for row in actions(claw) if row["action_id"] == action_id)
    assert (row["status"], row["output_summary"]) == ("completed", "sent")

    assert "runs once" in answered(way, agent(log, claw, "ready"), kept)
    log.once("ann")


def test_what_was_denied_is_told_to_the_model(claw: DashClaw, log: ToolLog) -> None:
    kept = asked(run, agent(log, claw, call("send_mail", to="ann")))
    claw.approve_action(pending(claw)[0], "deny", reasoning="not to her")
    assert "not to her" in answered(run, agent(log, claw, "ready"), kept)
    log.once()


def test_the_programs_own_refusal_stands(claw: DashClaw, log: ToolLog) -> None:
    kept = asked(run, agent(log, claw, call("send_mail", to="ann")))
    claw.approve_action(pending(claw)[0], "allow")
    assert "rejected" in answered(run, agent(log, claw, "ready"), kept, approved=False)
    log.once()


def test_a_functions_own_need_of_approval_comes_first(claw: DashClaw, log: ToolLog) -> None:
    @tool(approval_mode="always_require")
    def read_mail(to: str) -> str:
        """Read."""
        log.append(to)
        return "mail"

    def clerk(*steps: Any) -> Any:
        return Agent(Scripted(*steps), tools=[read_mail], middleware=dashclaw_middleware(claw, approvals="interrupt"))

    kept = asked(run, clerk(call("read_mail", to="ann")))
    log.once()
    assert "mail" in answered(run, clerk("ready"), kept)
    log.once("ann")


PROCESS = """
import asyncio, json, sys
from pathlib import Path
from agent_framework import Agent, AgentSession, Content, Message, tool
from dashclaw import DashClaw
from dashclaw.integrations.agent_framework import dashclaw_middleware
from tests.integrations.agent_framework.scripted import Scripted, call

database, kept, log = map(Path, sys.argv[1:])


@tool
def send_mail(to: str) -> str:
    "Send."
    with log.open("a") as out:
        out.write(to + "\\n")
    return "sent"


with DashClaw.local(database, agent_id="agent", hitl_mode="off") as claw:
    goes_on = kept.exists()
    step = "ready" if goes_on else call("send_mail", to="ann")
    agent = Agent(Scripted(step), tools=[send_mail], middleware=dashclaw_middleware(claw, approvals="interrupt"))
    session, given = agent.create_session(), "go"
    if goes_on:
        found = json.loads(kept.read_text())
        session = AgentSession.from_dict(found["session"])
        given = Message("user", [Content.from_dict(found["requests"][0]).to_function_approval_response(True)])
    result = asyncio.run(agent.run(given, session=session))
    requests = [request.to_dict() for request in result.user_input_requests]
    kept.write_text(json.dumps({"session": session.to_dict(), "requests": requests}))
    print(len(requests), result.text)
"""


def test_another_process_goes_on(database: Path, tmp_path: Path) -> None:
    kept, log = tmp_path / "messages.json", tmp_path / "log"
    root = Path(__file__).parents[3]

    def process(*command: str) -> str:
        done = subprocess.run([sys.executable, *command], cwd=root, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    program = ("-c", PROCESS, str(database), str(kept), str(log))
    assert process(*program) == "1"
    assert not log.exists()
    with DashClaw.local(database, agent_id="person") as claw:
        (action_id,) = pending(claw)
    process("-m", "dashclaw", "approvals", "approve", action_id, "--db", str(database))
    assert process(*program) == "0 ready"
    assert log.read_text() == "ann\n"
