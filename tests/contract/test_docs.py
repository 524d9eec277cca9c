"""The documentation is true: its blocks run, and it names everything public."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import dashclaw
from dashclaw import errors

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"(<!-- not run -->\n)?```python\n(.*?)```", re.DOTALL)


def test_the_readme_runs_as_it_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    blocks = BLOCK.findall((ROOT / "README.md").read_text())
    runnable = [code for skipped, code in blocks if not skipped]
    assert runnable
    for code in runnable:
        exec(compile(code, "README.md", "exec"), {})
    assert (tmp_path / "dashclaw.db").exists()


def test_every_error_has_its_section() -> None:
    page = (ROOT / "docs/errors.md").read_text()
    named = [
        name
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, errors.DashClawError)
    ]
    assert len(named) > 20
    assert [name for name in named if f"## {name}\n" not in page] == []


def test_every_link_of_the_readme_leads_somewhere() -> None:
    links = re.findall(r"\]\((?!http)([^)#]+)", (ROOT / "README.md").read_text())
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_public_names_are_sorted_and_exist() -> None:
    names = [name for name in dashclaw.__all__ if not name.startswith("_")]
    assert names == sorted(names)
    assert [name for name in dashclaw.__all__ if not hasattr(dashclaw, name)] == []
