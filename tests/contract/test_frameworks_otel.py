"""OpenTelemetry, which is installed where these tests run: without it, too old, and something else of its name."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from test_frameworks import ROOT, error_of, install, told

ASKED = (
    "from dashclaw import DashClaw, MissingExtraError\n"
    "try: from dashclaw.integrations.opentelemetry import DashClawTelemetry\n"
    "except MissingExtraError as error: print(error)\n"
)
EXTRA = 'pip install "dashclaw[otel]"'


def test_without_it() -> None:
    # Without site packages, where only the standard library is left.
    command = [sys.executable, "-S", "-W", "error", "-c", ASKED]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True)
    assert EXTRA in done.stdout and "found: none" in done.stdout


def test_too_old(tmp_path: Path) -> None:
    install(tmp_path, "opentelemetry_api", "1.19.9")
    found = error_of(tmp_path, "opentelemetry", "DashClawTelemetry")
    assert EXTRA in found and "needs opentelemetry-api 1.20.0 or newer" in found and "found: 1.19.9" in found


@pytest.mark.parametrize("text", ["", "raise RuntimeError('not the framework')\n"], ids=["empty", "failing"])
def test_something_else_of_its_name(tmp_path: Path, text: str) -> None:
    (tmp_path / "opentelemetry.py").write_text(text)
    install(tmp_path, "opentelemetry_api", "999.0")
    found = error_of(tmp_path, "opentelemetry", "DashClawTelemetry")
    assert EXTRA in found and "found: 999.0, but" in found


def test_governing_never_looks_for_it(tmp_path: Path) -> None:
    (tmp_path / "opentelemetry.py").write_text("raise SystemExit('it was imported')\n")
    program = (
        "import sys, dashclaw, dashclaw.cli\n"
        "with dashclaw.DashClaw.local('d.db', agent_id='a') as claw, claw.track('deploy', 'Ship it'): pass\n"
        "print('opentelemetry' in sys.modules)\n"
    )
    assert told(tmp_path, program).strip() == "False"
