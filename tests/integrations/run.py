"""Proves the integrations on the real frameworks: an environment of its own for each framework and version.

    python tests/integrations/run.py [--only langchain] [--fresh] [--remove] [--unlocked] [-- arguments of pytest]

environments.ini holds a section for each environment. `extra` is the extra of dashclaw, `tests` the files or folders
under tests/integrations (test_import.py runs in each), `pins` the exact versions of the framework; what it depends on
has the versions in locked/, which `--unlocked` writes anew. `python` names another interpreter, such as python3.12.
`--only` takes the beginning of a section's name. Environments lie in .venv-integrations and are made again when their
section, their extra, their locked versions or the version of Python has changed. Two run at a time, and each has a
quarter of an hour. The exit code is 1 when anything failed.
"""

from __future__ import annotations

import argparse
import configparser
import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import NamedTuple

from installing import HERE, ROOT, Environment, install

EVERYWHERE = ["test_import.py"]
ENVIRONMENTS = ROOT / ".venv-integrations"


class Result(NamedTuple):
    """What became of an environment; `output` is what was printed where it failed. Times are in seconds."""

    name: str
    line: str
    output: str
    install: float
    tests: float

    def __str__(self) -> str:
        verdict = "FAILED" if self.output else "ok"
        return f"{self.name:26} {verdict:7} {self.install:7.0f} s {self.tests:6.0f} s  {self.line}"


class Programs:
    """The programs that run now, each with its children; `stop` ends them all and keeps new ones from starting."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: set[subprocess.Popen[str]] = set()
        self._over = False

    def run(self, command: list[str], variables: Mapping[str, str], seconds: float) -> tuple[int, str]:
        """Return the exit code and what was printed, also when the time is over."""
        with self._lock:
            if self._over:
                return 1, "interrupted"
            try:
                program = subprocess.Popen(
                    command,
                    cwd=ROOT,
                    env=dict(variables),
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    text=True,
                    start_new_session=True,
                )
            except OSError as error:
                return 1, f"{command[0]}: {error}"
            self._running.add(program)
        try:
            output, _ = program.communicate(timeout=max(seconds, 0))
        except subprocess.TimeoutExpired:
            _kill(program)
            output, _ = program.communicate()
            return 1, f"{output}\nended after {seconds:.0f} s: the time of this environment is over"
        finally:
            with self._lock:
                self._running.discard(program)
        return program.returncode, output

    def stop(self) -> None:
        """End everything."""
        with self._lock:
            self._over = True
            for program in self._running:
                _kill(program)


def _kill(program: subprocess.Popen[str]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(program.pid, signal.SIGKILL)


def table(file: Path, folder: Path) -> list[Environment]:
    """Return the rows of a file such as environments.ini."""
    parser = configparser.ConfigParser()
    parser.read_string(file.read_text())
    return [
        Environment(
            name=name,
            extra=row["extra"],
            tests=[*row["tests"].split(), *EVERYWHERE],
            pins=row["pins"].split(),
            python=row.get("python", fallback=sys.executable),
            folder=folder / name,
        )
        for name, row in ((name, parser[name]) for name in parser.sections())
    ]


def prove(environment: Environment, asked: argparse.Namespace, programs: Programs) -> Result:
    """Install an environment and run its tests, within its time."""
    began = time.monotonic()

    def run(command: list[str], variables: Mapping[str, str]) -> tuple[int, str]:
        return programs.run(command, variables, began + asked.seconds - time.monotonic())

    try:
        trouble = install(environment, run, fresh=asked.fresh, unlocked=asked.unlocked)
        installed = time.monotonic()
        if trouble:
            return Result(environment.name, "could not be installed", trouble, installed - began, 0)
        pytest = [str(environment.binary), "-m", "pytest", "-q", "--tb=short", "-c", str(HERE / "pytest.ini")]
        places = [str(HERE / place) for place in environment.tests]
        code, output = run([*pytest, "-p", "no:cacheprovider", *asked.arguments, *places], os.environ)
    finally:
        if asked.remove:
            shutil.rmtree(environment.folder, ignore_errors=True)
    trouble = (output or f"exit code {code}") if code else ""
    counts = re.findall(r"^=* ?(\d+ \w+.* in [\d.]+s.*?) ?=*$", output, re.M)
    line = counts[-1] if counts else f"exit code {code}"
    return Result(environment.name, line, trouble, installed - began, time.monotonic() - installed)


def parsed() -> argparse.Namespace:
    """Return what was asked for."""
    parser = argparse.ArgumentParser(description="Prove the integrations on the real frameworks.")
    parser.add_argument("--only", default="", help="the beginning of the names of environments")
    parser.add_argument("--fresh", action="store_true", help="make the environments again")
    parser.add_argument("--remove", action="store_true", help="remove each environment once it is tested")
    parser.add_argument("--unlocked", action="store_true", help="take the newest dependencies, and lock those")
    parser.add_argument("--jobs", type=int, default=min(2, os.cpu_count() or 1), help="environments at a time")
    parser.add_argument("--seconds", type=float, default=900, help="how long an environment may take in all")
    parser.add_argument("--table", type=Path, default=HERE / "environments.ini", help="the file of the environments")
    parser.add_argument("--folder", type=Path, default=ENVIRONMENTS, help="where they are installed")
    parser.add_argument("arguments", nargs="*", help="arguments of pytest, after --")
    return parser.parse_args()


def main() -> int:
    """Prove what was asked for; print what failed as it comes, and a line for each environment at the end."""
    asked = parsed()
    known = table(asked.table, asked.folder)
    chosen = [found for found in known if found.name.startswith(asked.only)]
    if not chosen:
        print(f"No environment is called {asked.only!r}; there are: {', '.join(found.name for found in known)}")
        return 2
    began, programs, results = time.monotonic(), Programs(), {}
    # So that what runs is ended where this is.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    pool = ThreadPoolExecutor(asked.jobs)
    try:
        for done in as_completed([pool.submit(prove, environment, asked, programs) for environment in chosen]):
            result = done.result()
            results[result.name] = result
            print(f"{result.output}\n" * bool(result.output) + str(result), flush=True)
    finally:
        programs.stop()
        pool.shutdown(cancel_futures=True)
    failed = [result for result in results.values() if result.output]
    print(f"\n{'environment':26} {'':7} {'install':>9} {'tests':>8}")
    print(*(results[environment.name] for environment in chosen), sep="\n")
    print(f"\n{len(results) - len(failed)} of {len(results)} passed in {(time.monotonic() - began) / 60:.1f} minutes")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
