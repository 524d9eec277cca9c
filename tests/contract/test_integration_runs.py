"""The runner of the integration tests: each environment has its time, and one that fails is no reason to stop."""

from __future__ import annotations

import configparser
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integrations.installing import HERE, LOCKED, Environment, uv_environment

RUN = HERE / "run.py"
PROGRAMS = {
    "good": "echo '3 passed, 1 skipped in 0.01s'",
    "bad": "echo 'it was the butler'; echo '1 failed in 0.01s'; exit 1",
    "silent": "exit 5",
    "slow": "sleep 300 & wait",
}


def installed(folder: Path) -> Path:
    """Make environments whose interpreters do what `PROGRAMS` say; return the table of them."""
    table = configparser.ConfigParser()
    for name, program in PROGRAMS.items():
        table[name] = {"extra": "none", "tests": "none", "pins": ""}
        environment = Environment(name, "none", [], [], sys.executable, folder / name)
        environment.binary.parent.mkdir(parents=True)
        environment.binary.write_text(f"#!/bin/sh\n{program}\n")
        environment.binary.chmod(0o755)
        (environment.folder / ".installed").write_text(environment.stamp())
    with (folder / "table.ini").open("w") as file:
        table.write(file)
    return folder / "table.ini"


def run(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(RUN), "--table", str(installed(folder)), "--folder", str(folder), *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_what_fails_or_takes_too_long_fails_the_run_after_the_others_ran(tmp_path: Path) -> None:
    done = run(tmp_path, "--seconds", "3")
    assert done.returncode == 1, done.stderr
    summary = done.stdout[done.stdout.index("environment  ") :]
    results = {line.split()[0]: line.split()[1] for line in summary.splitlines()[1:5]}
    assert results == {"good": "ok", "bad": "FAILED", "silent": "FAILED", "slow": "FAILED"}
    assert "3 passed, 1 skipped in 0.01s" in summary
    assert "1 of 4 passed" in summary
    assert "it was the butler" in done.stdout
    assert "the time of this environment is over" in done.stdout
    assert (tmp_path / "good").exists()


def test_an_environment_is_removed_once_it_is_tested_where_that_is_asked_for(tmp_path: Path) -> None:
    done = run(tmp_path, "--only", "good", "--remove")
    assert done.returncode == 0, done.stdout
    assert sorted(found.name for found in tmp_path.iterdir() if found.is_dir()) == ["bad", "silent", "slow"]


def test_an_unknown_name_is_an_error(tmp_path: Path) -> None:
    done = run(tmp_path, "--only", "better")
    assert done.returncode == 2
    assert "there are: good, bad, silent, slow" in done.stdout


def test_every_environment_has_its_versions_locked() -> None:
    table = configparser.ConfigParser()
    table.read(HERE / "environments.ini")
    assert sorted(path.stem for path in LOCKED.iterdir()) == sorted(table.sections())
    for name in table.sections():
        locked = (LOCKED / f"{name}.txt").read_text().splitlines()
        assert [pin for pin in table[name]["pins"].split() if pin not in locked] == []
        assert [line for line in locked if "==" not in line] == []


@pytest.mark.parametrize(
    ("pip", "told"),
    [
        ("", {}),
        ("global.index-url='https://pip.example/simple'", {"UV_DEFAULT_INDEX": "https://pip.example/simple"}),
        (
            "global.extra-index-url='https://a.example/s https://b.example/s'\n:env:.find-links='/a\\n/b'",
            {"UV_INDEX": "https://a.example/s https://b.example/s", "UV_FIND_LINKS": "/a,/b"},
        ),
        (":env:.timeout='9'\nglobal.timeout='5'\nglobal.progress-bar='off'", {"UV_HTTP_TIMEOUT": "9"}),
        ("global.cert='/c.pem'\nglobal.trusted-host='h'", {"SSL_CERT_FILE": "/c.pem", "UV_INSECURE_HOST": "h"}),
    ],
)
def test_uv_looks_where_pip_is_told_to_look(tmp_path: Path, pip: str, told: dict[str, str]) -> None:
    always = {"UV_CACHE_DIR", "UV_INDEX_STRATEGY", "UV_PYTHON_DOWNLOADS"}
    found = uv_environment({}, tmp_path, pip)
    assert {name: value for name, value in found.items() if name not in always} == told


def test_what_is_set_for_uv_itself_stays(tmp_path: Path) -> None:
    found = uv_environment(
        {"UV_DEFAULT_INDEX": "https://uv.example"}, tmp_path, "global.index-url='https://pip.example'"
    )
    assert found["UV_DEFAULT_INDEX"] == "https://uv.example"
