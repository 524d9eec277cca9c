"""Without a framework, with one too old, and with something else of its name: the error says what to install."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from dashclaw.integrations._framework import release

ROOT = Path(__file__).parents[2]
# An adapter, how users reach it, the distribution, its top module, the extra and the oldest version.
ADAPTERS = [
    ("langchain", "DashClawCallbackHandler", "langchain_core", "langchain_core", "langchain", "0.3.40"),
    ("langchain_agents", "DashClawMiddleware", "langchain", "langchain", "langchain-agents", "1.0.0"),
    ("crewai", "DashClawCrewIntegration", "crewai", "crewai", "crewai", "1.15.3"),
    ("openai_agents", "govern_agent", "openai_agents", "agents", "openai-agents", "0.8.0"),
    ("agent_framework", "dashclaw_middleware", "agent_framework_core", "agent_framework", "agent-framework", "1.3.0"),
    ("mcp", "govern_server; govern_server(None, None)", "mcp", "mcp", "mcp", "1.23.0"),
]
every_adapter = pytest.mark.parametrize(
    ("adapter", "name", "distribution", "module", "extra", "floor"), ADAPTERS, ids=[row[0] for row in ADAPTERS]
)
MODULES = [
    "ag2",
    "agent_framework",
    "agents",
    "anthropic",
    "autogen",
    "autogen_agentchat",
    "autogen_core",
    "crewai",
    "langchain",
    "langchain_core",
    "langgraph",
    "mcp",
    "openai",
    "opentelemetry",
]
# What the import takes, without the start of the interpreter.
IMPORT = """
import sys, time
before, began = set(sys.modules), time.process_time()
import dashclaw
dashclaw.DashClaw
took = time.process_time() - began
print(*sorted(set(sys.modules) - before))
print(took)
"""


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
    tmp_path: Path, adapter: str, name: str, distribution: str, module: str, extra: str, floor: str
) -> None:
    found = error_of(tmp_path, adapter, name)
    assert f'{floor} or newer: pip install "dashclaw[{extra}]"' in found
    assert "found: none" in found


@every_adapter
def test_with_one_that_is_too_old(
    tmp_path: Path, adapter: str, name: str, distribution: str, module: str, extra: str, floor: str
) -> None:
    install(tmp_path, distribution, "0.0.1rc1")
    found = error_of(tmp_path, adapter, name)
    assert f'{floor} or newer: pip install "dashclaw[{extra}]"' in found
    assert "found: 0.0.1rc1" in found


@every_adapter
@pytest.mark.parametrize("text", ["", "raise RuntimeError('not the framework')\n"], ids=["empty", "failing"])
def test_with_something_else_of_its_name(
    tmp_path: Path, adapter: str, name: str, distribution: str, module: str, extra: str, floor: str, text: str
) -> None:
    (tmp_path / f"{module}.py").write_text(text)
    assert "found: none" in error_of(tmp_path, adapter, name)
    install(tmp_path, distribution, "999.0")
    found = error_of(tmp_path, adapter, name)
    assert f'{floor} or newer: pip install "dashclaw[{extra}]"' in found
    assert "found: 999.0, but" in found


def imported(folder: Path) -> tuple[set[str], float]:
    """Import the package with a folder in front; return the modules that were loaded, and the least CPU seconds."""
    names: set[str] = set()
    times = []
    for _ in range(3):
        modules, took = told(folder, IMPORT).splitlines()
        names |= set(modules.split())
        times.append(float(took))
    return names, min(times)


@pytest.mark.parametrize("text", ["", "raise SystemExit('it was imported')\n"], ids=["empty", "ending"])
def test_importing_the_package_is_the_same_with_something_in_the_place_of_every_framework(
    tmp_path: Path, text: str
) -> None:
    for name in ("plain", "shadowed"):
        (tmp_path / name).mkdir()
    for module in MODULES:
        (tmp_path / "shadowed" / f"{module}.py").write_text(text)
        install(tmp_path / "shadowed", module, "999.0")
    plain, plain_took = imported(tmp_path / "plain")
    shadowed, shadowed_took = imported(tmp_path / "shadowed")
    assert "dashclaw.client" in plain
    assert shadowed == plain
    assert {name for name in plain if name.startswith("dashclaw.integrations")} == set()
    # A tenth would be noise; what looks for frameworks takes many times as long.
    assert shadowed_took < 3 * plain_took


@pytest.mark.parametrize("module", MODULES)
def test_neither_the_package_nor_its_command_line_imports_a_framework(tmp_path: Path, module: str) -> None:
    (tmp_path / f"{module}.py").write_text("raise SystemExit('it was imported')\n")
    code = "import sys, dashclaw, dashclaw.cli; dashclaw.cli.parser(); print(*sorted(sys.modules))"
    assert module not in told(tmp_path, code).split()


@every_adapter
def test_the_extra_asks_for_what_the_adapter_needs_and_the_oldest_is_proved(
    adapter: str, name: str, distribution: str, module: str, extra: str, floor: str
) -> None:
    (asked,) = re.findall(
        rf'^{extra} = \[.*"{distribution.replace("_", "-")}>=([\d.]+)"', (ROOT / "pyproject.toml").read_text(), re.M
    )
    assert release(asked) == release(floor)
    environments = (ROOT / "tests/integrations/environments.ini").read_text()
    assert f"{distribution.replace('_', '-')}=={floor}\n" in environments
