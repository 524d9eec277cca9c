"""The page and the example are true."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

from dashclaw import DashClaw

from ..conftest import ToolLog, actions
from .conftest import Spans

ROOT = Path(__file__).parents[3]


def test_the_page_runs(
    database: Path,
    claw: DashClaw,
    log: ToolLog,
    spans: Spans,
    provider: TracerProvider,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def read_table(table: str) -> None:
        log.append(table)

    monkeypatch.chdir(database.parent)
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", provider)
    blocks = re.findall(
        r"^```python\n(.*?)^```", (ROOT / "docs/integrations/opentelemetry.md").read_text(), re.M | re.S
    )
    given: dict[str, Any] = {"read_table": read_table}
    try:
        exec(compile("\n".join(blocks), "opentelemetry.md", "exec"), given)
    finally:
        given["claw"].close()
    log.once("customers")
    (action,) = actions(claw)
    assert action["agent_id"] == "mail-agent"
    call = spans.named("execute_tool read_table")
    assert action["metadata"]["trace_id"] == f"{call.context.trace_id:032x}"


def test_the_page_names_what_spans_say() -> None:
    page = (ROOT / "docs/integrations/opentelemetry.md").read_text()
    source = (ROOT / "dashclaw/integrations/_otel_attributes.py").read_text()
    named = set(re.findall(r'"((?:gen_ai|dashclaw|error|server)\.[a-z_.]+)"', source))
    assert len(named) > 25
    assert [name for name in named if f"`{name}`" not in page and f"`.{name.rpartition('.')[2]}`" not in page] == []


def test_the_example_runs(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "examples/integrations/opentelemetry_agent.py")],
        cwd=tmp_path,
        env={name: value for name, value in os.environ.items() if not name.startswith("OTEL_")},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("runs") == 2
    assert "drop_table was NOT run" in done.stdout
    assert "\n  execute_tool drop_table, block, dashclaw.errors.GuardBlockedError\n" in done.stdout
    assert "\n  execute_tool send_mail, require_approval, approved, completed\n" in done.stdout
    assert "\n    dashclaw.approval, approved\n" in done.stdout
