"""`dashclaw scan`: look for secrets and personal data before something leaves."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dashclaw.errors import ConfigurationError

from .arguments import Commands, plain
from .output import Output, one_line

FOUND = 1


def add(commands: Commands) -> None:
    """Add the command to the command line."""
    found = commands.command(
        "scan",
        scan_files,
        "look for secrets and personal data in files; the exit code is 1 when there are some",
        options=plain(),
        example="dashclaw scan notes.txt",
    )
    found.add_argument("files", metavar="FILE", nargs="*", help="a text file, - or nothing for stdin")


def scan_files(options: argparse.Namespace, output: Output) -> int:
    """Print where something stands, with no more of it than its last four characters."""
    from dashclaw._scan import scan

    rows = [{"file": name, **_told(scan(text))} for name, text in _texts(options.files or ["-"])]
    count = sum(row["findings_count"] for row in rows)
    lines = [
        f"{one_line(row['file'])}:{found['line']}: {found['severity']} {found['pattern']} {one_line(found['preview'])}"
        for row in rows
        for found in row["findings"]
    ]
    document = {"clean": count == 0, "findings_count": count, "files": rows}
    output.result(document, "\n".join([*lines, f"{count} found" if count else "Nothing found."]))
    return FOUND if count else 0


def _texts(names: list[str]) -> Iterator[tuple[str, str]]:
    for name in names:
        try:
            data = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
        except OSError as error:
            raise ConfigurationError(f"{name} cannot be read: {error.strerror}") from error
        yield name, data.decode("utf-8", "replace")


def _told(found: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in found.items() if name != "redacted"}
