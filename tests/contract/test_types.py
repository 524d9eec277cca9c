"""Type checkers see the clients as programs use them, and the types name what the runtime answers."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "typing"
CHECKERS = {
    "mypy": ["mypy", "--strict", "--config-file=", "--python-version=3.10", "--show-error-codes"],
    "basedpyright": ["basedpyright", "--outputjson", "--pythonversion=3.10"],
}


def complaints(checker: str, tmp_path: Path) -> set[tuple[str, int]]:
    """File and line of each error that a checker finds in the folder."""
    files = sorted(str(path) for path in FOLDER.glob("*.py"))
    command = [str(Path(sys.executable).parent / CHECKERS[checker][0]), *CHECKERS[checker][1:]]
    if checker == "mypy":
        command += ["--cache-dir", str(tmp_path)]
    done = subprocess.run(
        [*command, *files], cwd=FOLDER.parents[1], capture_output=True, text=True, timeout=110, check=False
    )
    if checker == "mypy":
        return {(Path(name).name, int(line)) for name, line in re.findall(r"^(.+?):(\d+): error", done.stdout, re.M)}
    found = json.loads(done.stdout)["generalDiagnostics"]
    return {
        (Path(item["file"]).name, item["range"]["start"]["line"] + 1) for item in found if item["severity"] == "error"
    }


def wrong_lines() -> set[tuple[str, int]]:
    lines = (FOLDER / "misuse.py").read_text().splitlines()
    return {("misuse.py", number) for number, line in enumerate(lines, 1) if line.endswith("# wrong")}


@pytest.mark.parametrize("checker", CHECKERS)
def test_right_use_is_accepted_with_exact_types_and_wrong_use_is_refused(checker: str, tmp_path: Path) -> None:
    assert complaints(checker, tmp_path) == wrong_lines()
