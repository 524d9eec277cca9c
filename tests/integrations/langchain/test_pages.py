"""The page and the example are true."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from dashclaw import DashClaw

from ..conftest import ToolLog, actions
from .scripted import Scripted, calls, says
from .test_handler import make

ROOT = Path(__file__).parents[3]


def test_the_page_runs(database: Path, claw: DashClaw, log: ToolLog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(database.parent)
    blocks = re.findall(r"^```python\n(.*?)^```", (ROOT / "docs/integrations/langchain.md").read_text(), re.M | re.S)
    given: dict[str, Any] = {
        "model": Scripted(script=[calls("read_table", to="customers"), says("done")]),
        "mailing_model": Scripted(script=[calls("send_mail", to="ann"), says("done")]),
        "tools": [make("read_table", log), make("send_mail", log)],
    }
    program = "\n".join(blocks).replace('{"table": "customers"}', '{"to": "orders"}')
    try:
        exec(compile(program, "langchain.md", "exec"), given)
    finally:
        given["claw"].close()
    log.once("customers", "orders", "ann")
    assert {row["agent_id"] for row in actions(claw)} == {"mail-agent"}
    assert given["found"]["messages"][-1].content == "done"


def test_the_example_runs(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "examples/integrations/langchain_agent.py")],
        cwd=tmp_path,
        env={name: value for name, value in os.environ.items() if name != "EXAMPLE_MODEL"},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "read_table runs on customers" in done.stdout
    assert "drop_table runs" not in done.stdout
    assert done.stdout.count("send_mail runs") == 1
    assert done.stdout.index("a person approves it") < done.stdout.index("send_mail runs")
    assert "NOT run. A policy forbids it" in done.stdout
    assert "llm.call     completed, 120 + 20 tokens" in done.stdout
