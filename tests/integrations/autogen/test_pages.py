"""The page and the examples are true, for the line of AutoGen that is installed."""

from __future__ import annotations

import ast
import asyncio
import importlib.util
import inspect
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from dashclaw import DashClaw

from ..conftest import ToolLog, actions

ROOT = Path(__file__).parents[3]
LINES = {
    "To agents of AgentChat": "autogen_agentchat",
    "To an agent of AG2": "ag2",
    "To classic agents": "autogen",
}


def installed(module: str) -> Any:
    return pytest.mark.skipif(importlib.util.find_spec(module) is None, reason=f"{module} is not installed here")


@pytest.mark.parametrize("title", [pytest.param(title, marks=installed(LINES[title])) for title in LINES])
def test_the_page_runs(
    database: Path, claw: DashClaw, log: ToolLog, monkeypatch: pytest.MonkeyPatch, title: str
) -> None:
    monkeypatch.chdir(database.parent)
    text = (ROOT / "docs/integrations/autogen.md").read_text()
    block = re.search(rf"^{title}.*?^```python\n(.*?)^```", text, re.M | re.S)
    assert block is not None
    given = agents(LINES[title], log)
    program = compile(block.group(1), "autogen.md", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    done = eval(program, given)
    try:
        if inspect.iscoroutine(done):
            asyncio.run(done)
    finally:
        given["claw"].close()
    log.once("ann")
    (row,) = actions(claw, action_type="read_mail")
    assert (row["status"], row["agent_id"]) == ("completed", "mail-agent")


def agents(module: str, log: ToolLog) -> dict[str, Any]:
    """Return what the page does not make itself."""
    if module == "autogen":
        from . import test_classic as classic

        pair = classic.Pair([classic.calls("read_mail", to="ann"), "fine"], classic.make("read_mail", log))
        return {"user_proxy": pair.executor, "assistant": pair.assistant}
    if module == "ag2":
        from . import test_ag2 as ag2

        script = [ag2.calls("read_mail", {"to": "ann"}), ag2.says("fine")]
        return {"agent": ag2.agent(script, [ag2.make("read_mail", log)])[0]}
    from autogen_agentchat.conditions import MaxMessageTermination
    from autogen_agentchat.teams import RoundRobinGroupChat

    from . import test_agentchat as agentchat

    script = [agentchat.calls("read_mail", {"to": "ann"}), agentchat.says("fine")]
    asked, _ = agentchat.agent(script, [agentchat.make("read_mail", log)])
    return {"team": RoundRobinGroupChat([asked], termination_condition=MaxMessageTermination(2))}


def printed(example: str, folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, str(ROOT / "examples/integrations" / example)],
        cwd=folder,
        env={name: value for name, value in os.environ.items() if name != "EXAMPLE_MODEL"},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "read_table runs on customers" in done.stdout
    assert "drop_table runs" not in done.stdout
    assert "drop_table   blocked" in done.stdout
    assert done.stdout.count("llm.call     completed, 120 + 20 tokens") == 2
    return done.stdout


@installed("autogen_agentchat")
def test_the_example_of_a_team_runs(tmp_path: Path) -> None:
    shown = printed("autogen_team.py", tmp_path)
    assert shown.count("send_mail runs") == 1
    assert shown.index("a person approves it") < shown.index("send_mail runs")
    assert "NOT run. A policy forbids it" in shown


@installed("ag2")
def test_the_example_of_an_agent_runs(tmp_path: Path) -> None:
    assert "dropping is forbidden" in printed("ag2_agent.py", tmp_path)
