"""The page and the example are true."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from agent_framework import tool

from dashclaw import DashClaw

from ..conftest import ToolLog, actions
from .scripted import Scripted, call

ROOT = Path(__file__).parents[3]


def test_the_page_runs(database: Path, claw: DashClaw, log: ToolLog, monkeypatch: pytest.MonkeyPatch) -> None:
    @tool
    def send_mail(to: str) -> str:
        """Send."""
        log.append(to)
        return "sent"

    monkeypatch.chdir(database.parent)
    page = (ROOT / "docs/integrations/agent-framework.md").read_text()
    mailing = Scripted(call("send_mail", to="ann"), "mailed")
    given: dict[str, Any] = {"client": Scripted("done"), "mailing_client": mailing, "tools": [send_mail]}
    program = "\n".join(re.findall(r"^```python\n(.*?)^```", page, re.M | re.S))
    try:
        exec(compile(program, "agent-framework.md", "exec"), given)
    finally:
        given["claw"].close()
    log.once("ann")
    assert given["result"].text == "mailed"
    assert {row["agent_id"] for row in actions(claw)} == {"mail-agent"}


def test_the_example_runs(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "examples/integrations/agent_framework_agent.py")],
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
