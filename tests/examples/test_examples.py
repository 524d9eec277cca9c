"""Every example runs as a user would run it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

EXAMPLES = Path(__file__).parents[2] / "examples"


def run(name: str) -> str:
    done = subprocess.run(
        [sys.executable, name], cwd=EXAMPLES, capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_demo_allows_blocks_asks_and_records() -> None:
    shown = run("quickstart.py")
    assert "customers.csv is still there" in shown
    assert "did not run: Blocked: Deleting is forbidden" in shown
    assert "Approved act_" in shown
    assert "failed: " in shown
    for state in ("completed", "blocked", "failed"):
        assert state in shown


def test_the_same_agent_works_against_a_server() -> None:
    shown = run("quickstart_server.py")
    assert "did not run: Blocked" in shown
    assert "completed  release.publish" in shown


def test_fifty_agents_work_at_once() -> None:
    shown = run("async_agents.py")
    assert "40 finished, 10 were blocked" in shown
    assert "recorded: 50 actions, 40 completed" in shown
