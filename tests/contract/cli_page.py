"""Writes docs/cli.md from the argument parser. `python tests/contract/cli_page.py` brings the page up to date."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from pathlib import Path

from dashclaw.cli import parser

PAGE = Path(__file__).parents[2] / "docs/cli.md"
COMMON = ("--db", "--url", "--api-key", "--json")
HEAD = """# The command line

<!-- Written by tests/contract/cli_page.py; `make docs` brings it up to date. -->

Installing the package gives the command `dashclaw`; `python -m dashclaw` is the same.
Every command works on an embedded database (`--db`) or a server (`--url`), except `serve`, `db` and most of `evidence`,
which are about a database itself. Results go to stdout, everything else to stderr. The commands that stay open, and
completion, have [a page of their own](guides/terminal.md).

## Where a command looks

The first of these that is given counts:

1. `--db FILE` or `--url URL`;
2. `DASHCLAW_BASE_URL`, which may also be `sqlite:///file.db`;
3. `DASHCLAW_DATABASE_URL`;
4. `DASHCLAW_DB`.

`serve` and `db` know `--db`, `DASHCLAW_DATABASE_URL` and `DASHCLAW_DB`.
A database is a file, `sqlite:///file.db` or `postgresql://user@host/name`. The key of a server is better kept in
`DASHCLAW_API_KEY` than typed: other users of the machine can see the arguments of a running command.

## Exit codes

| code | meaning |
|---|---|
| 0 | done; of `guard`: allow or warn; of `serve`: stopped on request; \
of `watch`, `top` and `approvals watch`: left with `q`, or `--timeout` is over; \
of `doctor`: nothing is wrong |
| 1 | refused or failed, as stderr says in one line; of `scan`: something was found; of `evidence verify`: not intact; \
of `doctor`: something should be looked at |
| 2 | wrongly called, as stderr shows; of `hook`: the call must not run; of `evidence verify`: could not be checked; \
of `doctor`: something does not work |
| 3 | of `guard`: a person has to approve; of `pair`: nobody decided in time |
| 4 | of `guard`: blocked; of `pair`: denied |
| 130 | interrupted with Ctrl-C |
| 129, 143 | a full screen whose terminal was closed, or that was asked to end (SIGHUP, SIGTERM) |

## For programs

With `--json` stdout holds one JSON document, as the server's API gives it. `watch` and `approvals watch` write one
document per line as it comes, `top` one per look, `serve` one line when it listens. Errors are JSON on stderr: `error`,
`code`, `status`, `details`. Tables are for people and may change; they hold no colours. What has colours in a terminal
(`watch`, full screens) has none anywhere else, nor with `NO_COLOR`; what an agent could steer the terminal with
is spelt out (`\\x1b`).
"""


def below(found: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """The commands of a level by name."""
    for action in found._actions:
        if isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)
    return {}


def commands(found: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """Every command that does something, in the order of the help."""
    children = below(found)
    if not children:
        yield found
    for child in children.values():
        yield from commands(child)


def example(command: argparse.ArgumentParser) -> str:
    """The line that shows how to call a command."""
    return (command.epilog or "").removeprefix("example:\n").strip()


def spelt(action: argparse.Action) -> str:
    """An argument or option as it is typed."""
    value = "" if action.nargs == 0 else str(action.metavar or "|".join(action.choices or ()))
    return " ".join([*action.option_strings[-1:], *([value] if value else [])])


def arguments(command: argparse.ArgumentParser) -> list[argparse.Action]:
    """What a command takes."""
    return [action for action in command._actions if not isinstance(action, argparse._HelpAction)]


def section(command: argparse.ArgumentParser) -> str:
    """One command with its example, what only it takes, and which of the common options."""
    taken = {spelt(action): action.help or "" for action in arguments(command)}
    rows = [f"| `{_cell(name)}` | {_cell(text)} |" for name, text in taken.items() if name.split()[0] not in COMMON]
    parts = [f"## {command.prog}", str(command.description), f"```console\n$ {example(command)}\n```"]
    if rows:
        parts.append("\n".join(["| | |", "|---|---|", *rows]))
    common = [f"`{name}`" for name in taken if name.split()[0] in COMMON]
    return "\n\n".join([*parts, f"Common options: {', '.join(common)}.\n"])


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def page() -> str:
    """The whole page."""
    return "\n".join([HEAD, *(section(command) for command in commands(parser()))])


def examples() -> list[str]:
    """Every command line on the page."""
    return re.findall(r"^\$ (dashclaw .*)$", PAGE.read_text(), re.MULTILINE)


if __name__ == "__main__":
    PAGE.write_text(page())
