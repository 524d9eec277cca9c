"""With a framework installed, `import dashclaw` loads what it loads without: in any of these environments."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LOADED = """
import sys
sys.path.insert(0, {root!r})
before = set(sys.modules)
import dashclaw
dashclaw.DashClaw
print(*sorted(set(sys.modules) - before))
"""


def loaded(*options: str) -> set[str]:
    command = [sys.executable, "-I", *options, "-c", LOADED.format(root=str(ROOT))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    return set(done.stdout.split())


@pytest.fixture(scope="module")
def alone() -> set[str]:
    """What is loaded where no package is installed."""
    return loaded("-S")


def test_the_import_does_not_depend_on_what_is_installed(alone: set[str]) -> None:
    assert "dashclaw.client" in alone
    assert loaded() <= alone
