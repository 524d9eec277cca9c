"""Tools of the OpenAI Agents SDK that are no functions: a shell, an editor of files, MCP servers, hosted tools."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import Any

import agents
import pytest
from agents import Agent, ApplyPatchTool, Runner, ShellTool, WebSearchTool
from agents.editor import ApplyPatchOperation
from agents.mcp import MCPServerStdio

from dashclaw import DashClaw
from dashclaw.integrations.openai_agents import govern_agent

from ..conftest import ToolLog, actions
from .scripted import call, model, run, text, told


@pytest.fixture
def strict(claw: DashClaw) -> DashClaw:
    """A client that forbids the shell and the deletion of files."""
    rules = {"action_types": ["shell", "delete_file", "typed"]}
    claw.request("POST", "/api/policies", body={"name": "No shell", "policy_type": "block_action_type", "rules": rules})
    return claw


def shell(command: str) -> Any:
    action = {"type": "exec", "commands": [command]}
    return {"type": "shell_call", "id": "sh_1", "call_id": "call_1", "status": "completed", "action": action}


def test_a_shell_is_decided_about(claw: DashClaw, strict: DashClaw, log: ToolLog) -> None:
    def execute(request: Any) -> str:
        log.append(request.data.action.commands)
        return "done"

    for mode in ("enforce", "observe"):
        clerk = Agent(name="clerk", model=model(shell("ls"), text("ready")), tools=[ShellTool(executor=execute)])
        assert run(govern_agent(clerk, strict, mode=mode)).final_output == "ready"
        assert ("No shell" in told(clerk.model)) == (mode == "enforce")
    log.once(["ls"])
    assert actions(strict)[-1]["input_summary"] == '{"command": ["ls"]}'


class Editor:
    def __init__(self, log: ToolLog) -> None:
        self.log = log

    def create_file(self, operation: ApplyPatchOperation) -> str:
        self.log.append(operation.path)
        return "made"

    update_file = delete_file = create_file


def test_changes_of_files_are_decided_about(strict: DashClaw, log: ToolLog) -> None:
    def patch(kind: str, path: str, number: int) -> Any:
        operation = {"type": kind, "path": path, "diff": "+a\n"}
        return {
            "type": "apply_patch_call",
            "id": f"ap_{number}",
            "call_id": f"call_{number}",
            "operation": operation,
            "status": "completed",
        }

    wishes = [patch("create_file", "a.txt", 1)], [patch("delete_file", "b.txt", 2)]
    clerk = Agent(name="clerk", model=model(*wishes, text("ready")), tools=[ApplyPatchTool(editor=Editor(log))])
    assert run(govern_agent(clerk, strict)).final_output == "ready"
    log.once("a.txt")
    assert "No shell" in told(clerk.model)


@pytest.mark.skipif(not hasattr(agents, "CustomTool"), reason="the SDK has none yet")
def test_a_custom_tool_is_decided_about(strict: DashClaw, log: ToolLog) -> None:
    from agents import CustomTool
    from openai.types.responses import ResponseCustomToolCall

    async def body(context: Any, given: str) -> str:
        log.append(given)
        return "done"

    tools = [CustomTool(name=name, description="Take text", on_invoke_tool=body) for name in ("typed", "spoken")]
    wishes = [
        ResponseCustomToolCall(type="custom_tool_call", call_id=name, name=name, input="words")
        for name in ("typed", "spoken")
    ]
    clerk = Agent(name="clerk", model=model(wishes, text("ready")), tools=tools)
    assert run(govern_agent(clerk, strict)).final_output == "ready"
    log.once("words")
    assert "No shell" in told(clerk.model)


def test_hosted_tools_are_named_once(claw: DashClaw, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "dashclaw"):
        clerk = govern_agent(Agent(name="clerk", model=model(text("ready")), tools=[WebSearchTool()]), claw)
        run(clerk)
    assert caplog.text.count("web_search of clerk is not governed") == 1


SERVER = """
import sys
from pathlib import Path
try:
    from mcp.server import MCPServer as Server
except ImportError:
    from mcp.server.fastmcp import FastMCP as Server

server = Server("files")


def body(path: str) -> str:
    with Path(sys.argv[1]).open("a") as out:
        out.write(path + "\\n")
    return "done"


for name in ("read_file", "drop_file"):
    server.add_tool(body, name=name, description="Do it.")
server.run()
"""


def test_tools_of_mcp_servers_are_decided_about(claw: DashClaw, tmp_path: Path) -> None:
    import asyncio

    seen = tmp_path / "seen"

    async def through() -> Any:
        params = {"command": sys.executable, "args": ["-c", SERVER, str(seen)]}
        async with MCPServerStdio(params=params, client_session_timeout_seconds=60) as server:  # type: ignore[arg-type]
            wishes = [call("read_file", "a", path="a.txt"), call("drop_file", "b", path="b.txt")]
            clerk = Agent(name="clerk", model=model(wishes, text("ready")), mcp_servers=[server])
            result = await Runner.run(govern_agent(clerk, claw), "go")
            assert "No drops" in told(clerk.model)
            return result

    assert asyncio.run(through()).final_output == "ready"
    assert seen.read_text() == "a.txt\n"
    assert sorted(row["status"] for row in actions(claw)) == ["blocked", "completed"]
