"""Proves the integrations on the real frameworks: an environment of its own for each framework and version.

    python tests/integrations/run.py [--only langchain] [--fresh] [-- arguments of pytest]

environments.ini holds a section for each environment. `extra` is the extra of dashclaw, `tests` the files or folders
under tests/integrations, `pins` the exact versions. `python` names another interpreter, such as python3.12. `--only`
takes the beginning of a section's name. Environments lie in .venv-integrations and are made again when their section,
their extra or the version of Python has changed. The exit code is 1 when anything failed.
"""

from __future__ import annotations

import argparse
import configparser
import hashlib
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
ENVIRONMENTS = ROOT / ".venv-integrations"
ALWAYS = ["pytest>=8", "pytest-timeout>=2.3"]


class Environment(NamedTuple):
    """One row of the table."""

    name: str
    extra: str
    tests: list[str]
    pins: list[str]
    python: str

    @property
    def folder(self) -> Path:
        """Where it is installed."""
        return ENVIRONMENTS / self.name

    @property
    def binary(self) -> Path:
        """Its interpreter."""
        return self.folder / "bin" / "python"

    def stamp(self) -> str:
        """Return what changes whenever it has to be made again."""
        extra = re.search(rf"^{re.escape(self.extra)} = \[.*?\]$", (ROOT / "pyproject.toml").read_text(), re.M | re.S)
        known = [self.extra, *self.pins, self.python, sys.version, extra.group() if extra else ""]
        return hashlib.sha256("\n".join(known).encode()).hexdigest()


def table() -> list[Environment]:
    """Return the rows of environments.ini."""
    parser = configparser.ConfigParser()
    parser.read_string((HERE / "environments.ini").read_text())
    return [
        Environment(
            name, row["extra"], row["tests"].split(), row["pins"].split(), row.get("python", fallback=sys.executable)
        )
        for name, row in ((name, parser[name]) for name in parser.sections())
    ]


def install(environment: Environment, fresh: bool) -> str:
    """Make the environment unless it is there; return what went wrong, or nothing."""
    stamp = environment.folder / ".installed"
    if not fresh and stamp.is_file() and stamp.read_text() == environment.stamp():
        return ""
    shutil.rmtree(environment.folder, ignore_errors=True)
    pip = [str(environment.binary), "-m", "pip", "install", "-qq"]
    for command in (
        [environment.python, "-m", "venv", str(environment.folder)],
        [*pip, "--editable", f"{ROOT}[local,{environment.extra}]", *environment.pins, *ALWAYS],
    ):
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode:
            return f"{' '.join(command)}\n{done.stdout}{done.stderr}"
    stamp.write_text(environment.stamp())
    return ""


def prove(environment: Environment, arguments: list[str]) -> tuple[str, str]:
    """Run the tests; return the last line of pytest, and all it said where it failed."""
    command = [str(environment.binary), "-m", "pytest", "-q", "-c", str(HERE / "pytest.ini"), "-p", "no:cacheprovider"]
    places = [str(HERE / place) for place in environment.tests]
    done = subprocess.run(
        [*command, *arguments, *places],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    lines = done.stdout.strip().splitlines() or [f"exit code {done.returncode}"]
    return lines[-1].strip("= "), done.stdout if done.returncode else ""


def main() -> int:
    """Make and prove what was asked for, and print a line for each environment."""
    parser = argparse.ArgumentParser(description="Prove the integrations on the real frameworks.")
    parser.add_argument("--only", default="", help="the beginning of the names of environments")
    parser.add_argument("--fresh", action="store_true", help="make the environments again")
    parser.add_argument("arguments", nargs="*", help="arguments of pytest, after --")
    asked = parser.parse_args()
    chosen = [found for found in table() if found.name.startswith(asked.only)]
    if not chosen:
        print(f"No environment is called {asked.only!r}; there are: {', '.join(found.name for found in table())}")
        return 2
    failed = 0
    for environment in chosen:
        began = time.monotonic()
        trouble = install(environment, asked.fresh)
        installed = time.monotonic()
        line, output = ("could not be installed", trouble) if trouble else prove(environment, asked.arguments)
        failed += bool(output)
        if output:
            print(output)
        took = f"install {installed - began:.0f} s, tests {time.monotonic() - installed:.0f} s"
        print(f"{environment.name:28} {'FAILED' if output else 'ok':7} {line} ({took})", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
