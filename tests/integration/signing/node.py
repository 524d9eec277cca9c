"""Node with its WebCrypto, which signs and verifies as an agent in JavaScript would."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).with_name("webcrypto.mjs")


def needed() -> str:
    """The path of node; without it a developer's run skips, and CI fails."""
    found = shutil.which("node")
    if found is None:
        missing = "node is not installed: nothing proves that other languages agree on signatures"
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    return found


def ask(work: str, bodies: Sequence[str], **job: Any) -> list[Any]:
    """Let node do one kind of work with bodies of JSON text: "sign", "verify" or "form"."""
    line = json.dumps({"work": work, "bodies": list(bodies), **job})
    done = subprocess.run(
        [needed(), str(SCRIPT)], input=line + "\n", capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return list(json.loads(done.stdout))
