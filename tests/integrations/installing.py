"""Installs the environments that integrations are proved in, with uv and from where pip is told to look."""

from __future__ import annotations

import ast
import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from uv import find_uv_bin

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
LOCKED = HERE / "locked"
ALWAYS = ["pytest>=8", "pytest-timeout>=2.3"]
# What pip calls its settings, and how uv is told the same.
_SETTINGS: dict[str, Callable[[str], tuple[str, str]]] = {
    "index-url": lambda value: ("UV_DEFAULT_INDEX", value),
    "extra-index-url": lambda value: ("UV_INDEX", " ".join(value.split())),
    "find-links": lambda value: ("UV_FIND_LINKS", ",".join(value.split())),
    "trusted-host": lambda value: ("UV_INSECURE_HOST", " ".join(value.split())),
    "cert": lambda value: ("SSL_CERT_FILE", value),
    "proxy": lambda value: ("ALL_PROXY", value),
    "timeout": lambda value: ("UV_HTTP_TIMEOUT", value),
    "default-timeout": lambda value: ("UV_HTTP_TIMEOUT", value),
}
_SECTIONS = ("global", "install", ":env:")

# Runs a command within what is left of an environment's time; returns its exit code and what it printed.
Run = Callable[..., "tuple[int, str]"]
# Found here, once: sysconfig, which is asked, cannot be asked first by two threads at a time.
UV = find_uv_bin()


class Environment(NamedTuple):
    """One row of the table, and the folder that it is installed in."""

    name: str
    extra: str
    tests: list[str]
    pins: list[str]
    python: str
    folder: Path

    @property
    def binary(self) -> Path:
        """Its interpreter."""
        return self.folder / "bin" / "python"

    @property
    def locked(self) -> Path:
        """The file of the versions that everything else in it has."""
        return LOCKED / f"{self.name}.txt"

    def stamp(self) -> str:
        """Return what changes whenever it has to be made again."""
        project = (ROOT / "pyproject.toml").read_text()
        extras = [re.search(rf"^{extra} = \[.*?\]$", project, re.M | re.S) for extra in self.extra.split(",")]
        locked = self.locked.read_text() if self.locked.is_file() else ""
        known = [*self.pins, self.python, sys.version, *(extra.group() for extra in extras if extra), locked]
        return hashlib.sha256("\n".join(known).encode()).hexdigest()


def install(environment: Environment, run: Run, *, fresh: bool, unlocked: bool) -> str:
    """Make the environment unless it is there; return what went wrong, or nothing.

    `unlocked` takes the newest of everything that is not pinned, and writes down what that was.
    """
    stamp = environment.folder / ".installed"
    if not (fresh or unlocked) and stamp.is_file() and stamp.read_text() == environment.stamp():
        return ""
    shutil.rmtree(environment.folder, ignore_errors=True)
    within = ["--quiet", "--python", str(environment.binary)]
    locked = environment.locked.is_file() and not unlocked
    constraints = ["--constraints", str(environment.locked)] if locked else []
    wanted = ["--editable", f"{ROOT}[local,{environment.extra}]", *environment.pins, *ALWAYS]
    for command in (
        [UV, "venv", "--quiet", "--python", environment.python, str(environment.folder)],
        [UV, "pip", "install", *within, *constraints, *wanted],
    ):
        code, output = run(command, uv_environment(os.environ, environment.folder.parent))
        if code:
            return f"{' '.join(command)}\n{output}"
    if unlocked:
        code, output = run([UV, "pip", "freeze", *within, "--exclude-editable"], dict(os.environ))
        if code:
            return output
        environment.locked.write_text(output)
    stamp.write_text(environment.stamp())
    return ""


def uv_environment(inherited: Mapping[str, str], folder: Path, pip: str | None = None) -> dict[str, str]:
    """Return the variables to run uv with: its cache lies beside the environments, so that they are links into it.

    uv reads no settings of pip; `pip` is what `pip config list` prints. What is set for uv itself stays.
    """
    if pip is None:
        command = [sys.executable, "-m", "pip", "config", "list"]
        pip = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    told = {
        "UV_CACHE_DIR": str(folder / ".cache"),
        "UV_INDEX_STRATEGY": "unsafe-best-match",
        "UV_PYTHON_DOWNLOADS": "never",
    }
    for section in _SECTIONS:
        for setting, value in re.findall(rf"^{section}\.([\w-]+)=(.*)$", pip, re.M):
            if setting in _SETTINGS:
                told.update([_SETTINGS[setting](ast.literal_eval(value))])
    return {**told, **inherited}
