"""`dashclaw doctor`: does everything that is needed work here?"""

from __future__ import annotations

import argparse
import importlib.util
import sqlite3
import sys

from dashclaw.errors import DashClawError

from .arguments import Commands, connection
from .connection import NowhereError, connect
from .output import Output, one_line, table

_EXTRAS = {
    "local": "sqlalchemy",
    "server": "fastapi",
    "signing": "cryptography",
    "requests": "requests",
    "postgres": "psycopg",
    "redis": "redis",
}


def add(commands: Commands) -> None:
    """Add the command to the command line."""
    commands.command(
        "doctor",
        run,
        "check this installation, and the database or server if one is named",
        options=connection(),
        example="dashclaw doctor --db dashclaw.db",
    )


def run(options: argparse.Namespace, output: Output) -> int:
    """Print a line per check; exit 1 when one failed."""
    checks: list[tuple[str, bool | None, str]] = [
        ("python", sys.version_info >= (3, 7), sys.version.split()[0]),
        ("sqlite", sqlite3.sqlite_version_info >= (3, 35), sqlite3.sqlite_version),
    ]
    for extra, module in _EXTRAS.items():
        there = importlib.util.find_spec(module) is not None
        checks.append((f"extra {extra}", True if there else None, "installed" if there else "not installed"))
    checks.append(_connection(options))
    rows = [(name, {True: "ok", False: "FAILED", None: "-"}[fine], text) for name, fine, text in checks]
    document = [{"check": name, "ok": fine, "detail": text} for name, fine, text in checks]
    output.result(document, table(("check", "state", "detail"), rows, ""))
    failed = [one_line(text) for _, fine, text in checks if fine is False]
    for text in failed:
        output.say(f"failed: {text}")
    return int(bool(failed))


def _connection(options: argparse.Namespace) -> tuple[str, bool | None, str]:
    try:
        with connect(options) as client:
            found = client.get_actions(limit=1)
    except NowhereError:
        return "connection", None, "not checked: say --db or --url"
    except DashClawError as error:
        return "connection", False, error.message
    return "connection", True, f"answers; {found['total']} actions recorded"
