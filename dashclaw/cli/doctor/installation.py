"""Python, SQLite and the libraries of each extra."""

from __future__ import annotations

import re
import sqlite3
import sys
from collections.abc import Iterator
from importlib import metadata

from .finding import Finding

_SQLITE = (3, 35)
# Extras without which a command says so by itself; those of frameworks are the business of the programs that use them.
_EXTRAS = ("local", "server", "cli", "signing", "requests", "postgres", "redis")
_NEED = re.compile(r"([A-Za-z0-9._-]+)(?:\[[^\]]*\])?\s*([^;]*)(?:;\s*(.*))?")
_FLOOR = re.compile(r">=\s*([0-9.]+)")


def python() -> Iterator[Finding]:
    """The interpreter, and its SQLite."""
    yield Finding("python", "ok", sys.version.split()[0])
    found = sqlite3.sqlite_version
    if sqlite3.sqlite_version_info >= _SQLITE:
        yield Finding("sqlite", "ok", found)
    else:
        why = "The embedded runtime uses statements that came with SQLite 3.35"
        yield Finding("sqlite", "error", f"{found} is too old", why, "Use a Python that is built with a newer SQLite")


def extras() -> Iterator[Finding]:
    """Which extras are installed, and whether their libraries are new enough."""
    try:
        needs = metadata.requires("dashclaw") or []
    except metadata.PackageNotFoundError:
        yield Finding("extras", "note", "not looked at: dashclaw runs from a folder and is not installed")
        return
    for extra in _EXTRAS:
        yield _extra(extra, list(_needs(needs, extra)))


def _needs(needs: list[str], extra: str) -> Iterator[tuple[str, str]]:
    """The distributions of an extra with the lowest version of each, itself excluded."""
    for need in needs:
        read = _NEED.match(need)
        if read and read[3] and re.search(rf"extra == ['\"]{extra}['\"]", read[3]) and read[1] != "dashclaw":
            floor = _FLOOR.search(read[2])
            yield read[1], floor[1] if floor else "0"


def _extra(extra: str, needs: list[tuple[str, str]]) -> Finding:
    check = f"extra {extra}"
    versions = {name: _version(name) for name, _ in needs}
    missing = [name for name, version in versions.items() if version is None]
    install = f'pip install "dashclaw[{extra}]"'
    if len(missing) == len(needs):
        return Finding(check, "ok", f"not installed ({install})")
    if missing:
        why = "Some of the libraries of this extra are there and others are not, so that its commands fail half-way"
        return Finding(check, "note", f"incomplete: {', '.join(missing)} missing", why, install)
    old = [
        f"{name} {versions[name]} (at least {floor})" for name, floor in needs if _parts(versions[name]) < _parts(floor)
    ]
    if old:
        why = "dashclaw is not tested with a version that is so old"
        return Finding(check, "warning", f"too old: {', '.join(old)}", why, f"{install} --upgrade")
    return Finding(check, "ok", "installed")


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _parts(version: str | None) -> tuple[int, ...]:
    """The release of a version as numbers, without zeros at its end."""
    numbers = [int(part) for part in re.findall(r"\d+", re.split(r"[^0-9.]", version or "0")[0])]
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)
