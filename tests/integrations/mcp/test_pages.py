"""The example runs as it stands."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_the_example_runs() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "examples/integrations/mcp_server.py")],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-3:] == [
        "recorded: read_table completed",
        "recorded: drop_table blocked",
        "recorded: send_mail completed",
    ]
    assert "the model sees: The tool drop_table was NOT run. A policy forbids it: No drops" in done.stdout
    assert "drop_table runs" not in done.stderr
    assert done.stderr.count("send_mail runs") == 1
