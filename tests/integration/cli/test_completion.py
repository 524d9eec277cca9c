"""`dashclaw completion` in the real shells: what is typed before Tab becomes a command, an option, a file."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from .conftest import Run
from .terminals import Program, program

DEBIAN = {"bash": "bash", "zsh": "zsh", "fish": "fish"}


def shell(name: str) -> str:
    """Where a shell is; without it there is nothing to test."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"the shell {name} is not installed: apt-get install {DEBIAN[name]}")
    return found


@pytest.fixture
def scripts(tmp_path: Path, run: Run) -> Path:
    """A folder with the three scripts, a program called dashclaw, and a file to complete."""
    for name in DEBIAN:
        shown = run("completion", name)
        assert shown.code == 0
        (tmp_path / f"c.{name}").write_text(shown.out)
    (tmp_path / "dashclaw").write_text(f'#!/bin/sh\nexec {sys.executable} -m dashclaw "$@"\n')
    (tmp_path / "dashclaw").chmod(0o755)
    (tmp_path / "decisions.db").touch()
    return tmp_path


@contextmanager
def interactive(name: str, folder: Path) -> Iterator[Program]:
    """A shell at its prompt, with the script loaded."""
    options = {"bash": ("--norc", "--noprofile", "-i"), "zsh": ("-f", "-i")}[name]
    with program(
        *options, command=(shell(name),), PS1="ready> ", HOME=str(folder), PATH=f"{folder}:/usr/bin:/bin"
    ) as found:
        found.until("ready>")
        begin = "autoload -Uz compinit; compinit -u -d ./dump; " if name == "zsh" else ""
        found.type(f"cd {folder}; {begin}eval \"$(cat c.{name})\"; clear; echo load''ed\n")
        found.until(lambda text: "loaded" in text and "load''ed" not in text)
        yield found


@pytest.mark.parametrize("name", ["bash", "zsh"])
def test_tab_completes_in_a_real_shell(name: str, scripts: Path) -> None:
    with interactive(name, scripts) as found:
        for typed, completed in (
            ("dashclaw appro", "dashclaw approvals"),
            ("dashclaw approvals den", "dashclaw approvals deny"),
            ("dashclaw approvals deny act_1 --rea", "dashclaw approvals deny act_1 --reason"),
            ("dashclaw guard deploy --db dec", "dashclaw guard deploy --db decisions.db"),
            ("dashclaw completion f", "dashclaw completion fish"),
        ):
            found.type(f"{typed}\t")
            found.until(completed)
            found.type("\x15")
            found.until(lambda text, typed=typed: text.rstrip().endswith("ready>"))  # type: ignore[misc]


def fish(folder: Path, typed: str) -> list[str]:
    """What fish offers for what was typed."""
    asked = f"source c.fish; complete -C '{typed}'"
    environment = {"HOME": str(folder), "PATH": f"{folder}:/usr/bin:/bin"}
    done = subprocess.run(
        [shell("fish"), "--no-config", "-c", asked],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    return [line.split("\t")[0] for line in done.stdout.splitlines()]


def test_fish_offers_commands_options_and_files(scripts: Path) -> None:
    assert fish(scripts, "dashclaw appro") == ["approvals"]
    assert fish(scripts, "dashclaw approvals de") == ["deny"]
    assert "--reason" in fish(scripts, "dashclaw approvals deny act_1 --rea")
    assert "decisions.db" in fish(scripts, "dashclaw guard deploy --db dec")
    assert fish(scripts, "dashclaw completion f") == ["fish"]


def test_a_shell_that_is_not_known_and_a_missing_extra_are_told(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("completion", "tcsh").code == 2
    monkeypatch.setitem(sys.modules, "shtab", None)
    shown = run("completion", "bash")
    assert (shown.code, 'pip install "dashclaw[cli]"' in shown.err) == (1, True)
