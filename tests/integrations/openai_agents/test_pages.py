"""The page and the example are true."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from agents import Agent, function_tool

from dashclaw import DashClaw

from ..conftest import ToolLog, actions
from .scripted import call, model, text

ROOT = Path(__file__).parents[3]


def test_the_page_runs(database: Path, claw: DashClaw, log: ToolLog, monkeypatch: pytest.MonkeyPatch) -> None:
    @function_tool
    def send_mail(to: str) -> str:
        """Send."""
        log.append(to)
        return "sent"

    def agent(*steps: Any) -> Any:
        return Agent(name="clerk", model=model(*steps), tools=[send_mail])

    monkeypatch.chdir(database.parent)
    page = (ROOT / "docs/integrations/openai-agents.md").read_text()
    given: dict[str, Any] = {
        "agent": agent(text("done")),
        "mailing_agent": agent(call("send_mail", to="ann"), text("mailed")),
    }
    program = "\n".join(re.findall(r"^```python\n(.*?)^```", page, re.M | re.S))
    try:
        exec(compile(program, "openai-agents.md", "exec"), given)
    finally:
        given["claw"].close()
    log.once("ann")
    assert given["result"].final_output == "mailed"
    assert {row["agent_id"] for row in actions(claw)} == {"mail-agent"}


def test_the_example_runs(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "examples/integrations/openai_agents_agent.py")],
        cwd=tmp_path,
        env={name: value for name, value in os.environ.items() if name != "EXAMPLE_MODEL"},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("runs") == 2
    assert "send_mail runs: to ann@example.com: 3 rows" in done.stdout
    assert "drop_table was NOT run" in done.stdout
    assert re.search(r"llm\.call +completed, 120 \+ 20 tokens", done.stdout)
