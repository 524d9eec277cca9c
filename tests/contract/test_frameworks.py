"""Without a framework, with one too old, and with something else of its name: the error says what to install."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# An adapter, the name that users import from it, the distribution, its top module, and the extra.
ADAPTERS = [
    ("langchain", "DashClawCallbackHandler", "langchain_core", "langchain_core", "langchain"),
    ("crewai", "DashClawCrewIntegration", "crewai", "crewai", "crewai"),
    ("openai_agents", "govern_agent", "openai_agents", "agents", "openai-agents"),
    ("agent_framework", "dashclaw_middleware", "agent_framework_core", "agent_framework", "agent-framework"),
]
every_adapter = pytest.mark.parametrize(
    ("adapter", "name", "distribution", "module", "extra"), ADAPTERS, ids=[row[0] for row in ADAPTERS]
)


def told(folder: Path, code: str) -> str:
    """Run a program that finds its modules in a folder first, and return what it prints."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(folder), str(ROOT)))}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def error_of(folder: Path, adapter: str, name: str) -> str:
    return told(
        folder,
        "from dashclaw import DashClaw, MissingExtraError\n"
        f"try: from dashclaw.integrations.{adapter} import {name}\n"
        "except MissingExtraError as error: print(error)\n",
    )


def install(folder: Path, distribution: str, version: str) -> None:
    """Make a folder look as if a distribution were installed in it."""
    place = folder / f"{distribution}-{version}.dist-info"
    place.mkdir()
    (place / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n")


@every_adapter
def test_without_the_framework(
    tmp_path: Path, adapter: str, name: str, distribution: str, module: str, extra: str
) -> None:
    found = error_of(tmp_path, adapter, name)
    assert f'pip install "dashclaw[{extra}]"' in found
    assert "found: none" in found


@every_adapter
def test_with_one_that_is_too_old(
    tmp_path: Path, adapter: str, name: str, distribution: str, module: str, extra: str
) -> None:
    install(tmp_path, distribution, "0.0.1rc1")
    found = error_of(tmp_path, adapter, name)
    assert f'pip install "dashclaw[{extra}]"' in found
    assert "found: 0.0.1rc1" in found


@every_adapter
@pytest.mark.parametrize("text", ["", "raise RuntimeError('not the framework')\n"], ids=["empty", "failing"])
def test_with_something_else_of_its_name(
    tmp_path: Path, adapter: str, name: str, distribution: str, module: str, extra: str, text: str
) -> None:
    (tmp_path / f"{module}.py").write_text(text)
    assert "found: none" in error_of(tmp_path, adapter, name)
    install(tmp_path, distribution, "999.0")
    found = error_of(tmp_path, adapter, name)
    assert f'pip install "dashclaw[{extra}]"' in found
    assert "found: 999.0, but" in found


@every_adapter
def test_importing_the_package_never_looks_for_it(
    tmp_path: Path, adapter: str, name: str, distribution: str, module: str, extra: str
) -> None:
    (tmp_path / f"{module}.py").write_text("raise SystemExit('it was imported')\n")
    shown = (
        "import sys, dashclaw, dashclaw.cli; print(*sorted(name for name in sys.modules if name.startswith('dash')))"
    )
    assert "integrations" not in told(tmp_path, shown)
