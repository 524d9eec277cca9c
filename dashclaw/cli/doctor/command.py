"""The command: run the checks, show what they found, mend what is safe."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timezone

from dashclaw.errors import DashClawError, MissingExtraError

from ..arguments import Commands, connection
from ..connection import connect
from ..output import Output, one_line
from . import records
from .database import database
from .environment import environment
from .files import disk, modes
from .finding import LEVELS, Finding
from .ground import Ground, Patient
from .installation import extras, python
from .policies import policies
from .service import server

Check = Callable[[Patient], Iterator[Finding]]

_RECORDS: tuple[Check, ...] = (
    records.keys,
    policies,
    records.decisions,
    records.agents,
    records.webhooks,
    records.evidence,
)
_LABELS = {"ok": "ok", "note": "note", "warning": "WARNING", "error": "ERROR"}


def add(commands: Commands) -> None:
    """Add the command to the command line."""
    found = commands.command(
        "doctor",
        run,
        "find what is wrong with this installation, and the database or server if one is named;"
        " exits with 1 for warnings and 2 for errors",
        options=connection(),
        example="dashclaw doctor --db dashclaw.db",
    )
    found.add_argument("--fix", action="store_true", help="mend what is safe to mend, asking before each")
    found.add_argument("--yes", action="store_true", help="with --fix: do not ask")


def run(options: argparse.Namespace, output: Output) -> int:
    """Show what is found; 0 when nothing is wrong, 1 when something should be looked at, 2 when something fails."""
    found = list(examine(options))
    if options.fix and _mend(found, options, output):
        found = list(examine(options))
    output.result([finding.document for finding in found], _text(found))
    if options.fix or options.json:
        return _code(found)
    mendable = sum(finding.mend is not None for finding in found)
    if mendable:
        output.say(f"dashclaw doctor --fix can mend {mendable} of these.")
    return _code(found)


def _code(found: Iterable[Finding]) -> int:
    return max((max(0, LEVELS.index(finding.level) - 1) for finding in found), default=0)


def examine(options: argparse.Namespace) -> Iterator[Finding]:
    """Run every check that applies; one that fails is a finding, too."""
    ground = Ground.of(options)
    yield from python()
    yield from extras()
    yield from environment()
    try:
        yield from _place(ground)
    except MissingExtraError as missing:
        yield Finding("connection", "error", missing.message, "The database cannot be looked at", "Install the extra")
    except DashClawError as error:
        why = "What is wrong there stays unknown"
        yield Finding("connection", "error", error.message, why, "Do what the message says, then look again")


def _place(ground: Ground) -> Iterator[Finding]:
    if ground.url is None and ground.database is None:
        yield Finding("connection", "note", "not checked: say --db or --url")
        return
    if ground.database is not None:
        found = [*database(ground)]
        yield from found
        if ground.file is None or ground.file.exists():
            yield from modes(ground)
            yield from disk(ground)
        if any(finding.level == "error" for finding in found) or not _current(found):
            yield Finding("records", "note", "not looked at, because of what is wrong with the database")
            return
    with connect(ground.options) as client:
        if ground.url is not None:
            found = [*server(ground, client)]
            yield from found
            if any(finding.level == "error" for finding in found):
                yield Finding("records", "note", "not looked at, because of what is wrong with the server")
                return
        patient = Patient(ground, client, datetime.now(timezone.utc))
        for check in _RECORDS:
            yield from _checked(check, patient)


def _current(found: Iterable[Finding]) -> bool:
    """Whether the schema is the newest: opening the database would change another."""
    return all(finding.level == "ok" for finding in found if finding.check == "schema")


def _checked(check: Check, patient: Patient) -> Iterator[Finding]:
    try:
        yield from check(patient)
    except DashClawError as error:
        what = f"could not be looked at: {error.message}"
        yield Finding(check.__name__, "warning", what, "What is wrong there stays unknown", "See what the message says")


def _mend(found: Iterable[Finding], options: argparse.Namespace, output: Output) -> bool:
    """Mend what may be mended and is agreed to; returns whether anything was done."""
    done = False
    for finding in found:
        if finding.mend is None or not _agreed(finding.mend.question, options, output):
            continue
        try:
            made = finding.mend.run()
        except (DashClawError, OSError) as error:
            output.say(f"not mended: {one_line(error)}")
            continue
        output.say(f"mended: {finding.what}" + (f" (the copy is {made})" if made is not None else ""))
        done = True
    return done


def _agreed(question: str, options: argparse.Namespace, output: Output) -> bool:
    if options.yes:
        return True
    if not sys.stdin.isatty():
        output.say(f"{question} Not done: nobody can answer here; --yes does it without asking.")
        return False
    output.say(f"{question} [y/N]")
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _text(found: list[Finding]) -> str:
    width = max(len(finding.check) for finding in found)
    lines = []
    for finding in found:
        lines.append(f"{_LABELS[finding.level]:<8}{finding.check:<{width}}  {one_line(finding.what)}")
        margin = " " * (8 + width + 2)
        lines += [f"{margin}{name}: {text}" for name, text in (("why", finding.why), ("do", finding.todo)) if text]
    counts = {level: sum(finding.level == level for finding in found) for level in LEVELS}
    lines.append(f"\n{counts['error']} errors, {counts['warning']} warnings, {counts['note']} notes")
    return "\n".join(lines)
