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
from .scripted import Call, agent_of, crew_of, function_tool, model

ROOT = Path(__file__).parents[3]


def test_the_page_runs(database: Path, claw: DashClaw, log: ToolLog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(database.parent)
    blocks = re.findall(r"^```python\n(.*?)^```", (ROOT / "docs/integrations/crewai.md").read_text(), re.M | re.S)
    tools = [function_tool("read_table", log.append), function_tool("drop_table", log.append)]
    script = [Call("read_table", to="customers"), Call("drop_table", to="customers"), "done"]
    given: dict[str, Any] = {"crew": crew_of(agent_of(model(True, *script), *tools))}
    try:
        exec(compile("\n".join(blocks), "crewai.md", "exec"), given)
    finally:
        given["claw"].close()
    log.once("customers")
    assert {row["agent_id"] for row in actions(claw)} == {"mail-crew"}
    assert given["output"].raw == "done"


def test_the_example_runs(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "examples/integrations/crewai_crew.py")],
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
